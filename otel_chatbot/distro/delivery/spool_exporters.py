"""The exporters of spans, log records and metrics over OTLP/HTTP: encoded, redacted in the same pass, and put into the spool.

Fed by the batch processors of `providers.lazy_processors` and by `distro.metrics.export`, on their threads; feeds
`delivery.transport`. An export is only a write to the disk, so it always reports success; `transport` counts what is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ... import config
from ..._guard import report
from ...logs.redaction import Redactor
from ...metrics.record import dropped
from ...semconv.attributes import DropReason, Signal
from .encoding.attributes import Attributes
from .encoding.logs import encode_logs
from .encoding.metrics import NotCoveredError, encode_metrics
from .encoding.traces import encode_spans
from .transport import ToSpool, to_spool

_T = TypeVar("_T")
_R = TypeVar("_R")


class _SpoolExporter(Generic[_T, _R]):
    """Encodes batches of one signal. An item that cannot be encoded is found by halving, and counted; the rest is sent."""

    _signal: ClassVar[Signal]
    _encode: Callable[[Sequence[_T], Attributes], bytes]
    _success: _R

    def __init__(self, way: ToSpool) -> None:
        self._way = way
        self._attributes = Attributes(Redactor.from_settings(config.current()))

    def export(self, batch: Sequence[_T]) -> _R:
        """Encode the batch and keep it on disk."""
        self._deliver(batch)
        return self._success

    def _deliver(self, batch: Sequence[_T]) -> None:
        try:
            request = self._encode(batch, self._attributes)
        except Exception as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                self._deliver(batch[:middle])
                self._deliver(batch[middle:])
                return
            report(f"encoding {self._signal.value}", error)
            dropped(self._signal, DropReason.EXPORT_FAILED, len(batch))
            return
        self._way.deliver(request)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - upstream's signature
        """Nothing is kept back here."""
        return True

    def shutdown(self) -> None:
        """The sender outlives the exporters: it is closed last."""


class SpoolSpanExporter(_SpoolExporter[ReadableSpan, SpanExportResult], SpanExporter):
    """Spans to the spool, redacted."""

    _signal = Signal.TRACES
    _encode = staticmethod(encode_spans)
    _success = SpanExportResult.SUCCESS


class SpoolLogExporter(_SpoolExporter[ReadableLogRecord, LogRecordExportResult], LogRecordExporter):
    """Log records to the spool, redacted."""

    _signal = Signal.LOGS
    _encode = staticmethod(encode_logs)
    _success = LogRecordExportResult.SUCCESS


class SpoolMetricExporter(MetricExporter):
    """Metrics to the spool. Kinds that the package never makes are left to upstream's encoder."""

    def __init__(self, way: ToSpool) -> None:
        super().__init__()
        self._way = way
        self._attributes = Attributes(None)

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> MetricExportResult:  # noqa: ARG002
        """Encode a view and keep it on disk."""
        try:
            request = encode_metrics(metrics_data, self._attributes)
        except NotCoveredError:
            from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics as upstream

            request = upstream(metrics_data).SerializeToString()
        self._way.deliver(request)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002
        """Nothing is kept back here."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """The sender outlives the exporters: it is closed last."""


_EXPORTERS: dict[Signal, Callable[[ToSpool], Any]] = {
    Signal.TRACES: SpoolSpanExporter,
    Signal.METRICS: SpoolMetricExporter,
    Signal.LOGS: SpoolLogExporter,
}


def spool_exporter(signal: Signal) -> Any:
    """The exporter of a signal to the endpoint that the environment names."""
    return _EXPORTERS[signal](to_spool(signal))
