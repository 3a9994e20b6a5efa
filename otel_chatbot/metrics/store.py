"""The store: every figure of this process, in cells that other processes of the app can read.

Fed by `metrics.record` (automatic events) and `metrics.api` (the application's own calls);
feeds `metrics.view`, which merges the cells of all processes. Needs no OpenTelemetry SDK.

A series (`metrics.series`) takes its cells from a segment (`metrics.shared.segment`, `metrics.shared.run`) at its first recording,
so that a killed process leaves its last figure behind and nothing has to be flushed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Final, Generic, TypeVar, cast

from .. import _guard, config
from .._fork import at_fork
from ..semconv import attributes as a
from ..semconv import metrics as m
from ..semconv.spec import MetricSpec, label_name
from .gauge_series import SERIES, GaugeSeries
from .series import OVERFLOW_KEY, Cells, CounterSeries, HistogramSeries, Key, Series, Value, cell_count, renew_lock
from .shared.segment import MemorySegment, Segment

__all__ = [
    "OVERFLOW_KEY",
    "STORE",
    "CounterSeries",
    "GaugeSeries",
    "HistogramSeries",
    "Instrument",
    "Key",
    "Series",
    "Store",
    "Value",
    "cell_count",
]

S = TypeVar("S", bound=Series)
_logger = logging.getLogger("otel_chatbot")
_BITS: Final = 64
"""Bits of an integer in OTLP, including the sign."""


class Instrument(Generic[S]):
    """A metric of this process and its series. The kind of the metric decides the class of the series."""

    def __init__(self, spec: MetricSpec, store: Store) -> None:
        self.spec = spec
        self._store = store
        self._lock = threading.RLock()
        self.series: dict[Key, S] = {}
        self._names = frozenset(spec.attributes)
        self._by_label = {label_name(name): name for name in spec.attributes}
        self._bare: Key = (None,) * len(spec.attributes)
        self._found: dict[tuple[tuple[str, object], ...], S] = {}

    def at(self, key: Key) -> S:
        """The series of a key (values in the order of `spec.attributes`); made at the first call."""
        return self.series.get(key) or self._make(key)

    def bare(self) -> S:
        """The series without attributes."""
        return self.at(self._bare)

    def bind(self, values: Mapping[str, Value | None]) -> S:
        """The series of exactly the row's attributes, by name: for callers that keep the series or call rarely."""
        if values.keys() != self._names:
            raise ValueError(f"{self.spec.name} has the attributes {', '.join(self.spec.attributes)}, not {', '.join(values)}")
        return self.at(tuple(values[name] for name in self.spec.attributes))

    def labels(self, attributes: Mapping[str, object] | None) -> S:
        """The series of a mapping by attribute name (`http.route`) or label (`http_route`); unlisted ones are dropped and counted."""
        if not attributes:
            return self.at(self._bare)
        given = tuple(attributes.items())
        try:
            found = self._found.get(given)
        except TypeError:  # a value that cannot be hashed becomes text
            return self._look_up(given, keep=False)
        return found or self._look_up(given, keep=True)

    def _look_up(self, given: tuple[tuple[str, object], ...], *, keep: bool) -> S:
        named = {self._by_label.get(name, name): value for name, value in given}
        key = tuple(_value(named.pop(name, None)) for name in self.spec.attributes)
        if named:
            self._store.drop_attributes(self.spec, named)
        series = self.at(key)
        # Remembered under the mapping as given. Not remembered: cases that are counted at each call (dropped attributes,
        # the overflow series), and values that are equal but have different texts (True, 1 and 1.0).
        if (
            keep
            and not named
            and series.key is not OVERFLOW_KEY
            and len(self._found) < 4 * self._store.limit
            and all(value is None or type(value) is str or (type(value) is int and value > 1) for _, value in given)
        ):
            self._found[given] = series
        return series

    def _make(self, key: Key) -> S:
        with self._lock:
            if key in self.series or len(self.series) < self._store.limit or key == self._bare:
                return self._add(key)
        self._store.count_dropped(a.DropReason.SERIES_LIMIT, self.spec)
        return self.overflow()

    def overflow(self) -> S:
        """The series that collects everything beyond the series limit."""
        with self._lock:
            return self._add(OVERFLOW_KEY)

    def _add(self, key: Key) -> S:
        found = self.series.get(key)
        if found is None:
            found = self.series[key] = cast("S", SERIES[self.spec.kind](self.spec, key, self._store.attach))
        return found

    def after_fork(self) -> None:
        """Start this process's figures from nothing, with locks that no thread of the parent holds."""
        self._lock = threading.RLock()
        for series in self.series.values():
            series.detach()


class Store:
    """The instruments of this process. `make_segment` gives it a segment, at the first recording."""

    def __init__(self, make_segment: Callable[[], Segment] = MemorySegment, limit: int | None = None) -> None:
        self._make_segment = make_segment
        self._segment: Segment | None = None
        self._lock = threading.RLock()
        self._limit = limit
        self._warned: set[tuple[str, str]] = set()
        self.instruments: dict[str, Instrument[Any]] = {}
        self.variants: dict[MetricSpec, Instrument[Any]] = {}
        """Instruments of other libraries. Several may share one name (see `metrics.mirror`)."""
        self.attached: list[Series] = []
        """The series that have recorded in this process, in the order in which they began."""
        self.beginnings: list[Callable[[], None]] = []
        """Called once in every process, after its first recording: threads start here, not at import."""

    @property
    def limit(self) -> int:
        """Maximum number of series per metric: the given one, else the setting SERIES_LIMIT."""
        return self._limit if self._limit is not None else config.current().series_limit

    def counter(self, spec: MetricSpec) -> Instrument[CounterSeries]:
        """The instrument of a counter's spec."""
        found: Instrument[CounterSeries] | None = self.instruments.get(spec.name)
        return self._made(spec, CounterSeries) if found is None else found

    def gauge(self, spec: MetricSpec) -> Instrument[GaugeSeries]:
        """The instrument of the spec of a gauge or an up-down counter."""
        found: Instrument[GaugeSeries] | None = self.instruments.get(spec.name)
        return self._made(spec, GaugeSeries) if found is None else found

    def histogram(self, spec: MetricSpec) -> Instrument[HistogramSeries]:
        """The instrument of a histogram's spec."""
        found: Instrument[HistogramSeries] | None = self.instruments.get(spec.name)
        return self._made(spec, HistogramSeries) if found is None else found

    def _made(self, spec: MetricSpec, kind: type[S]) -> Instrument[S]:
        if SERIES[spec.kind] is not kind:
            raise TypeError(f"{spec.name} is a {spec.kind.value}, which has no {kind.__name__}")
        return self.instrument(spec)

    def instrument(self, spec: MetricSpec) -> Instrument[Any]:
        """The instrument of a spec of any kind; the first spec of a name wins."""
        found = self.instruments.get(spec.name)
        if found is None:
            with self._lock:
                found = self.instruments.setdefault(spec.name, Instrument(spec, self))
        return found

    def variant(self, spec: MetricSpec) -> Instrument[Any]:
        """The instrument of exactly this spec, also if other specs have the same name."""
        found = self.variants.get(spec)
        if found is None:
            with self._lock:
                found = self.variants.setdefault(spec, Instrument(spec, self))
        return found

    def attach(self, series: Series) -> Cells:
        """Give a series cells of this process's segment, unless it has some; return them."""
        with self._lock:
            segment = self._segment
            begins = segment is None
            if segment is None:
                segment = self._segment = self._make_segment()
            cells = series.cells
            if cells is None:
                fresh = segment.allocate(series.spec, series.key, cell_count(series.spec))
                cells = series.cells  # a finalizer that ran in between may have recorded
                if cells is None:
                    series.take(fresh)
                    self.attached.append(series)
                    cells = fresh
            complaint = segment.complaint()
        if complaint:  # logged outside of the lock: a log handler may hold its own while it counts
            _logger.warning("%s", complaint)
        for begin in self.beginnings if begins else ():
            _guard.never_raise(begin)()
        return cells

    @property
    def segment(self) -> Segment | None:
        """This process's segment; None before the first recording."""
        return self._segment

    def after_fork(self) -> None:
        """In a forked child: fresh locks, no figure of the parent, a segment of its own at the first recording."""
        self._lock = threading.RLock()
        segment, self._segment = self._segment, None
        self.attached = []
        renew_lock()
        for instrument in (*self.instruments.values(), *self.variants.values()):
            instrument.after_fork()
        if segment is not None:
            segment.abandon()

    def drop_attributes(self, spec: MetricSpec, names: Iterable[str]) -> None:
        """Count attributes that a metric does not list, and warn once for each."""
        for name in names:
            self.count_dropped(a.DropReason.UNLISTED_ATTRIBUTE, spec)
            if (spec.name, name) not in self._warned and len(self._warned) < 1000:
                self._warned.add((spec.name, name))
                listed = ", ".join(spec.attributes) or "none"
                _logger.warning("attribute %r of %s is not listed and was dropped; listed: %s", name, spec.name, listed)

    def count_dropped(self, reason: a.DropReason, spec: MetricSpec) -> None:
        """Count an item of the metrics signal that was not kept."""
        if spec is not m.TELEMETRY_DROPPED:
            dropped = {a.SIGNAL: a.Signal.METRICS.value, a.REASON: reason.value}
            self.counter(m.TELEMETRY_DROPPED).bind(dropped).add(1.0)


def _value(value: object) -> Value | None:
    if value is None or type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, int):
        return int(value) if value.bit_length() < _BITS else _text(value)
    return str(value)


def _text(number: int) -> str:
    """The text of a number that is too large for OTLP. Beyond some thousand digits, Python refuses to print it."""
    return str(number) if number.bit_length() <= 100 * _BITS else f"<number of {number.bit_length()} bits>"


def _shared_segment() -> Segment:
    from .shared.run import RUN  # late: a process that only describes metrics touches no folder

    return RUN.segment()


def _fold_many() -> None:
    from .shared.compaction import READER

    READER.fold_many()


STORE: Final = Store(_shared_segment)
"""The process's store."""
STORE.beginnings.append(_fold_many)

at_fork(__name__, in_child=STORE.after_fork)
