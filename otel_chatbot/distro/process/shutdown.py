"""The end of a process: all signals shut down side by side, within one budget, at exit and at SIGTERM.

Fed by `distro.steps`, which registers what has to be closed; the interpreter starts it, and `distro.process.sigterm`. Whoever
comes second waits for the first, or the process would end under it.
Everything that exports has a thread of its own already: none is started here, because from Python 3.12 on
an interpreter that is shutting down refuses to.
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
        """Call something short that is to be exported, and not at all when the end has begun: then nothing takes it."""
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
        """Run when the interpreter ends; call `last` at the very end."""
        self._last = last
        atexit.register(self._at_exit)

    def _at_exit(self) -> None:
        self.run()
        if self._last is not None:
            self._last()
        _end_by_ctrl_c()


def _end_by_ctrl_c() -> None:
    """After an unhandled KeyboardInterrupt, have the process end by SIGINT still, as it would have without us.

    CPython forgets that it was one as soon as any text is compiled and run, which an import on another thread may do while
    the interpreter ends; it looks at the last such run (`run_eval_code_obj` in Python/pythonrun.c).
    """
    if getattr(sys, "last_type", None) is KeyboardInterrupt and not hasattr(sys, "ps1"):
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")  # noqa: S102
