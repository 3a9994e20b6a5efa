"""Comparisons: rounds of all sides in turn, medians, ratios with their spread.

Fed by the benchmarks; feeds `report`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    """One comparison. `ratio` is the median of the rounds' ratios, `low` and `high` their 10th and 90th percentile.

    `goal` is the highest ratio that is allowed (with `at_least`, the lowest); None if nothing was promised.
    """

    what: str
    unit: str
    ours: float
    peer_name: str
    peer: float
    ratio: float
    low: float
    high: float
    goal: float | None = None
    at_least: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the goal was reached."""
        if self.goal is None:
            return None
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal

    def as_dict(self) -> dict[str, object]:
        """For a benchmark that runs in a process of its own."""
        return asdict(self)


def row(
    what: str,
    unit: str,
    peer_name: str,
    rounds: Sequence[tuple[float, float]],
    goal: float | None = None,
    *,
    at_least: bool = False,
) -> Row:
    """The row of rounds of (ours, peer's)."""
    ours, peer = (statistics.median(side) for side in zip(*rounds, strict=True))
    low, ratio, high = spread([a / b for a, b in rounds])
    return Row(what, unit, ours, peer_name, peer, ratio, low, high, goal, at_least)


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """The 10th percentile, the median and the 90th."""
    ordered = sorted(values)
    aside = len(ordered) // 10
    return ordered[aside], statistics.median(ordered), ordered[-1 - aside]


def alternate(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Measure every side one time per round, one after the other: A B C A B C …"""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            found[name].append(measure())
    return found


def per_call(function: Callable[[], object], times: int) -> float:
    """Microseconds of CPU per call."""
    begin = time.process_time()
    for _ in range(times):
        function()
    return (time.process_time() - begin) / times * 1e6


def compare(
    what: str,
    ours: Callable[[], object],
    peer_name: str,
    peer: Callable[[], object],
    *,
    rounds: int,
    times: int,
    goal: float | None = None,
) -> Row:
    """Two functions against each other in this process."""
    ours(), peer()
    pairs = [(per_call(ours, times), per_call(peer, times)) for _ in range(rounds)]
    return row(what, "µs", peer_name, pairs, goal)
