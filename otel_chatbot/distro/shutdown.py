"""The end of a process: all signals shut down side by side, within one budget, at exit and at SIGTERM.

Fed by `distro.steps`, which registers what has to be closed; the interpreter and the kernel start it.
Everything that exports has a thread of its own already: none is started here, because from Python 3.12 on
an interpreter that is shutting down refuses to.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Protocol

from .. import config
from .._guard import never_raise, report


class Closable(Protocol):
    """Something with a thread of its own that can be told to finish, and be waited for."""

    def begin_shutdown(self) -> None:
        """Start to finish; returns at once."""

    def finish_shutdown(self, deadline: float) -> None:
        """Wait until done or until `deadline` (of `time.monotonic`)."""

    def abandon(self) -> None:
        """End at once, without an export."""


class Shutdown:
    """What is closed when the process ends."""

    def __init__(self) -> None:
        self._closables: list[Closable] = []
        self._previous: object = signal.SIG_DFL
        # Process ids, not flags: a forked child starts over.
        self._done_in = 0
        self._ending = 0
        self._flushed = 0

    def add(self, *closables: Closable) -> None:
        """Close these too."""
        self._closables.extend(closables)

    @never_raise
    def run(self) -> None:
        """Close everything within SHUTDOWN_TIMEOUT; a second call in a process does nothing."""
        if self._done_in == os.getpid():
            return
        self._done_in = os.getpid()
        deadline = time.monotonic() + config.current().shutdown_timeout
        for step in ("begin_shutdown", "finish_shutdown"):
            for closable in self._closables:
                try:
                    getattr(closable, step)(*((deadline,) if step == "finish_shutdown" else ()))
                except Exception as error:
                    report(f"{type(closable).__name__}.{step}", error)

    def abandon(self) -> None:
        """End everything without an export, now and for good."""
        self._done_in = os.getpid()
        for closable in self._closables:
            closable.abandon()

    def at_exit(self) -> None:
        """Run when the interpreter ends."""
        atexit.register(self._at_exit)

    def _at_exit(self) -> None:
        self.run()
        _end_by_ctrl_c()

    def at_sigterm(self) -> None:
        """Run at SIGTERM too, where nothing is done about it: Python ends then without its exit hooks.

        What the application installed is called as before, and the process still ends by the signal.
        """
        if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
            return
        self._previous = signal.getsignal(signal.SIGTERM)
        if self._previous is not signal.SIG_IGN and self._previous is not None:
            signal.signal(signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        here = os.getpid()
        if callable(self._previous):
            self._flush_beside()
            self._previous(number, frame)
        elif self._flushed == here:
            signal.signal(number, signal.SIG_DFL)
            os.kill(here, number)
        elif self._ending != here:
            # The interrupted code may hold a lock that the flush needs: let it go on, end the process afterwards.
            self._ending = here
            threading.Thread(target=self._flush_and_end, args=(number,), name="otel-chatbot-shutdown", daemon=True).start()

    def _flush_beside(self) -> None:
        worker = threading.Thread(target=self.run, name="otel-chatbot-shutdown", daemon=True)
        worker.start()
        worker.join(config.current().shutdown_timeout)

    def _flush_and_end(self, number: int) -> None:
        self.run()
        self._flushed = os.getpid()
        os.kill(os.getpid(), number)


def _end_by_ctrl_c() -> None:
    """After an unhandled KeyboardInterrupt, have the process end by SIGINT still, as it would have without us.

    CPython forgets that it was one as soon as any text is compiled and run, which an import on another thread may do while
    the interpreter ends; it looks at the last such run (`run_eval_code_obj` in Python/pythonrun.c).
    """
    if getattr(sys, "last_type", None) is KeyboardInterrupt and not hasattr(sys, "ps1"):
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")  # noqa: S102
