"""Samples of series: a figure's value at a moment, its growth, and quantiles of observations.

Fed by `ui.store`; feeds `ui.queries.figures`. A series is sampled when it changes; between two samples it has the value of the
earlier one. Each question is one step in an index.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final

import orjson

from ...semconv.spec import Kind

STALE: Final = 150 * 10**9
"""Nanoseconds after which a gauge without a new sample counts as gone."""


@dataclass(slots=True)
class Series:
    """One series. `start`: when its counting began, in unix nanoseconds; 0: unknown."""

    id: int
    name: str
    kind: Kind
    unit: str
    attributes: dict[str, Any]
    start: int
    edges: tuple[float, ...]
    service: str
    instance: str


@dataclass(slots=True)
class Sample:
    """The value of a series at a moment; for a histogram, `value` is the sum."""

    value: float = 0.0
    count: int = 0
    buckets: list[int] = field(default_factory=list)
    at: int = 0

    def __sub__(self, other: Sample) -> Sample:
        before = other.buckets or [0] * len(self.buckets)
        counts = [new - old for new, old in zip(self.buckets, before, strict=False)]
        return Sample(self.value - other.value, self.count - other.count, counts, self.at)

    def __add__(self, other: Sample) -> Sample:
        longer, shorter = sorted((self.buckets, other.buckets), key=len, reverse=True)
        counts = [one + (shorter[place] if place < len(shorter) else 0) for place, one in enumerate(longer)]
        return Sample(self.value + other.value, self.count + other.count, counts, max(self.at, other.at))


def series(db: sqlite3.Connection, name: str, service: str = "") -> list[Series]:
    """The series of a metric, of one service or of all."""
    rows = db.execute(
        "SELECT series.id, name, kind, unit, series.attributes, start, edges, service, instance FROM series"
        " JOIN resource ON resource.id = series.resource WHERE name = ? AND (? = '' OR service = ?) LIMIT 2000",
        (name, service, service),
    )
    return [
        Series(number, name, Kind(kind), unit, orjson.loads(text), start, tuple(orjson.loads(edges)), service, instance)
        for number, name, kind, unit, text, start, edges, service, instance in rows
    ]


def sample(db: sqlite3.Connection, one: Series, at: int) -> Sample | None:
    """The last sample of a series before a moment; None if there was none yet."""
    row = db.execute(
        "SELECT value, count, buckets, at FROM sample WHERE series = ? AND at <= ? ORDER BY at DESC LIMIT 1", (one.id, at)
    ).fetchone()
    return _sample(row) if row else None


def _sample(row: tuple[Any, ...]) -> Sample:
    return Sample(row[0], row[1], orjson.loads(row[2]) if row[2] else [], row[3])


def _first(db: sqlite3.Connection, one: Series) -> Sample:
    row = db.execute("SELECT value, count, buckets, at FROM sample WHERE series = ? ORDER BY at LIMIT 1", (one.id,)).fetchone()
    return _sample(row) if row else Sample()


def base(db: sqlite3.Connection, one: Series, since: int) -> Sample:
    """The count of a series at a moment, for an increase since then.

    It is 0 if the counting began later. If only the first sample is later, that sample is taken: its count is older.
    """
    if one.start >= since:
        return Sample()
    return sample(db, one, since) or _first(db, one)


def increase(db: sqlite3.Connection, found: Iterable[Series], since: int, until: int) -> Sample:
    """By how much some series together grew between two moments; `since` 0: since their start."""
    total = Sample()
    for one in found:
        last = sample(db, one, until)
        if last is not None and last.at >= since:
            total = total + (last - base(db, one, since) if since else last)
    return total


def gauge(db: sqlite3.Connection, one: Series, at: int) -> float | None:
    """A gauge's value at a moment; None if its last sample is too old."""
    found = sample(db, one, at)
    return None if found is None or found.at < at - STALE else found.value


def quantile(share: float, edges: Sequence[float], counts: Sequence[int]) -> float | None:
    """A quantile as Prometheus computes it: linear inside a bucket, the last edge beyond it; None without observations."""
    upto = list(accumulate(counts))
    if not upto or not upto[-1] or not edges:
        return None
    rank = share * upto[-1]
    place = next(place for place, total in enumerate(upto) if total >= rank)
    if place >= len(edges):
        return edges[-1]
    low = edges[place - 1] if place else 0.0
    before = upto[place - 1] if place else 0
    return low + (edges[place] - low) * (rank - before) / (upto[place] - before) if upto[place] > before else low
