"""Metrics as the bytes of an `ExportMetricsServiceRequest`: sums, gauges and histograms with explicit buckets.

Fed by the metric exporter of `delivery.spool_exporters`. Nothing is redacted: attributes of metrics are listed in
`semconv.metrics`, or an instrument's author chose them. Source: opentelemetry/proto/metrics/v1/metrics.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import Gauge, Histogram, HistogramDataPoint, Metric, MetricsData, NumberDataPoint, Sum

from .attributes import Attributes
from .wire import DOUBLE, FIXED64, field, number_field, text_field, varint

_SIGNED: Final = struct.Struct("<q")


class NotCoveredError(TypeError):
    """A kind of metric that this encoder does not write (an exponential histogram): upstream's encoder does."""


def encode_metrics(data: MetricsData, attributes: Attributes) -> bytes:
    """The metrics of a view. `NotCoveredError` for a kind of metric that the package itself never makes."""
    out = []
    for group in data.resource_metrics:
        inner = [attributes.resource(group.resource)]
        for scoped in group.scope_metrics:
            metrics = [field(b"\x12", _metric(metric, attributes)) for metric in scoped.metrics]
            url = text_field(b"\x1a", scoped.scope.schema_url)
            inner.append(field(b"\x12", attributes.scope(scoped.scope) + b"".join(metrics) + url))
        inner.append(text_field(b"\x1a", group.resource.schema_url))
        out.append(field(b"\x0a", b"".join(inner)))
    return b"".join(out)


def _metric(metric: Metric, attributes: Attributes) -> bytes:
    head = text_field(b"\x0a", metric.name) + text_field(b"\x12", metric.description) + text_field(b"\x1a", metric.unit)
    data = metric.data
    if not data.data_points:  # upstream sets the field with the first point
        return head
    if isinstance(data, Sum):
        points = [field(b"\x0a", _number(point, attributes)) for point in data.data_points]
        tail = number_field(b"\x10", data.aggregation_temporality) + (b"\x18\x01" if data.is_monotonic else b"")
        return head + field(b"\x3a", b"".join(points) + tail)
    if isinstance(data, Gauge):
        points = [field(b"\x0a", _number(point, attributes, start=False)) for point in data.data_points]
        return head + field(b"\x2a", b"".join(points))
    if isinstance(data, Histogram):
        points = [field(b"\x0a", _histogram(point, attributes)) for point in data.data_points]
        return head + field(b"\x4a", b"".join(points) + number_field(b"\x10", data.aggregation_temporality))
    raise NotCoveredError(type(data).__name__)


def _number(point: NumberDataPoint, attributes: Attributes, *, start: bool = True) -> bytes:
    out = _times(point, start=start)
    if isinstance(point.value, int):
        out += (b"\x31", _SIGNED.pack(point.value))
    else:
        out += (b"\x21", DOUBLE.pack(point.value))
    _exemplars(b"\x2a", point.exemplars, attributes, out)
    attributes.encode(b"\x3a", point.attributes, out)
    return b"".join(out)


def _histogram(point: HistogramDataPoint, attributes: Attributes) -> bytes:
    out = _times(point)
    if point.count:
        out += (b"\x21", FIXED64.pack(point.count))
    out += (b"\x29", DOUBLE.pack(point.sum))
    counts, bounds = point.bucket_counts, point.explicit_bounds
    if counts:
        out += (b"\x32", varint(8 * len(counts)), struct.pack(f"<{len(counts)}Q", *counts))
    if bounds:
        out += (b"\x3a", varint(8 * len(bounds)), struct.pack(f"<{len(bounds)}d", *bounds))
    _exemplars(b"\x42", point.exemplars, attributes, out)
    attributes.encode(b"\x4a", point.attributes, out)
    if point.min is not None:
        out += (b"\x59", DOUBLE.pack(point.min))
    if point.max is not None:
        out += (b"\x61", DOUBLE.pack(point.max))
    return b"".join(out)


def _times(point: NumberDataPoint | HistogramDataPoint, *, start: bool = True) -> list[bytes]:
    out: list[bytes] = []
    if start and point.start_time_unix_nano:
        out += (b"\x11", FIXED64.pack(point.start_time_unix_nano))
    if point.time_unix_nano:
        out += (b"\x19", FIXED64.pack(point.time_unix_nano))
    return out


def _exemplars(tag: bytes, exemplars: Sequence[Exemplar], attributes: Attributes, out: list[bytes]) -> None:
    out.extend(field(tag, _exemplar(exemplar, attributes)) for exemplar in exemplars)


def _exemplar(exemplar: Exemplar, attributes: Attributes) -> bytes:
    out: list[bytes] = []
    if exemplar.time_unix_nano:
        out += (b"\x11", FIXED64.pack(exemplar.time_unix_nano))
    if isinstance(exemplar.value, float):
        out += (b"\x19", DOUBLE.pack(exemplar.value))
    else:
        out += (b"\x31", _SIGNED.pack(exemplar.value))
    if exemplar.span_id is not None and exemplar.trace_id is not None:
        out += (b"\x22\x08", exemplar.span_id.to_bytes(8, "big"), b"\x2a\x10", exemplar.trace_id.to_bytes(16, "big"))
    attributes.encode(b"\x3a", exemplar.filtered_attributes, out)
    return b"".join(out)
