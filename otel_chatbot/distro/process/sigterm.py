"""Sends the telemetry of a process at SIGTERM. Without a handler of the app, the process then ends by the signal, as usual.

Fed by the kernel; feeds `distro.process.shutdown`. Python ends at SIGTERM without its exit hooks, so a handler is needed. The
application does not see ours: `signal.getsignal` answers what would be there without us. If the application sets the
default (a server that has shut down and raises the signal again, say), our handler is set instead.
"""

from __future__ import annotations

import _thread
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from ... import config
from .servers import in_greenlets, is_a_workers
from .shutdown import Shutdown

_MOST_WAIT = 1.0
"""Seconds for which the interrupted code waits. It may hold a lock that the flush needs, so then it must go on."""


class Sigterm:
    """The handler of a process and of its forked children."""

    def __init__(self, shutdown: Shutdown) -> None:
        self._shutdown = shutdown
        self._shown: Any = signal.SIG_DFL
        """The handler that the application has set, while ours is installed."""
        # Process ids, not flags: a forked child starts over.
        self._ending = 0
        self._flushed = 0
        self._raised = 0
        self._set: Callable[[int, Any], Any] = signal.signal
        self._get: Callable[[int], Any] = signal.getsignal

    def install(self) -> None:
        """Handle SIGTERM unless it is ignored or a gunicorn worker handles it: a worker ends through the exit hooks.

        An earlier handler of the application is called after a flush, because it may end the process at once. Nothing is
        closed before it: it may also let the running requests finish.
        """
        if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
            return
        previous = signal.getsignal(signal.SIGTERM)
        if previous in (signal.SIG_IGN, None) or is_a_workers(previous):
            return
        self._set, self._get = signal.signal, signal.getsignal
        self._shown = previous
        self._set(signal.SIGTERM, self._on_sigterm)
        signal.signal = self._hidden_set(signal.signal)
        signal.getsignal = self._hidden_get(signal.getsignal)

    def _hidden_set(self, original: Callable[[int, Any], Any]) -> Any:
        @functools.wraps(original)
        def set_handler(signalnum: int, handler: Any) -> Any:
            if signalnum != signal.SIGTERM:
                return original(signalnum, handler)
            default = handler == signal.SIG_DFL
            before = self._seen(original(signalnum, self._on_sigterm if default else handler))
            if default:
                self._shown = signal.SIG_DFL
            return before

        return set_handler

    def _hidden_get(self, original: Callable[[int], Any]) -> Any:
        @functools.wraps(original)
        def get_handler(signalnum: int) -> Any:
            return self._seen(original(signalnum))

        return get_handler

    def _seen(self, handler: Any) -> Any:
        return self._shown if handler == self._on_sigterm else handler

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        here = os.getpid()
        if callable(self._shown):
            self._flush_before(self._shown, number, frame)
        elif self._flushed == here:
            self._die()
        elif self._ending != here:
            self._ending = here
            if _is_the_callers(frame):
                self._raised = here
            else:  # the app's handler called ours as its predecessor: it has run, and must not run again
                self._set(number, self._on_sigterm)
            self._flush()

    def _flush(self) -> None:
        """Start a thread that flushes and ends the process, and wait a little for it."""
        if self._shutdown.begun:  # the interpreter ends already: `end_as_asked` comes
            return
        done = _thread.allocate_lock()
        done.acquire()

        def flush() -> None:
            self._shutdown.run()
            self._flushed = os.getpid()
            done.release()
            os.kill(os.getpid(), signal.SIGTERM)

        _thread.start_new_thread(flush, ())
        # Under gevent, signals arrive in the hub, which must not wait.
        if not in_greenlets() and done.acquire(timeout=_MOST_WAIT):
            self._die()

    def end_as_asked(self) -> None:
        """At the end of the interpreter: end by SIGTERM if that was received, whatever the code has done since."""
        if self._raised == os.getpid():
            self._die()

    def _die(self) -> None:
        self._set(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

    def _flush_before(self, handler: Callable[..., object], number: int, frame: FrameType | None) -> None:
        if in_greenlets():

            def both() -> None:
                self._shutdown.flush()
                handler(number, frame)

            _thread.start_new_thread(both, ())
            return
        worker = threading.Thread(target=self._shutdown.flush, name="otel-chatbot-flush", daemon=True)
        worker.start()
        worker.join(config.current().shutdown_timeout)
        handler(number, frame)


def _is_the_callers(frame: FrameType | None) -> bool:
    """Whether the interpreter has called our handler, and not a handler of the application."""
    return frame is None or sys._getframe(2) is frame
