"""Metrics over time: every one of them, one with its series, and lines for a page.

Fed by `ui.queries.samples`; feeds the page "Metrics" and `ui.queries.now`.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any, Final

import orjson

from ...semconv import metrics as m
from ...semconv.spec import Kind, MetricSpec
from .common import Json
from .samples import Sample, Series, gauge, quantile, sample, series

_STEPS: Final = 60
"""The number of points of a line."""
_MOST_LINES: Final = 12


def earliest(db: sqlite3.Connection) -> int:
    """The time of the first sample."""
    return int(db.execute("SELECT min(at) FROM sample").fetchone()[0] or 0)


def _moments(start: int, until: int) -> list[int]:
    return [start + (until - start) * step // _STEPS for step in range(_STEPS + 1)]


def _steps(db: sqlite3.Connection, one: Series, moments: list[int]) -> list[Sample]:
    """By how much a series grew from each moment to the next."""
    last = sample(db, one, moments[-1])
    if last is None or last.at < moments[0]:  # it did not change in this time
        return [Sample(buckets=[0] * (len(one.edges) + 1))] * _STEPS
    known = sample(db, one, moments[0])
    found = []
    for moment in moments[1:]:
        seen = sample(db, one, moment)
        if seen is None:
            found.append(Sample())
        else:
            before = known if known is not None else Sample() if one.start >= moments[0] else seen
            found.append(seen - before)
            known = seen
    return found


def grown(db: sqlite3.Connection, spec: MetricSpec, by: str, start: int, until: int, service: str = "") -> Json:
    """Lines of how much a metric grew in each step, one for each value of an attribute."""
    moments = _moments(start, until)
    lines: dict[str, list[float]] = {}
    for one in series(db, spec.name, service):
        steps = _steps(db, one, moments)
        if any(step.value for step in steps):
            name = str(one.attributes.get(by) or "other")
            line = lines.setdefault(name, [0.0] * _STEPS)
            for place, step in enumerate(steps):
                line[place] += step.value
    return _lines(moments, lines)


def quantiles(db: sqlite3.Connection, spec: MetricSpec, start: int, until: int, service: str = "") -> Json:
    """Lines of the quantiles of a histogram in each step."""
    moments = _moments(start, until)
    steps = [Sample() for _ in range(_STEPS)]
    for one in series(db, spec.name, service):
        for place, step in enumerate(_steps(db, one, moments)):
            steps[place] = steps[place] + step
    shares = (0.5, 0.95, 0.99)
    lines = {f"p{share * 100:g}": [quantile(share, spec.buckets, step.buckets) for step in steps] for share in shares}
    return _lines(moments, {name: line for name, line in lines.items() if any(value is not None for value in line)})


def _lines(moments: list[int], lines: dict[str, Any]) -> Json:
    """Times in milliseconds, and for each name as many values."""
    named = sorted(lines.items())[:_MOST_LINES]
    return {
        "times": [moment / 1e6 for moment in moments[1:]],
        "values": [{"name": name, "points": line} for name, line in named],
    }


def metrics(db: sqlite3.Connection) -> Json:
    """Every metric: its kind, unit and meaning, and how many series it has."""
    rows = db.execute(
        "SELECT name, kind, max(unit), max(description), count(*) FROM series GROUP BY name, kind ORDER BY name LIMIT 1000"
    )
    rank = {spec.name: place for place, spec in enumerate(m.CHATBOT)}
    found = [
        {"name": name, "kind": kind, "unit": unit, "meaning": text, "series": count} for name, kind, unit, text, count in rows
    ]
    return {"metrics": sorted(found, key=lambda one: (rank.get(one["name"], len(rank)), one["name"]))}


def metric(db: sqlite3.Connection, name: str, window: float) -> Json | None:
    """One metric over the last `window` seconds: each series with its value, its line and the traces that it names."""
    found = series(db, name)
    if not found:
        return None
    until = time.time_ns()
    start = int(until - window * 1e9) if window else earliest(db)
    moments = _moments(start, until)
    known: Json = next((one for one in metrics(db)["metrics"] if one["name"] == name), {})
    return {
        "metric": {**known, "kind": found[0].kind.value},
        "times": [moment / 1e6 for moment in moments[1:]],
        "series": sorted((_shown(db, one, moments, until) for one in found[:200]), key=_weight, reverse=True),
        "left_out": max(0, len(found) - 200),
    }


def _weight(one: Json) -> float:
    return float(one.get("count", one["value"]) or 0.0)


def _shown(db: sqlite3.Connection, one: Series, moments: list[int], until: int) -> Json:
    last = sample(db, one, until) or Sample()
    shown: Json = {"attributes": one.attributes, "service": one.service, "instance": one.instance, "value": last.value}
    if one.kind is Kind.HISTOGRAM:
        steps = _steps(db, one, moments)
        shown |= {
            "count": last.count,
            "p50": quantile(0.5, one.edges, last.buckets),
            "p95": quantile(0.95, one.edges, last.buckets),
            "points": [quantile(0.95, one.edges, step.buckets) for step in steps],
            "exemplars": _exemplars(db, one),
        }
    elif one.kind is Kind.COUNTER:
        shown["points"] = [step.value for step in _steps(db, one, moments)]
    else:
        shown |= {"value": gauge(db, one, until), "points": [gauge(db, one, moment) for moment in moments[1:]]}
    return shown


def _exemplars(db: sqlite3.Connection, one: Series) -> list[Json]:
    row = db.execute(
        "SELECT exemplars FROM sample WHERE series = ? AND exemplars IS NOT NULL ORDER BY at DESC LIMIT 1", (one.id,)
    ).fetchone()
    found = orjson.loads(row[0]) if row else []
    return [{"value": value, "at": at, "trace": trace} for value, at, trace in sorted(found, key=lambda each: -each[1])[:10]]
