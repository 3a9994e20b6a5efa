"""The figures for readers: one list of families, merged over the processes of the app.

Fed by `metrics.shared.compaction` (all processes of the run) and the gauges' automatic sources; feeds `/metrics`, `/metrics/json`
and the OTLP export. The result of `read` shares parts with later results: do not change it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, chain
from typing import Final

from .. import _guard
from ..semconv import metrics as m
from ..semconv.spec import Kind, MetricSpec
from . import record
from .series import Exemplar, Value
from .shared.compaction import READER, Reader
from .shared.merge import Catalogue, Slot, Sums, later
from .store import STORE, Store

__all__ = ["Exemplar", "Family", "HistogramPoint", "Point", "View", "merged", "read"]

_RANK: Final = {spec.name: rank for rank, spec in enumerate(m.CHATBOT)}


@dataclass(slots=True)
class Point:
    """A series of a counter or gauge. `attributes` lists only the present ones, by OpenTelemetry name."""

    attributes: dict[str, Value]
    value: float


@dataclass(slots=True)
class HistogramPoint:
    """A series of a histogram. `counts` has one count per bucket, not cumulative; the last one is beyond every edge."""

    attributes: dict[str, Value]
    sum: float
    counts: list[int]
    exemplars: list[Exemplar | None]

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self.counts)


@dataclass(slots=True)
class Family:
    """A metric and its series."""

    spec: MetricSpec
    points: list[Point] = field(default_factory=list)
    histograms: list[HistogramPoint] = field(default_factory=list)


class View:
    """Reads a store and the run that it belongs to."""

    def __init__(self, store: Store, reader: Reader) -> None:
        self._store = store
        self._reader = reader
        self.refreshers: list[Callable[[], object]] = []
        """Called before each reading: it copies the figures that other libraries count."""

    def read(self) -> list[Family]:
        """The families, the sixteen first and the others by name."""
        for refresh in self.refreshers:
            _guard.never_raise(refresh)()
        sums = self._reader.gather(self._store.attached)
        return merged(sums, self._reader.catalogue, self._from_start(), record.AUTOMATIC.sources)

    def _from_start(self) -> Iterable[MetricSpec]:
        own = (instrument.spec for instrument in list(self._store.instruments.values()))
        return {spec.name: spec for spec in chain(m.CHATBOT, own) if spec.from_start}.values()


def merged(
    sums: Sums, catalogue: Catalogue, from_start: Iterable[MetricSpec], sources: Mapping[str, record.GaugeSource]
) -> list[Family]:
    """The families of some sums: those `from_start` first at 0, gauges without a value from their automatic sources."""
    families = {spec.name: Family(spec) for spec in from_start}
    bare = dict(families)
    _add_counters(families, sums)
    _add_histograms(families, sums)
    _add_gauges(families, sums, catalogue.gauges, sources)
    for name, begun in bare.items():
        _add_bare(families[name], begun.spec)
    return sorted(families.values(), key=lambda family: (_RANK.get(family.spec.name, len(_RANK)), family.spec.name))


def _family(families: dict[str, Family], spec: MetricSpec) -> Family | None:
    """The family of a name, with the attributes of all that have it; None when it is of another kind."""
    family = families.get(spec.name)
    if family is None:
        family = families[spec.name] = Family(spec)
    known = family.spec
    if known is not spec and known.attributes != spec.attributes:
        added = tuple(name for name in spec.attributes if name not in known.attributes)
        if added:
            family.spec = replace(known, attributes=known.attributes + added)
    return family if known.kind is spec.kind else None


def _add_counters(families: dict[str, Family], sums: Sums) -> None:
    for slot, total in sums.counter_values():
        family = _family(families, slot.spec)
        if family is not None:
            family.points.append(Point(slot.attributes, total))


def _add_gauges(
    families: dict[str, Family], sums: Sums, slots: Iterable[Slot], sources: Mapping[str, record.GaugeSource]
) -> None:
    for slot in slots:
        value = sums.gauge(slot.number)
        family = _family(families, slot.spec) if value is not None else None
        if family is not None and value is not None:
            family.points.append(Point(slot.attributes, value))
    for name, source in list(sources.items()):
        spec = m.BY_NAME[name]
        family = _family(families, spec)
        if family is not None and not family.points:  # a value set by hand goes before the automatic source
            family.points += ask(spec, source)


def ask(spec: MetricSpec, source: record.GaugeSource) -> list[Point]:
    """The points from the automatic source of a gauge; none when it fails."""
    try:
        with record.own_traffic():
            values = source()
    except Exception as error:
        _guard.report(f"source of {spec.name}", error)
        return []
    return [
        Point({name: value for name, value in zip(spec.attributes, key, strict=False) if value is not None}, float(value))
        for key, value in values.items()
    ]


def _add_bare(family: Family, spec: MetricSpec) -> None:
    """Show the series without attributes at 0 until it is recorded."""
    if spec.kind is Kind.HISTOGRAM:
        if all(point.attributes for point in family.histograms):
            buckets = len(family.spec.buckets) + 1
            family.histograms.insert(0, HistogramPoint({}, 0.0, [0] * buckets, [None] * buckets))
    elif all(point.attributes for point in family.points):
        family.points.insert(0, Point({}, 0.0))


def _add_histograms(families: dict[str, Family], sums: Sums) -> None:
    strangers: dict[str, list[tuple[Slot, HistogramPoint]]] = {}
    for slot, figures in sums.histogram_values():
        family = _family(families, slot.spec)
        if family is None:
            continue
        exemplars = sums.exemplars.get(slot.number) or [None] * slot.buckets
        point = HistogramPoint(slot.attributes, figures[0], list(map(int, figures[1:])), exemplars)
        if slot.spec.buckets == family.spec.buckets:
            family.histograms.append(point)
        else:
            strangers.setdefault(slot.spec.name, []).append((slot, point))
    for name, others in strangers.items():
        _unify(families[name], others)


def _unify(family: Family, others: list[tuple[Slot, HistogramPoint]]) -> None:
    """Bring histograms of one name to their common edges. These are coarser, but the counts stay exact."""
    common = set(family.spec.buckets).intersection(*(slot.spec.buckets for slot, _ in others))
    edges = tuple(sorted(common))
    coarse = partial(_coarsen, edges)
    points = [coarse(family.spec.buckets, point) for point in family.histograms]
    points += [coarse(slot.spec.buckets, point) for slot, point in others]
    merged: dict[frozenset[tuple[str, str]], HistogramPoint] = {}
    for point in points:
        identity = frozenset((name, str(value)) for name, value in point.attributes.items())
        known = merged.get(identity)
        if known is None:
            merged[identity] = point
        else:
            known.sum += point.sum
            known.counts = [x + y for x, y in zip(known.counts, point.counts, strict=False)]
            known.exemplars = [later(x, y) for x, y in zip(known.exemplars, point.exemplars, strict=False)]
    family.spec = replace(family.spec, buckets=edges)
    family.histograms = list(merged.values())


def _coarsen(edges: tuple[float, ...], old: tuple[float, ...], point: HistogramPoint) -> HistogramPoint:
    upto = dict(zip(old, accumulate(point.counts), strict=False))
    sums = [*(upto[edge] for edge in edges), point.count]
    counts = [high - low for low, high in zip([0, *sums], sums, strict=False)]
    exemplars: list[Exemplar | None] = [None] * len(counts)
    for exemplar in point.exemplars:
        if exemplar is not None:
            bucket = sum(edge < exemplar.value for edge in edges)
            exemplars[bucket] = later(exemplars[bucket], exemplar)
    return HistogramPoint(point.attributes, point.sum, counts, exemplars)


VIEW: Final = View(STORE, READER)
"""The view of this process's run."""


def read() -> list[Family]:
    """The figures of the whole app: what every process of the run has recorded, as one list of families."""
    return VIEW.read()
