"""Flushes a provider that is not ours (from the application, another tool, OTEL_CONFIG_FILE) when ours shut down.

Fed by `distro.steps`; feeds `distro.process.shutdown`. At an ordinary end such a provider closes itself with its own exit
hook, but Python skips exit hooks at a signal.
"""

from __future__ import annotations

import _thread
import threading
from typing import Protocol

from ... import config
from ..._clock import monotonic
from ..._guard import never_raise


class Provider(Protocol):
    """One of the SDK's providers."""

    def force_flush(self, timeout_millis: int = ..., /) -> object:
        """Export what is there."""


class Adopted:
    """Flushes a provider, but does not shut it down."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._flushed = threading.Event()

    @never_raise
    def flush(self, deadline: float) -> None:
        """Export what is there, on this thread."""
        self._provider.force_flush(max(1, round(1000 * (deadline - monotonic()))))

    def begin_shutdown(self) -> None:
        """Begin to export on a thread: an exporter that is not ours may take longer than the budget."""
        self._flushed = threading.Event()
        try:
            _thread.start_new_thread(self._run, (self._flushed, monotonic() + config.current().shutdown_timeout))
        except RuntimeError:  # the interpreter ends, and their own exit hook comes next
            self._flushed.set()

    def _run(self, flushed: threading.Event, deadline: float) -> None:
        try:
            self.flush(deadline)
        finally:
            flushed.set()

    def finish_shutdown(self, deadline: float) -> None:
        """Wait for that until `deadline` (of `time.monotonic`)."""
        self._flushed.wait(max(0.0, deadline - monotonic()))

    def abandon(self) -> None:
        """Do nothing: such a provider ends itself."""
