"""Figures that other libraries count with OpenTelemetry's own instruments, kept beside ours so that workers add up.

Fed by `distro`, which reads the SDK's instruments of this process; feeds `metrics.store`.

Their figures are totals of this process. Their attributes may differ, so several specs may have one name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..semconv import attributes as a
from ..semconv import metrics as m
from ..semconv.spec import Kind, MetricSpec
from .gauge_series import GaugeSeries
from .series import CounterSeries, HistogramSeries, Key, Series
from .shared.merge import later
from .store import STORE, Instrument, Store
from .view import Family, HistogramPoint, Point

_REMEMBERED: Final = 100_000


class Mirror:
    """Copies families into a store, as they are."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.names: set[str] = set()
        """The names that only other libraries measure, of all that was mirrored in this process."""
        self._gauges: set[GaugeSeries] = set()
        self._counts: dict[str, int] = {}
        self._beyond: set[tuple[str, Key]] = set()

    def put(self, families: Iterable[Family]) -> None:
        """Set the totals of this process. Pass all mirrored families at once: a missing gauge is withdrawn.

        Points of one name and the same attributes (from two scopes) are added up. Beyond the series limit of a name
        they go into the overflow series.
        """
        points: dict[Series, Point | HistogramPoint] = {}
        for family in families:
            if family.spec.name not in m.BY_NAME:
                self.names.add(family.spec.name)
            instruments: dict[tuple[str, ...], Instrument[Series]] = {}
            members: list[Point | HistogramPoint] = [*family.points, *family.histograms]
            for point in members:
                names = tuple(sorted(point.attributes))
                instrument = instruments.get(names)
                if instrument is None:
                    instrument = instruments[names] = self._store.variant(_variant(family.spec, names))
                series = self._series(instrument, tuple(point.attributes[name] for name in names))
                known = points.get(series)
                points[series] = point if known is None else _sum(known, point)
        for series, point in points.items():
            _put(series, point)
        gauges = {series for series in points if isinstance(series, GaugeSeries)}
        for series in self._gauges - gauges:
            series.withdraw()
        self._gauges = gauges

    def _series(self, instrument: Instrument[Series], key: Key) -> Series:
        found = instrument.series.get(key)
        if found is not None:
            return found
        name = instrument.spec.name
        count = self._counts.get(name, 0)
        if count < self._store.limit:
            self._counts[name] = count + 1
            return instrument.at(key)
        if (name, key) not in self._beyond and len(self._beyond) < _REMEMBERED:  # counted once, not at each reading
            self._beyond.add((name, key))
            self._store.count_dropped(a.DropReason.SERIES_LIMIT, instrument.spec)
        beyond: Instrument[Series] = self._store.variant(_variant(instrument.spec, ()))
        return beyond.overflow()


def _variant(spec: MetricSpec, names: tuple[str, ...]) -> MetricSpec:
    return MetricSpec(spec.name, spec.kind, spec.unit, spec.description, names, spec.buckets)


def _sum(one: Point | HistogramPoint, other: Point | HistogramPoint) -> Point | HistogramPoint:
    if isinstance(one, HistogramPoint) and isinstance(other, HistogramPoint):
        counts = [x + y for x, y in zip(one.counts, other.counts, strict=True)]
        exemplars = [later(x, y) for x, y in zip(one.exemplars, other.exemplars, strict=True)]
        return HistogramPoint(one.attributes, one.sum + other.sum, counts, exemplars)
    if isinstance(one, Point) and isinstance(other, Point):
        return Point(one.attributes, one.value + other.value)
    raise TypeError("a number and a distribution have no sum")


def _put(series: Series, point: Point | HistogramPoint) -> None:
    match series, point:
        case HistogramSeries(), HistogramPoint():
            series.put(point.sum, point.counts, point.exemplars)
        case GaugeSeries(), Point() if series.spec.kind is Kind.GAUGE:
            series.set(point.value)
        case GaugeSeries() | CounterSeries(), Point():
            series.put(point.value)
        case _:
            raise TypeError(f"{series.spec.name} is a {series.spec.kind.value}, which takes no {type(point).__name__}")


_MIRROR: Final = Mirror(STORE)


def mirror(families: Iterable[Family]) -> None:
    """Set what other libraries have counted in this process: all their families at once, with totals since it began."""
    _MIRROR.put(families)


def mirrored_names() -> set[str]:
    """The names of what only other libraries have counted in this process."""
    return _MIRROR.names
