"""The series of gauges and up-down counters: the amount moved, and the value set by hand.

Fed by `metrics.record` and `metrics.api` through `metrics.store`; feeds `metrics.view`. Hot path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import time as _now
from typing import Final

from ..semconv.spec import Kind, MetricSpec
from .series import Cells, CounterSeries, HistogramSeries, Key, Series, Shared

GONE: Final = -1.0
"""Stands in the cell of the set's time if the gauge's source no longer reports it."""


class GaugeSeries(Series):
    """Cells: the amount moved by inc and dec; the value set by hand; the unix time of that set, 0 for never."""

    __slots__ = ("_gone",)

    def __init__(self, spec: MetricSpec, key: Key, attach: Callable[[Series], Cells]) -> None:
        super().__init__(spec, key, attach)
        self._gone = False
        """Whether the time of the set is `GONE`."""

    def move(self, delta: float) -> None:
        """Add to what this process holds; the view sums it over the live processes."""
        cells = self._cells or self._attach()
        lock = self._lock
        lock.acquire()
        try:
            cells[0] += delta
            if self._gone:
                self._gone = False
                cells[2] = 0.0
        finally:
            lock.release()

    def reset(self) -> None:
        """Set back to zero, and leave the gauge to its automatic source where it has one."""
        super().reset()
        self.withdraw()

    def detach(self) -> None:
        """Forget the figures: after a fork they are the parent's."""
        super().detach()
        self._gone = False

    def set(self, value: float) -> None:
        """Set the value; the view takes the latest one over the live processes."""
        cells = self._cells or self._attach()
        with self._lock:
            cells[0] = 0.0
            cells[1] = value
            cells[2] = _now()
            self._gone = False

    def put(self, total: float) -> None:
        """Set this process's part in a sum: for up-down counters that another library moves and we mirror."""
        cells = self._cells or self._attach()
        with self._lock:
            cells[0] = total
            cells[2] = 0.0
            self._gone = False

    def come_back(self) -> None:
        """Show this series again: it has moved. The caller holds the lock."""
        self._gone = False
        self._cells[2] = 0.0  # type: ignore[index]

    def withdraw(self) -> None:
        """Stop showing this series: its source no longer reports it."""
        with self._lock:
            if self._cells is not None:
                self._cells[0] = 0.0
                self._cells[2] = GONE
                self._gone = True
                Shared.generation += 1


def move_all(moves: Iterable[tuple[GaugeSeries, float]]) -> None:
    """Move several gauges, each by its own delta: one event of a connection moves four or five."""
    lock = Shared.lock
    lock.acquire()
    try:
        for series, delta in moves:
            if not delta:
                continue
            cells = series._cells
            if cells is None:
                # Outside of the lock: a complaint about the segment is logged, and a log handler may hold its own while it counts.
                lock.release()
                try:
                    cells = series._attach()
                finally:
                    lock.acquire()
            cells[0] += delta
            if series._gone:
                series.come_back()
    finally:
        lock.release()


SERIES: Final[dict[Kind, type[Series]]] = {
    Kind.COUNTER: CounterSeries,
    Kind.GAUGE: GaugeSeries,
    Kind.UP_DOWN_COUNTER: GaugeSeries,
    Kind.HISTOGRAM: HistogramSeries,
}
"""The class of a series, by the kind of its metric."""
