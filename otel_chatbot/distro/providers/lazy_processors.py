"""Batch processors whose thread starts with the first span or record of a process, not at import.

`quick` says that an export is only a write to the disk. Then a server's master exports without a thread, and so does every
process after the shutdown: a server may answer its last requests during or after it.

Fed by the providers; feeds the exporters. A thread that exists before a server forks can make the forked workers hang.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import TraceFlags

from ... import config
from ..._clock import monotonic
from ..._fork import at_fork
from ...metrics.record import dropped
from ...semconv.attributes import DropReason, Signal
from .. import sdk_private, sdk_shortcuts
from ..batch_queue import CountingQueue
from ..process.fork_safety import forget_lock, late_lock
from ..process.servers import in_greenlets, too_early

_B = TypeVar("_B", bound=sdk_private.Batch)
_WARN_EVERY: Final = 300.0

_logger = logging.getLogger("otel_chatbot")


def _to_nobody(_item: object) -> None:
    """Stands in until there is a processor."""


class LazyBatch(Generic[_B]):
    """Makes a batch processor when it is first needed, ends it within a deadline, and counts dropped items."""

    def __init__(self, signal: Signal, make: Callable[[], _B], *, quick: bool = False) -> None:
        self.signal = signal
        self._quick = quick
        self._make = make
        self._made: _B | None = None
        self.emit: Callable[[Any], None] = _to_nobody
        """The function that puts an item into the queue of the processor."""
        self._queue: CountingQueue | None = None
        self._closed = False
        self._silent = False
        self._warned = -_WARN_EVERY
        sdk_private.wait_for_no_thread_after_a_fork()
        at_fork(__name__, in_child=self._after_fork)

    def _after_fork(self) -> None:
        # The batch processor itself is renewed by the SDK: an empty queue, a thread of this process.
        forget_lock(self)
        if in_greenlets():
            self._made = self._queue = None  # made anew with the child's first item
        if self._queue is not None:
            self._queue.renew()

    def get(self) -> _B | None:
        """The processor for an item, made now if need be; None after the end: then the item is dropped and counted."""
        if self._made is None and not self._closed:
            with late_lock(self):
                if self._made is None and not self._closed:
                    made = self._make()
                    self._queue = sdk_private.count_pushed_out(made, self._pushed_out)
                    self.emit = sdk_shortcuts.emit_of(made)
                    self._made = made
        if not self._closed:
            return self._made
        if not self._silent:
            dropped(self.signal, DropReason.SHUTDOWN)
        return None

    @property
    def at_once(self) -> bool:
        """Whether an item is to be exported without this processor's thread."""
        return self._quick and (too_early() or (self._closed and not self._silent))

    def _pushed_out(self) -> None:
        dropped(self.signal, DropReason.QUEUE_FULL)
        now = monotonic()
        if now - self._warned >= _WARN_EVERY:
            self._warned = now
            _logger.warning("the queue of %s is full: the oldest are dropped and counted", self.signal.value)

    def begin_shutdown(self) -> None:
        """Take nothing more and export what is queued, on the processor's own thread; returns at once."""
        self._closed = True
        if self._made is not None:
            sdk_private.begin_shutdown(self._made)

    def finish_shutdown(self, deadline: float) -> None:
        """Wait for that until `deadline` (of `time.monotonic`); what is left then is dropped and counted."""
        if self._made is not None:
            left = sdk_private.finish_shutdown(self._made, deadline, keep_exporter=self._quick)
            if left:
                dropped(self.signal, DropReason.SHUTDOWN, left)

    def abandon(self) -> None:
        """Drop what is queued and take nothing more, without a count."""
        self._closed = self._silent = True
        if self._made is not None:
            sdk_private.abandon(self._made)

    def shutdown(self) -> None:
        """Both steps, if the provider is shut down by other code."""
        if not self._closed:
            self.begin_shutdown()
            self.finish_shutdown(monotonic() + config.current().shutdown_timeout)

    def flush(self, deadline: float = 0.0) -> bool:  # noqa: ARG002 - to the spool it takes no time
        """Export what is queued, on the caller's thread."""
        return self._made is None or self._closed or bool(self._made.force_flush())


class LazySpanProcessor(SpanProcessor):
    """A `BatchSpanProcessor` that is made with the first span; see `quick` for spans in a master and after the shutdown."""

    def __init__(self, exporter: SpanExporter, *, quick: bool = False) -> None:
        self.exporter = exporter
        self.batch: LazyBatch[BatchSpanProcessor] = LazyBatch(Signal.TRACES, lambda: BatchSpanProcessor(exporter), quick=quick)
        self._at_once = SimpleSpanProcessor(exporter)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing at a span's start."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a sampled span."""
        context: Any = span.get_span_context()
        if context is None or not context[3] & TraceFlags.SAMPLED:  # its flags, without the call of a property
            return
        batch = self.batch
        if batch.at_once:
            self._at_once.on_end(span)
        elif batch.get() is not None:
            batch.emit(span)

    def shutdown(self) -> None:
        """Export what is queued and take nothing more; the package's own shutdown has usually done it before."""
        self.batch.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Export what is queued."""
        return self.batch.flush()


class LazyLogProcessor(LogRecordProcessor):
    """A `BatchLogRecordProcessor` that is made with the first record; see `quick` for a master and after the shutdown."""

    def __init__(self, exporter: LogRecordExporter, *, quick: bool = False) -> None:
        self.exporter = exporter
        self.batch: LazyBatch[BatchLogRecordProcessor] = LazyBatch(
            Signal.LOGS, lambda: BatchLogRecordProcessor(exporter), quick=quick
        )
        self._at_once = SimpleLogRecordProcessor(exporter)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queue a record."""
        if self.batch.at_once:
            self._at_once.on_emit(log_record)
            return
        processor = self.batch.get()
        if processor is not None:
            processor.on_emit(log_record)

    def put(self, record: ReadableLogRecord) -> None:
        """Queue a record that nobody changes any more."""
        if self.batch.get() is not None:
            self.batch.emit(record)

    def shutdown(self) -> None:
        """Export what is queued and take nothing more; the package's own shutdown has usually done it before."""
        self.batch.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002
        """Export what is queued."""
        return self.batch.flush()
