"""Adds up the figures of several processes into one set of sums.

Fed by `metrics.shared.compaction` (the files of the other processes) and `metrics.view` (this process's own series); feeds
`metrics.view`, which makes families of them, and `metrics.shared.compaction`, which keeps the sums of dead processes.

A `Slot` stands for one series wherever it is recorded. A catalogue hands the slots out once; each reading fills fresh
`Sums`, so that the work per series and process is a few list operations.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.spec import Kind, MetricSpec
from ..gauge_series import GONE
from ..series import EXEMPLAR, EXEMPLAR_CELLS, OVERFLOW_KEY, Exemplar, Key, Value


class Slot:
    """A series across processes; `number` counts within its kind."""

    __slots__ = ("attributes", "buckets", "key", "number", "spec")

    def __init__(self, spec: MetricSpec, key: Key, attributes: dict[str, Value], number: int) -> None:
        self.spec = spec
        self.key = key
        self.attributes = attributes
        self.number = number
        self.buckets = len(spec.buckets) + 1


@dataclass(slots=True)
class Rows:
    """The series of a process: their slots and their offsets in its cells."""

    counters: list[tuple[int, int]] = field(default_factory=list)
    histograms: list[tuple[Slot, int]] = field(default_factory=list)
    gauges: list[tuple[int, int]] = field(default_factory=list)

    def add(self, slot: Slot, offset: int) -> None:
        """Note a series."""
        kind = slot.spec.kind
        if kind is Kind.COUNTER:
            self.counters.append((slot.number, offset))
        elif kind is Kind.HISTOGRAM:
            self.histograms.append((slot, offset))
        else:
            self.gauges.append((slot.number, offset))


class Catalogue:
    """All series of all processes of the run, each once."""

    def __init__(self) -> None:
        self.counters: list[Slot] = []
        self.histograms: list[Slot] = []
        self.gauges: list[Slot] = []
        self._slots: dict[tuple[object, ...], Slot] = {}

    def slot(self, spec: MetricSpec, key: Key) -> Slot:
        """The slot of a series. Values with the same text are equal; histograms with different edges differ."""
        attributes = _attributes(spec, key)
        text = frozenset((name, str(value)) for name, value in attributes.items())
        identity = (spec.name, spec.kind, spec.buckets, text)
        found = self._slots.get(identity)
        if found is None:
            slots = self.of(spec.kind)
            found = self._slots[identity] = Slot(spec, key, attributes, len(slots))
            slots.append(found)
        return found

    def of(self, kind: Kind) -> list[Slot]:
        """The slots of a kind, by number."""
        if kind is Kind.COUNTER:
            return self.counters
        return self.histograms if kind is Kind.HISTOGRAM else self.gauges


def _attributes(spec: MetricSpec, key: Key) -> dict[str, Value]:
    if key == OVERFLOW_KEY:
        return {a.OVERFLOW: "true"}
    return {name: value for name, value in zip(spec.attributes, key, strict=False) if value is not None}


def known_spec(spec: MetricSpec) -> MetricSpec:
    """The table's own row of a metric, if it is equal: rows from files lack some fields that readers need."""
    ours = m.BY_NAME.get(spec.name)
    if ours and (ours.kind, ours.buckets, ours.attributes) == (spec.kind, spec.buckets, spec.attributes):
        return ours
    return spec


class Sums:
    """One reading: the recorded figures of the processes, added up."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.totals: list[float | None] = []
        self.histograms: list[list[float] | None] = []
        """Per slot the sum and the counts."""
        self.exemplars: dict[int, list[Exemplar | None]] = {}
        self.moved: dict[int, float] = {}
        self.latest: dict[int, tuple[float, float]] = {}
        """Per gauge the time and value of the latest set."""

    def _make_room(self) -> None:
        self.totals.extend([None] * (len(self._catalogue.counters) - len(self.totals)))
        self.histograms.extend([None] * (len(self._catalogue.histograms) - len(self.histograms)))

    def add(self, rows: Rows, cells: array[float], *, live: bool) -> None:
        """Add a process's figures; the gauges of a dead process are left out."""
        self._make_room()
        totals = self.totals
        for number, offset in rows.counters:
            before = totals[number]
            totals[number] = cells[offset] if before is None else before + cells[offset]
        for slot, offset in rows.histograms:
            self.add_histogram(slot, cells, offset)
        if live:
            for number, offset in rows.gauges:
                self._add_gauge(number, cells[offset], cells[offset + 1], cells[offset + 2])

    def add_series(self, slot: Slot, cells: memoryview[float]) -> None:
        """Add a series of this process."""
        self._make_room()
        kind = slot.spec.kind
        if kind is Kind.COUNTER:
            before = self.totals[slot.number]
            self.totals[slot.number] = cells[0] if before is None else before + cells[0]
        elif kind is Kind.HISTOGRAM:
            self.add_histogram(slot, array("d", cells.tobytes()), 0)
        else:
            self._add_gauge(slot.number, cells[0], cells[1], cells[2])

    def add_histogram(self, slot: Slot, cells: array[float], offset: int) -> None:
        """Add a histogram: the sum, the counts, and each exemplar that is later than the one known."""
        first = offset + 1 + slot.buckets
        figures = cells[offset:first].tolist()
        before = self.histograms[slot.number]
        self.histograms[slot.number] = figures if before is None else [x + y for x, y in zip(before, figures, strict=False)]
        times = cells[first + EXEMPLAR_CELLS - 1 : first + EXEMPLAR_CELLS * slot.buckets : EXEMPLAR_CELLS]
        if any(times):
            self._add_exemplars(slot, times, cells[first : first + EXEMPLAR_CELLS * slot.buckets].tobytes())

    def _add_exemplars(self, slot: Slot, times: Sequence[float], data: bytes) -> None:
        kept = self.exemplars.setdefault(slot.number, [None] * slot.buckets)
        for bucket, time in enumerate(times):
            known = kept[bucket]
            if time and (known is None or known.time < time):
                high, low, span_id, value, _ = EXEMPLAR.unpack_from(data, bucket * EXEMPLAR.size)
                kept[bucket] = Exemplar(value, high << 64 | low, span_id, time)

    def _add_gauge(self, number: int, moved: float, value: float, time: float) -> None:
        if time == GONE:
            return
        self.moved[number] = self.moved.get(number, 0.0) + moved
        if time:
            latest = self.latest.get(number)
            if latest is None or latest[0] < time:
                self.latest[number] = (time, value)

    def gauge(self, number: int) -> float | None:
        """A gauge's value over the live processes: the latest set, plus all that they have moved; None if there is neither."""
        moved = self.moved.get(number)
        if moved is None:
            return None
        latest = self.latest.get(number)
        return moved if latest is None else latest[1] + moved

    def counter_values(self) -> Iterable[tuple[Slot, float]]:
        """The counters that any process recorded."""
        return ((slot, total) for slot, total in zip(self._catalogue.counters, self.totals, strict=False) if total is not None)

    def histogram_values(self) -> Iterable[tuple[Slot, list[float]]]:
        """The histograms that any process recorded: the sum and the counts of each."""
        return (
            (slot, seen) for slot, seen in zip(self._catalogue.histograms, self.histograms, strict=False) if seen is not None
        )


def later(one: Exemplar | None, other: Exemplar | None) -> Exemplar | None:
    """Which of two exemplars of a bucket is kept."""
    if one is None or other is None:
        return one or other
    return one if one.time >= other.time else other
