"""The end of a process: all signals shut down side by side, within one budget, at exit and at SIGTERM.

Fed by `distro.steps`, which registers what has to be closed; the interpreter and the kernel start it.
Everything that exports has a thread of its own already: none is started here, because from Python 3.12 on
an interpreter that is shutting down refuses to.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from ... import config
from ..._fork import at_fork
from ..._guard import never_raise, report
from .fork_safety import forget_lock, late_lock
from .servers import in_greenlets, is_a_workers


class Closable(Protocol):
    """Something with a thread of its own that can be told to finish, and be waited for."""

    def flush(self, deadline: float) -> object:
        """Export what is there, on this thread, until `deadline` (of `time.monotonic`); more may come."""

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
        at_fork(__name__, in_child=self._after_fork)

    def _after_fork(self) -> None:
        forget_lock(self)

    def add(self, *closables: Closable) -> None:
        """Close these too."""
        self._closables.extend(closables)

    @never_raise
    def run(self) -> None:
        """Close everything within SHUTDOWN_TIMEOUT; a second call in a process does nothing."""
        with late_lock(self):
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

    def before(self, call: Callable[[], None]) -> None:
        """Call something short that is to be exported, and not at all when the end has begun: then nothing takes it."""
        with late_lock(self):
            if self._done_in != os.getpid():
                call()

    @never_raise
    def flush(self) -> None:
        """Export what is there within SHUTDOWN_TIMEOUT, and go on."""
        deadline = time.monotonic() + config.current().shutdown_timeout
        for closable in self._closables:
            try:
                closable.flush(deadline)
            except Exception as error:
                report(f"{type(closable).__name__}.flush", error)

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

        What the application installed is called as before, after a flush, for it may end the process at once; or it may not,
        and have the requests end that are under way: nothing is closed before. A process without a handler still ends by the
        signal. gunicorn's workers end by themselves, through the exit hooks.
        """
        if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
            return
        self._previous = signal.getsignal(signal.SIGTERM)
        if self._previous not in (signal.SIG_IGN, None) and not is_a_workers(self._previous):
            signal.signal(signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        here = os.getpid()
        if callable(self._previous):
            self._flush_before(self._previous, number, frame)
        elif self._flushed == here:
            signal.signal(number, signal.SIG_DFL)
            os.kill(here, number)
        elif self._ending != here:
            # The interrupted code may hold a lock that the flush needs: let it go on, end the process afterwards.
            self._ending = here
            _thread.start_new_thread(self._flush_and_end, (number,))

    def _flush_before(self, handler: Callable[..., object], number: int, frame: FrameType | None) -> None:
        if in_greenlets():  # its hub, where signals arrive, waits for nobody

            def both() -> None:
                self.flush()
                handler(number, frame)

            _thread.start_new_thread(both, ())
            return
        worker = threading.Thread(target=self.flush, name="otel-chatbot-flush", daemon=True)
        worker.start()
        worker.join(config.current().shutdown_timeout)
        handler(number, frame)

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
