"""Reads other libraries' instruments (the application's own meters, say) from the SDK into the store.

Fed by an SDK meter provider; feeds `metrics.mirror`, so that these figures are merged over the workers and exported with ours.
"""

from __future__ import annotations

import json
import logging
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.metrics import Exemplar as SdkExemplar
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Gauge, Histogram, Metric, MetricReader, MetricsData, Sum

from ..._fork import at_fork
from ...metrics.mirror import mirror
from ...metrics.series import Value
from ...metrics.view import Exemplar, Family, HistogramPoint, Point
from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.spec import Kind, MetricSpec
from .. import sdk_private
from ..instrumentations import INSTRUMENTATIONS

SCOPE: Final = "otel_chatbot"
"""The scope of our own observable instruments, which are never mirrored."""
_DROPPED: Final = frozenset({a.OPENAI_FINGERPRINT, a.OPENAI_RESPONSE_TIER, a.OPENAI_REQUEST_TIER})
"""Attributes that OpenAI's instrumentation puts on metrics and that have unlimited values."""
_COUNTED_BY_US: Final = frozenset(
    {m.GEN_AI_DURATION.name, m.GEN_AI_TOKENS.name, m.GEN_AI_FIRST_CHUNK.name, m.GEN_AI_CHUNK.name}
)
"""Metrics of the openai client's calls that other tools may measure too: ours are used."""
_NANO: Final = 1_000_000_000

_logger = logging.getLogger("otel_chatbot")


class MirrorReader(MetricReader):
    """Reads everything but our own scope, cumulative, whenever it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self._provider: MeterProvider | None = None
        self._left_out: set[str] = set()
        self._found: list[Family] = []
        self._parts: list[MirrorReader] = [self]
        at_fork(__name__, in_child=self._found_nothing)

    def _found_nothing(self) -> None:
        """In a forked child, forget the parent's figures: the next reading may find nothing and so replace nothing."""
        self._found = []

    def watch(self, provider: MeterProvider) -> None:
        """Read this provider from now on; the reader is registered on it."""
        self._provider = provider

    def add(self, other: MirrorReader) -> None:
        """Copy the figures of another reader, on a provider of its own, along with these."""
        self._parts.append(other)

    def refresh(self) -> bool:
        """Copy the figures now; False, and cheap, while no other library has an instrument."""
        used = sum(part.read() for part in self._parts)
        if used:
            mirror([found for part in self._parts for found in part._found])
        return bool(used)

    def read(self) -> bool:
        """Read this reader's own provider; False if it has no instruments but ours."""
        if self._provider is None or not sdk_private.has_instruments(self._provider, besides=SCOPE):
            return False
        self.collect()
        return True

    def _receive_metrics(self, metrics_data: MetricsData, *_: Any, **__: Any) -> None:
        self._found = list(self._families(metrics_data))

    def _families(self, data: MetricsData) -> Iterator[Family]:
        for group in data.resource_metrics:
            for scope in group.scope_metrics:
                if scope.scope.name != SCOPE:
                    for metric in scope.metrics:
                        found = family(metric)
                        if found is not None:
                            yield _without_ours(found, scope.scope.name)
                        elif metric.name not in self._left_out:
                            self._left_out.add(metric.name)
                            _logger.warning(
                                "metric %r is an exponential histogram, which workers cannot add up here; it is left out",
                                metric.name,
                            )

    def shutdown(self, *_: Any, **__: Any) -> None:
        """Copy a last time; the export that follows sends it."""
        self.refresh()


def _without_ours(found: Family, scope: str) -> Family:
    """A family without the calls that our instrumentation of the openai client has measured itself."""
    if found.spec.name not in _COUNTED_BY_US or "genai" not in INSTRUMENTATIONS.active:
        return found
    if "openai" in scope.lower():  # only this client's scope: its provider attribute may name the endpoint's owner
        return Family(found.spec, found.points, [])
    return Family(found.spec, found.points, [point for point in found.histograms if not _is_openai(point.attributes)])


def _is_openai(attributes: Mapping[str, Value]) -> bool:
    provider = attributes.get(a.GEN_AI_PROVIDER) or attributes.get(a.GEN_AI_SYSTEM)
    return isinstance(provider, str) and provider.lower() == "openai"


def family(metric: Metric) -> Family | None:
    """One instrument's figures as the view has them; None for an exponential histogram."""
    data = metric.data
    if isinstance(data, Histogram):
        # 1 and 1.0 would be two labels. Workers must agree on one, and the files that they share hold floats.
        edges = tuple(map(float, data.data_points[0].explicit_bounds)) if data.data_points else ()
        points = [
            HistogramPoint(_attributes(p.attributes), p.sum, list(p.bucket_counts), _exemplars(p.exemplars, edges))
            for p in data.data_points
        ]
        return Family(_spec(metric, Kind.HISTOGRAM, edges), [], points)
    if isinstance(data, (Sum, Gauge)):
        numbers = [Point(_attributes(p.attributes), p.value) for p in data.data_points]
        if isinstance(data, Gauge):
            return Family(_spec(metric, Kind.GAUGE), numbers)
        return Family(_spec(metric, Kind.COUNTER if data.is_monotonic else Kind.UP_DOWN_COUNTER), numbers)
    return None


def _spec(metric: Metric, kind: Kind, edges: tuple[float, ...] = ()) -> MetricSpec:
    return MetricSpec(metric.name, kind, metric.unit or "", metric.description or "", (), edges)


def _attributes(attributes: Any) -> dict[str, Value]:
    return {str(name): _value(value) for name, value in (attributes or {}).items() if name not in _DROPPED}


def _value(value: Any) -> Value:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):  # as OpenTelemetry's Prometheus exporter writes them
        return json.dumps(value, default=str, ensure_ascii=False)
    return value if isinstance(value, (str, int)) else str(value)


def _exemplars(exemplars: Sequence[SdkExemplar], edges: tuple[float, ...]) -> list[Exemplar | None]:
    by_bucket: list[Exemplar | None] = [None] * (len(edges) + 1)
    for one in exemplars:
        if one.trace_id and one.span_id:
            seconds = one.time_unix_nano / _NANO
            by_bucket[bisect_left(edges, one.value)] = Exemplar(one.value, one.trace_id, one.span_id, seconds)
    return by_bucket
