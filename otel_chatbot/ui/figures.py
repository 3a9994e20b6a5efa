"""Turns figures into rows: one row per series, and a new sample only if its value has changed.

Fed by `ui.ingest` (points of OTLP metrics) and `ui.sources` (families of a run's merged view); feeds `ui.store`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from ..metrics.view import Family
from ..semconv.spec import Kind
from .otlp import attributes_of
from .rows import Batch, clip, number, whole

_MOST_SERIES: Final = 20_000
"""The most series that are known at the same time; further series are not kept."""
_DELTA: Final = 1
_SAME_READING: Final = 200_000_000
"""Figures of one resource within so many nanoseconds belong to one reading."""
_RENEWED_GAUGE: Final = 60 * 10**9
"""Nanoseconds after which an unchanged gauge is written again: without that, readers take it for gone."""
_RENEWED: Final = 3600 * 10**9
"""The same for counters and histograms: old rows are removed, but an unchanged total is still valid."""
_KINDS: Final = {"sum": Kind.COUNTER, "gauge": Kind.GAUGE, "histogram": Kind.HISTOGRAM}


@dataclass(slots=True)
class Figure:
    """One point with its metric and attributes. `start`: when its counting began, in unix nanoseconds; 0: unknown."""

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: Mapping[str, Any]
    start: int
    at: int
    value: float
    count: int = 0
    edges: tuple[float, ...] = ()
    buckets: list[int] = field(default_factory=list)
    exemplars: list[tuple[float, float, str]] = field(default_factory=list)
    """The value, the unix time and the trace of each."""


class Recorder:
    """Turns figures into rows and remembers the last value of each series."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[int, tuple[float, int, list[int], int]] = {}
        self._readings: dict[int, tuple[int, int]] = {}
        self._begun = time.time_ns()

    def add(self, figure: Figure, resource: int, batch: Batch, *, delta: bool = False) -> None:
        """Add a figure; `delta`: it only holds the increase since the last one."""
        attributes = orjson.dumps(figure.attributes, option=orjson.OPT_SORT_KEYS).decode()
        counts = figure.kind in (Kind.COUNTER, Kind.HISTOGRAM) and not delta
        # A count that starts again (after a restart of the app; for deltas, of the viewer) is a new series: no series falls.
        began = figure.start if counts else self._begun if delta else 0
        identity = number(f"{resource} {figure.name} {figure.kind.value} {began} {figure.edges} {attributes}")
        with self._lock:
            known = self._said.get(identity)
            if known is None and len(self._said) >= _MOST_SERIES:
                return
            if delta and known is not None:
                figure.value += known[0]
                figure.count += known[1]
                figure.buckets = [x + y for x, y in zip(figure.buckets, known[2], strict=False)]
            before = self._reading_before(resource, figure.at)
            said = (figure.value, figure.count, figure.buckets, figure.at)
            renewed = known is not None and figure.at - known[3] >= (_RENEWED if counts else _RENEWED_GAUGE)
            if known is not None and said[:3] == known[:3] and not renewed:
                return
            self._said[identity] = said
        if known is None or renewed:
            edges = orjson.dumps(figure.edges).decode()
            batch.series[identity] = (
                identity, figure.name, figure.kind.value, figure.unit, figure.description, attributes, resource, figure.start,
                edges,
            )  # fmt: skip
            if counts and known is None and before > figure.start:  # it did not exist then: it has grown from 0 since
                nothing = orjson.dumps([0] * len(figure.buckets)).decode() if figure.buckets else None
                batch.samples.append((identity, before, 0.0, 0, nothing, None))
        batch.samples.append((
            identity, figure.at, figure.value, figure.count,
            orjson.dumps(figure.buckets).decode() if figure.buckets else None,
            orjson.dumps(figure.exemplars).decode() if figure.exemplars else None,
        ))  # fmt: skip

    def _reading_before(self, resource: int, at: int) -> int:
        """The time of the resource's last reading before this one; 0: none."""
        before, now = self._readings.get(resource, (0, 0))
        if at >= now + _SAME_READING:
            before, now = self._readings[resource] = (now, at)
        return before


def add_metrics(message: ExportMetricsServiceRequest, recorder: Recorder, batch: Batch) -> None:
    """Add the points of a message. Summaries and exponential histograms are shown as their count and sum."""
    for group in message.resource_metrics:
        resource = batch.resource(attributes_of(group.resource.attributes))
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                form = metric.WhichOneof("data")
                if form is None:
                    continue
                data = getattr(metric, form)
                delta = getattr(data, "aggregation_temporality", 0) == _DELTA
                for point in data.data_points:
                    recorder.add(_figure(metric, form, data, point), resource, batch, delta=delta)


def _figure(metric: Any, form: str, data: Any, point: Any) -> Figure:
    kind = _KINDS.get(form, Kind.HISTOGRAM)
    if form == "sum" and not data.is_monotonic:
        kind = Kind.UP_DOWN_COUNTER
    figure = Figure(
        clip(metric.name), kind, clip(metric.unit), clip(metric.description), attributes_of(point.attributes),
        whole(point.start_time_unix_nano), whole(point.time_unix_nano), 0.0,
    )  # fmt: skip
    if kind is Kind.HISTOGRAM:
        figure.value, figure.count = float(point.sum), whole(point.count)
        if form == "histogram":
            figure.edges, figure.buckets = tuple(point.explicit_bounds), [whole(count) for count in point.bucket_counts]
    else:
        which = point.WhichOneof("value")
        figure.value = float(getattr(point, which)) if which else 0.0
    if form != "summary":
        figure.exemplars = [
            (float(getattr(one, one.WhichOneof("value") or "as_double")), one.time_unix_nano / 1e6, one.trace_id.hex())
            for one in point.exemplars
            if one.trace_id
        ]
    return figure


def add_families(families: list[Family], start: int, at: int, resource: int, recorder: Recorder, batch: Batch) -> None:
    """Add the figures of a run's merged view at a moment."""
    for family in families:
        spec = family.spec
        for point in family.points:
            recorder.add(
                Figure(spec.name, spec.kind, spec.unit, spec.description, point.attributes, start, at, point.value),
                resource,
                batch,
            )
        for histogram in family.histograms:
            exemplars = [(one.value, one.time * 1e3, f"{one.trace_id:032x}") for one in histogram.exemplars if one is not None]
            recorder.add(
                Figure(
                    spec.name, spec.kind, spec.unit, spec.description, histogram.attributes, start, at, histogram.sum,
                    histogram.count, spec.buckets, histogram.counts, exemplars,
                ), resource, batch,
            )  # fmt: skip
