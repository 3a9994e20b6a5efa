"""Figures: the numbers of now, and every metric over time. Titles and meanings are those of the dashboards' rows.

Fed by `ui.queries.samples` and `render.boards`; feeds the pages "Now" and "Metrics".
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ...render.boards import ai, databases, overview
from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.spec import Kind, MetricSpec
from .budgets import share_of_budgets
from .common import Json
from .samples import Sample, Series, gauge, increase, quantile, sample, series

_STEPS: Final = 60
"""The number of points of a line."""
_MOST_LINES: Final = 12
_PANELS: Final = {panel.title: panel for board in (overview, ai, databases) for row in board.BOARD.rows for panel in row.panels}


@dataclass(frozen=True)
class Window:
    """The time that is shown, in unix nanoseconds; since 0: as long as the apps run."""

    db: sqlite3.Connection
    since: int
    until: int
    service: str = ""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.until - self.since) / 1e9

    def grown(self, spec: MetricSpec, **labels: Any) -> Sample | None:
        """By how much a metric grew; None if it has no series."""
        found = [one for one in series(self.db, spec.name, self.service) if _has(one, labels)]
        return increase(self.db, found, self.since, self.until) if found else None

    def gauges(self, spec: MetricSpec) -> list[float]:
        """The values of a gauge, one per series."""
        values = (gauge(self.db, one, self.until) for one in series(self.db, spec.name, self.service))
        return [value for value in values if value is not None]


def _has(one: Series, labels: dict[str, Any]) -> bool:
    return all(str(one.attributes.get(name)) == value for name, value in labels.items())


Figure = Callable[[Window], "float | None"]


def _count(spec: MetricSpec) -> Figure:
    def figure(window: Window) -> float | None:
        found = window.grown(spec)
        return None if found is None else found.value

    return figure


def _ratio(above: Figure, below: Figure) -> Figure:
    def figure(window: Window) -> float | None:
        over, under = above(window), below(window)
        return None if not under else (over or 0.0) / under

    return figure


def _quantile(spec: MetricSpec, share: float) -> Figure:
    def figure(window: Window) -> float | None:
        found = window.grown(spec)
        return None if found is None else quantile(share, spec.buckets, found.buckets)

    return figure


def _most(spec: MetricSpec) -> Figure:
    return lambda window: max(window.gauges(spec), default=None)


def _least(spec: MetricSpec) -> Figure:
    return lambda window: min(window.gauges(spec), default=None)


def _tokens(kind: a.TokenType) -> Figure:
    def figure(window: Window) -> float | None:
        found = window.grown(m.GEN_AI_TOKENS, **{a.GEN_AI_TOKEN_TYPE: kind.value})
        return None if found is None else found.value

    return figure


def _failed_calls(window: Window) -> float | None:
    found = series(window.db, m.AI_RESPONSE_TIME.name, window.service)
    calls = increase(window.db, found, window.since, window.until).count
    failed = increase(window.db, [one for one in found if a.ERROR_TYPE in one.attributes], window.since, window.until).count
    return failed / calls if calls else None


def _hit_ratio(window: Window) -> float | None:
    hits, misses = _count(m.CACHE_HITS)(window) or 0.0, _count(m.CACHE_MISSES)(window) or 0.0
    return hits / (hits + misses) if hits + misses else None


@dataclass(frozen=True)
class Shown:
    """A number on the page: its title, meaning and unit, and the possible reasons if it is empty."""

    title: str
    unit: str
    figure: Figure
    empty: str
    meaning: str = ""

    def json(self, window: Window) -> Json:
        """As the page reads it."""
        panel = _PANELS.get(self.title)
        value = self.figure(window)
        return {
            "title": self.title, "unit": self.unit, "value": value, "meaning": self.meaning or (panel.description if panel else ""),
            "empty": self.empty if value is None else "",
        }  # fmt: skip


_NO_REQUESTS: Final = "No request has been counted yet. Send one to the app."
_NO_CALLS: Final = "No call of a model has been seen. Is the client one that otel-chatbot knows, or the endpoint one?"
_requests = _count(m.API_REQUESTS)
NOW: Final = (
    Shown("Requests", "count", _requests, _NO_REQUESTS, "HTTP requests in the time shown, probes and scrapes left out."),
    Shown("Errors", "share", _ratio(_count(m.ERRORS), _requests), _NO_REQUESTS),
    Shown("Response time, p50", "s", _quantile(m.RESPONSE_TIME, 0.5), _NO_REQUESTS, "Half of the requests take no longer."),
    Shown("Response time, p95", "s", _quantile(m.RESPONSE_TIME, 0.95), _NO_REQUESTS),
    Shown("Active users", "count", _most(m.ACTIVE_USERS),
          "Nobody is known: the app tells no user ids, or it does not send its metrics here."),
    Shown("Health", "health", _least(m.HEALTH_STATUS), "No health check has run: they run when /health/ready is asked."),
    Shown("Conversations", "count", _count(m.CONVERSATIONS_CREATED), "No conversation was stored in MongoDB."),
    Shown("Messages sent", "count", _count(m.MESSAGES_SENT), "No message was stored."),
    Shown("Messages received", "count", _count(m.MESSAGES_RECEIVED), "No answer was stored."),
    Shown("Tokens in", "count", _tokens(a.TokenType.INPUT), _NO_CALLS, "Tokens into the model."),
    Shown("Tokens out", "count", _tokens(a.TokenType.OUTPUT), _NO_CALLS, "Tokens out of the model."),
    Shown("Cost", "usd", _count(m.AI_COST), "No call had a price. Install otel-chatbot[genai], or set CHATBOT_OTEL_AI_PRICES."),
    Shown("Budget", "share", lambda window: share_of_budgets(window.db, window.until, window.service),
          "No budget is set: CHATBOT_OTEL_BUDGETS names them.",
          "Of all budgets, the one of which most is spent; of users, the one that spent most."),
    Shown("Failed AI calls", "share", _failed_calls, _NO_CALLS),
    Shown("Cache hits", "share", _hit_ratio, "Nothing was read from a cache.", "Cache reads that returned a value, as a share of all."),
    Shown("Database commands", "count", _count(m.DB_QUERIES), "No MongoDB command was seen.", "MongoDB commands, failed ones too."),
)  # fmt: skip
"""The numbers of the page, in order."""


def now(db: sqlite3.Connection, window: float, service: str = "") -> Json:
    """The numbers and the lines of the page, for the last `window` seconds; 0: since the apps started."""
    until = time.time_ns()
    shown = Window(db, int(until - window * 1e9) if window else 0, until, service)
    start = shown.since or _earliest(db) or until
    services = [row[0] for row in db.execute("SELECT DISTINCT service FROM resource WHERE id IN (SELECT resource FROM series)")]
    return {
        "figures": [one.json(shown) for one in NOW],
        "lines": [
            {
                "title": "Requests by status",
                "unit": "count",
                **_grown(db, m.API_REQUESTS, a.HTTP_STATUS, start, until, service),
            },
            {"title": "Response time", "unit": "s", **_quantiles(db, m.RESPONSE_TIME, start, until, service)},
            {"title": "Tokens", "unit": "count", **_grown(db, m.GEN_AI_TOKENS, a.GEN_AI_TOKEN_TYPE, start, until, service)},
            {"title": "Errors by kind", "unit": "count", **_grown(db, m.ERRORS, a.ERROR_TYPE, start, until, service)},
        ],
        "services": services,
    }


def _earliest(db: sqlite3.Connection) -> int:
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


def _grown(db: sqlite3.Connection, spec: MetricSpec, by: str, start: int, until: int, service: str = "") -> Json:
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


def _quantiles(db: sqlite3.Connection, spec: MetricSpec, start: int, until: int, service: str = "") -> Json:
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
    start = int(until - window * 1e9) if window else _earliest(db)
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
