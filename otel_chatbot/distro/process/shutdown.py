"""The end of a process: traces, metrics and logs shut down in parallel, within one budget, at exit and at SIGTERM.

Fed by `distro.steps`, which registers what has to be closed. The interpreter's exit runs it, or `distro.process.sigterm`; the
second of the two waits for the first, or the process would end while the first still works.
No thread is started here: everything that exports has one already, and from Python 3.12 on an interpreter that is shutting
down starts none.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from ... import config
from ..._clock import monotonic
from ..._fork import at_fork
from ..._guard import never_raise, report
from .fork_safety import forget_lock, late_lock


class Closable(Protocol):
    """An object with its own thread that can be told to finish; a caller can wait for its end."""

    def flush(self, deadline: float) -> object:
        """Export what is there, on this thread, until `deadline` (of `time.monotonic`), and go on afterwards."""

    def begin_shutdown(self) -> None:
        """Begin to end; return at once."""

    def finish_shutdown(self, deadline: float) -> None:
        """Wait until done or until `deadline` (of `time.monotonic`)."""

    def abandon(self) -> None:
        """End at once, without an export."""


class Shutdown:
    """The list of objects that are closed when the process ends."""

    def __init__(self) -> None:
        self._closables: list[Closable] = []
        # A process id, not a flag: a forked child starts over.
        self._done_in = 0
        self._runner = 0
        self._over: threading.Event | None = None
        self._last: Callable[[], None] | None = None
        at_fork(__name__, in_child=self._after_fork)

    def _after_fork(self) -> None:
        forget_lock(self)

    def add(self, *closables: Closable) -> None:
        """Close these too."""
        self._closables.extend(closables)

    @never_raise
    def run(self) -> None:
        """Close everything within SHUTDOWN_TIMEOUT; a second call in a process waits for the first."""
        budget = config.current().shutdown_timeout
        with late_lock(self):
            first, over = not self.begun, self._over
            if first:
                over = threading.Event()
                self._done_in, self._runner, self._over = os.getpid(), threading.get_ident(), over
        if over is None:  # abandoned
            return
        if first:
            try:
                self._close(monotonic() + budget)
            finally:
                over.set()
        elif self._runner != threading.get_ident():
            over.wait(budget)

    @property
    def begun(self) -> bool:
        """Whether the end of this process has begun."""
        return self._done_in == os.getpid()

    def _close(self, deadline: float) -> None:
        for step in ("begin_shutdown", "finish_shutdown"):
            for closable in self._closables:
                try:
                    getattr(closable, step)(*((deadline,) if step == "finish_shutdown" else ()))
                except Exception as error:
                    report(f"{type(closable).__name__}.{step}", error)

    def before(self, call: Callable[[], None]) -> None:
        """Call a short function whose result is to be exported; not if the end has begun, because nothing would take it."""
        with late_lock(self):
            if not self.begun:
                call()

    @never_raise
    def flush(self) -> None:
        """Export what is there within SHUTDOWN_TIMEOUT, and go on."""
        deadline = monotonic() + config.current().shutdown_timeout
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

    def at_exit(self, last: Callable[[], None]) -> None:
        """Register `run` for the exit of the interpreter; after it, `last` is called."""
        self._last = last
        atexit.register(self._at_exit)

    def _at_exit(self) -> None:
        self.run()
        if self._last is not None:
            self._last()
        _end_by_ctrl_c()


def _end_by_ctrl_c() -> None:
    """After an unhandled KeyboardInterrupt, let the process still end by SIGINT, as it would without us.

    CPython remembers the interrupt only until code is compiled and run again (`run_eval_code_obj` in Python/pythonrun.c),
    and an import on another thread may do that while the interpreter ends. So we raise the interrupt again.
    """
    if getattr(sys, "last_type", None) is KeyboardInterrupt and not hasattr(sys, "ps1"):
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")  # noqa: S102
