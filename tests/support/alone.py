"""A store of its own with its view and mirror, in memory: for tests of figures without any process beside."""

from __future__ import annotations

from otel_chatbot.metrics.mirror import Mirror
from otel_chatbot.metrics.shared.compaction import Reader
from otel_chatbot.metrics.shared.run import Run
from otel_chatbot.metrics.shared.segment import MemorySegment
from otel_chatbot.metrics.store import CounterSeries, Store
from otel_chatbot.metrics.view import Family, View
from otel_chatbot.semconv.spec import MetricSpec


class NoFolder(Run):
    def directory(self):
        return None


class Alone:
    """A store with its view, in memory."""

    def __init__(self, limit: int = 2000) -> None:
        self.store = Store(MemorySegment, limit)
        self.view = View(self.store, Reader(NoFolder()))
        self.mirror = Mirror(self.store)

    def families(self) -> dict[str, Family]:
        return {family.spec.name: family for family in self.view.read()}

    def points(self, spec: MetricSpec) -> dict[tuple[tuple[str, object], ...], float]:
        return {tuple(p.attributes.items()): p.value for p in self.families()[spec.name].points}

    def counter(self, spec: MetricSpec, attributes: dict[str, object] | None = None) -> CounterSeries:
        series = self.store.instrument(spec).labels(attributes)
        assert isinstance(series, CounterSeries)
        return series
