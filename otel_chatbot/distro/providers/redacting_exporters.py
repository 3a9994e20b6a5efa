"""Span and log exporters that redact, on the export's thread, before the real exporter gets anything.

Fed by the batch processors of `distro.providers.global_providers`; feeds the real exporters, except those to the spool, which
redact themselves. The policy is `logs.redaction`. `Span.end()` freezes a span's attributes, and other processors may read the
same span, so copies are redacted.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Generic, TypeVar

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status

from ..._guard import report
from ...logs.errors import encodable
from ...logs.redaction import Redactor
from ...metrics.record import dropped
from ...semconv import attributes as a
from ...semconv.attributes import DropReason, Signal
from .. import sdk_shortcuts
from ..delivery.otlp_values import fit
from ..delivery.trace_file import TraceFileExporter

_T = TypeVar("_T")
_R = TypeVar("_R")
_CANNOT_BE_WRITTEN: Final = (ValueError, TypeError)
"""Errors of encoders for data that their format cannot hold. After an error of a connection, halves are not tried."""


class _RedactingExporter(Generic[_T, _R]):
    """Exports redacted copies of what one signal is made of. `_results`: success and failure, in the signal's own terms."""

    _signal: ClassVar[Signal]
    _redact: Callable[[_T, Redactor], _T]
    _results: tuple[_R, _R]

    def __init__(self, inner: Any, redactor: Redactor) -> None:
        self.inner = inner
        self._redactor = redactor

    def export(self, batch: Sequence[_T]) -> _R:
        """Redact and pass on; count what the real exporter does not take."""
        success, failure = self._results
        try:
            result: _R = self.inner.export([self._redact(one, self._redactor) for one in batch])
        except Exception as error:
            if isinstance(error, _CANNOT_BE_WRITTEN) and len(batch) > 1:  # then it takes no other with it
                middle = len(batch) // 2
                halves = {self.export(batch[:middle]), self.export(batch[middle:])}
                return failure if failure in halves else success
            result = failure
            report(f"{type(self.inner).__name__}.export", error)
        if result is failure and not isinstance(self.inner, TraceFileExporter):  # which counts itself
            dropped(self._signal, DropReason.EXPORT_FAILED, len(batch))
        return result

    def shutdown(self) -> None:
        """Shut the real exporter down."""
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the real exporter, where it can."""
        flush = getattr(self.inner, "force_flush", None)
        return bool(flush(timeout_millis)) if flush is not None else True


def redact_span(span: ReadableSpan, redactor: Redactor) -> ReadableSpan:
    """A redacted copy of an ended span; without a copy, the span itself, if a quick check finds nothing to mask."""
    status = span.status
    backwards = span.start_time is not None and span.end_time is not None and span.end_time < span.start_time
    plain = not (span.events or span.links or status.description or backwards)
    if plain and redactor.leaves(_copied(span.attributes)) and redactor.harmless(span.name):
        return sdk_shortcuts.readable(span)
    return ReadableSpan(
        name=encodable(redactor.text(span.name)),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_attributes(span.attributes, redactor),
        events=[
            Event(encodable(redactor.text(event.name)), _attributes(event.attributes, redactor), event.timestamp)
            for event in span.events
        ],
        links=[Link(link.context, _attributes(link.attributes, redactor)) for link in span.links],
        kind=span.kind,
        status=Status(status.status_code, encodable(redactor.text(status.description))) if status.description else status,
        start_time=span.start_time,
        end_time=span.start_time if backwards else span.end_time,  # the clock was set back meanwhile
        instrumentation_scope=span.instrumentation_scope,
    )


def _copied(attributes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The attributes as a dictionary, if there is a quick way: iterating over a span's own takes calls and a lock."""
    copied = getattr(attributes, "copy", None)
    return attributes or {} if copied is None else copied()


def redact_log(record: ReadableLogRecord, redactor: Redactor) -> ReadableLogRecord:
    """A redacted copy of a log record; its body may be a nested mapping."""
    clean = copy.copy(record.log_record)
    clean.body = fit(redactor.value("body", clean.body))
    clean.attributes = _attributes(clean.attributes, redactor)
    return ReadableLogRecord(
        log_record=clean, resource=record.resource, instrumentation_scope=record.instrumentation_scope, limits=record.limits
    )


def _attributes(attributes: Mapping[str, Any] | None, redactor: Redactor) -> dict[str, Any]:
    if not attributes:
        return {}
    kind = attributes.get(a.EXCEPTION_TYPE)
    return {encodable(name): fit(redactor.attribute(name, value, kind)) for name, value in attributes.items()}


class RedactingSpanExporter(_RedactingExporter[ReadableSpan, SpanExportResult], SpanExporter):
    """Exports redacted copies of spans: names, attributes, events, links and status."""

    _signal = Signal.TRACES
    _redact = staticmethod(redact_span)
    _results = SpanExportResult.SUCCESS, SpanExportResult.FAILURE


class RedactingLogExporter(_RedactingExporter[ReadableLogRecord, LogRecordExportResult], LogRecordExporter):
    """Exports redacted copies of log records: bodies and attributes."""

    _signal = Signal.LOGS
    _redact = staticmethod(redact_log)
    _results = LogRecordExportResult.SUCCESS, LogRecordExportResult.FAILURE
