"""Turns the merged view into OpenTelemetry's `MetricsData`, for the export by OTLP.

Fed by `metrics.view.read()`; feeds the metric exporters of `distro.metrics.export`. Pure: no clock, no lock, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.sdk.metrics import Exemplar as SdkExemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from ...metrics.view import Exemplar, Family, HistogramPoint
from ...semconv.spec import Kind
from ..delivery.otlp_values import fit

_CUMULATIVE = AggregationTemporality.CUMULATIVE
_NANO = 1_000_000_000


def metrics_data(
    families: Iterable[Family], resource: Resource, scope: InstrumentationScope, start: int, now: int
) -> MetricsData:
    """Families as one `MetricsData`, all cumulative. `start` (of the app's run) and `now` are unix nanoseconds.

    Histograms without an observation and families without a point are left out.
    """
    metrics = [metric for family in families if (metric := _metric(family, start, now))]
    scopes = [ScopeMetrics(scope, metrics, scope.schema_url or "")] if metrics else []
    return MetricsData([ResourceMetrics(resource, scopes, resource.schema_url)] if scopes else [])


def _metric(family: Family, start: int, now: int) -> Metric | None:
    spec = family.spec
    name, description, unit = fit(spec.name), fit(spec.description), fit(spec.unit)
    if spec.kind is Kind.HISTOGRAM:
        seen = [_histogram(point, spec.buckets, start, now) for point in family.histograms if point.count]
        return Metric(name, description, unit, Histogram(seen, _CUMULATIVE)) if seen else None
    points = [NumberDataPoint(fit(point.attributes), start, now, point.value) for point in family.points]
    if not points:
        return None
    if spec.kind is Kind.GAUGE:
        return Metric(name, description, unit, Gauge(points))
    return Metric(name, description, unit, Sum(points, _CUMULATIVE, spec.kind is Kind.COUNTER))


def _histogram(point: HistogramPoint, edges: tuple[float, ...], start: int, now: int) -> HistogramDataPoint:
    # min and max of a cumulative stream say little and cannot be merged over recycled workers. OTLP makes them optional,
    # so they are left out: the edges of the outermost filled buckets would be a guess.
    return HistogramDataPoint(
        attributes=fit(point.attributes),
        start_time_unix_nano=start,
        time_unix_nano=now,
        count=point.count,
        sum=point.sum,
        bucket_counts=point.counts,
        explicit_bounds=edges,
        min=None,  # type: ignore[arg-type]
        max=None,  # type: ignore[arg-type]
        exemplars=[_exemplar(exemplar) for exemplar in point.exemplars if exemplar],
    )


def _exemplar(exemplar: Exemplar) -> SdkExemplar:
    return SdkExemplar({}, exemplar.value, int(exemplar.time * _NANO), exemplar.span_id, exemplar.trace_id)
