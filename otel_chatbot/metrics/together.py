"""The figures that one kind of event adds to: several series, under one lock, with one look at the span.

Fed by the instrumentations of databases and of Flask, with each command, use of a connection and request; feeds the series' cells. Hot path.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from opentelemetry.trace import SpanContext

from .._clock import monotonic
from .deduplication import Scope
from .gauge_series import GaugeSeries
from .record import AUTOMATIC, AutomaticCounter, AutomaticHistogram
from .series import OVERFLOW_KEY, Cells, CounterSeries, HistogramSeries, Key, Shared, current_context


class Together:
    """Counters and gauges that an event changes, each by its own amount, and the histograms that all take its duration."""

    __slots__ = ("_added", "_adds", "_generation", "_histograms", "_observed")

    def __init__(self, adds: Iterable[tuple[CounterSeries | GaugeSeries, float]], *histograms: HistogramSeries) -> None:
        self._adds = tuple(adds)
        self._histograms = histograms
        self._generation = -1
        """The generation of the cells that are remembered in the following two."""
        self._added: tuple[tuple[Cells, float], ...] = ()
        self._observed: tuple[tuple[Cells, tuple[float, ...], HistogramSeries], ...] = ()

    def add(self, value: float, context: SpanContext | None = None) -> None:
        """Add one event. Value and context are those of `HistogramSeries.observe`."""
        if self._generation != Shared.generation:
            self._attach()
        if value < 0.0:  # noqa: PLR1730 - without a call
            value = 0.0
        sampled = (current_context() if context is None else context)[3] & 1
        lock = Shared.lock
        lock.acquire()
        try:
            for cells, amount in self._added:
                cells[0] += amount
            for cells, edges, series in self._observed:
                index = bisect_left(edges, value)
                if sampled and monotonic() >= series._kept_until[index]:
                    series.observe(value, context)  # it writes an exemplar too
                    continue
                cells[0] += value
                cells[1 + index] += 1.0
        finally:
            lock.release()

    def _attach(self) -> None:
        generation = Shared.generation
        # Before the lock is taken: a complaint about the segment is logged, and a log handler may hold its own while it counts.
        added = [(series.cells or series._attach(), amount) for series, amount in self._adds]
        observed = [(series.cells or series._attach(), series._edges, series) for series in self._histograms]
        with Shared.lock:
            for series, _ in self._adds:
                if isinstance(series, GaugeSeries) and series._gone:
                    series.come_back()
            self._added, self._observed, self._generation = tuple(added), tuple(observed), generation


class TimedEvents:
    """One kind of command or request: how long it took, by our metric and by OpenTelemetry's, and how many there were."""

    __slots__ = ("_all", "_duration", "_number", "_time", "key")

    def __init__(self, time: AutomaticHistogram, duration: HistogramSeries, number: AutomaticCounter | None = None) -> None:
        self._time = time
        self._duration = duration
        self._number = number
        self._all = Together(() if number is None else ((number._series, 1.0),), time._series, duration)
        keys = (duration.key, time.key, duration.key if number is None else number.key)
        self.key: Key = OVERFLOW_KEY if OVERFLOW_KEY in keys else duration.key
        """For `record.keep`."""

    def add(self, seconds: float, context: SpanContext, scope: Scope) -> None:
        """Add an event of a scope; `context` is the span of its exemplars."""
        active, tallies = AUTOMATIC.active, scope.tallies
        time, number = self._time, self._number
        name = time._name
        if name in active and (number is None or number._name in active):
            (tallies[name] if name in tallies else scope.tally(name)).measured()
            due = 1.0
            if number is not None:
                name = number._name
                due = (tallies[name] if name in tallies else scope.tally(name)).add_auto(1.0)
            if due == 1.0:
                self._all.add(seconds, context)
                return
            time._series.observe(seconds, context)
            if due and number is not None:
                number._series.add(due)
        else:
            time.observe(seconds, context, scope)
            if number is not None:
                number.add(1.0, scope)
        self._duration.observe(seconds, context)

    def add_without_time(self, seconds: float, context: SpanContext, scope: Scope) -> None:
        """Add an event whose duration is none by our metric."""
        if self._number is not None:
            self._number.add(1.0, scope)
        self._duration.observe(seconds, context)
