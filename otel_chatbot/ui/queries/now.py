"""What is going on now: the numbers and lines of the page "Now". Titles and meanings are those of the dashboards' rows.

Fed by `ui.queries.samples`, `ui.queries.figures` and `render.boards`; feeds the page and `otel-chatbot top`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from ...render.boards import ai, databases, overview
from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.spec import MetricSpec
from .answers import liked, ratings
from .budgets import share_of_budgets
from .common import Json
from .figures import earliest, grown, quantiles
from .samples import Sample, Series, gauge, increase, quantile, series

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
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

    def gauges(self, spec: MetricSpec, labels: Mapping[str, Any] = NOTHING, instance: str = "") -> list[float]:
        """The values of a gauge, one per series; only those with these attributes, and of this instance, where it is named."""
        found = (
            one for one in series(self.db, spec.name, self.service) if _has(one, labels) and instance in ("", one.instance)
        )
        values = (gauge(self.db, one, self.until) for one in found)
        return [value for value in values if value is not None]


def _has(one: Series, labels: Mapping[str, Any]) -> bool:
    return all(str(one.attributes.get(name)) == str(value) for name, value in labels.items())


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


def _calls(window: Window) -> float | None:
    found = window.grown(m.AI_RESPONSE_TIME)
    return None if found is None else float(found.count)


def _refused(window: Window) -> float | None:
    found = window.grown(m.ANSWER_SIGNALS, **{a.ANSWER_SIGNAL: a.AnswerSignal.REFUSED.value})
    return None if found is None else found.value


def _failed_calls(window: Window) -> float | None:
    found = series(window.db, m.AI_RESPONSE_TIME.name, window.service)
    calls = increase(window.db, found, window.since, window.until).count
    failed = increase(window.db, [one for one in found if a.ERROR_TYPE in one.attributes], window.since, window.until).count
    return failed / calls if calls else None


def _used_connections(window: Window) -> float | None:
    """The connections in use of the fullest pool, as a share of the most that it may open."""
    shares = []
    for one in series(window.db, m.CONNECTION_MAX.name, window.service):
        most = gauge(window.db, one, window.until)
        if most:
            used = window.gauges(
                m.CONNECTION_COUNT, {**one.attributes, a.CONNECTION_STATE: a.ConnectionState.USED.value}, one.instance
            )
            shares.append(sum(used) / most)
    return max(shares, default=None)


def _waiting(window: Window) -> float | None:
    found = window.gauges(m.CONNECTION_PENDING)
    return sum(found) if found else None


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
_NO_POOLS: Final = "No pool of connections with a limit is known: MongoDB and Redis clients have one each once they were used."
_NO_RATINGS: Final = "No answer has been rated. Set CHATBOT_OTEL_FEEDBACK_HEADER, or call otel_chatbot.feedback."
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
    Shown("Ratings", "count", lambda window: ratings(window.db, window.until, window.service), _NO_RATINGS,
          "How many answers are rated now, each once per user. It goes on after a restart."),
    Shown("Liked", "share", lambda window: liked(window.db, window.until, window.service), _NO_RATINGS,
          "The share of ratings that are good: thumbs up, four and five stars, 0.6 and more."),
    Shown("Refused", "share", _ratio(_refused, _calls), _NO_CALLS, "AI calls that the model or its filter refused to answer."),
    Shown("Signs of bad answers", "share", _ratio(_count(m.ANSWER_SIGNALS), _calls), _NO_CALLS,
          "Signs per AI call: answers replaced, asked for in other words, refused, cut off, empty or left; tools in circles."),
    Shown("Cache hits", "share", _hit_ratio, "Nothing was read from a cache.", "Cache reads that returned a value, as a share of all."),
    Shown("Database commands", "count", _count(m.DB_QUERIES), "No MongoDB command was seen.", "MongoDB commands, failed ones too."),
    Shown("Connections in use", "share", _used_connections, _NO_POOLS),
    Shown("Waiting for a connection", "count", _waiting, _NO_POOLS),
)  # fmt: skip
"""The numbers of the page, in order."""


def now(db: sqlite3.Connection, window: float, service: str = "") -> Json:
    """The numbers and the lines of the page, for the last `window` seconds; 0: since the apps started."""
    until = time.time_ns()
    shown = Window(db, int(until - window * 1e9) if window else 0, until, service)
    start = shown.since or earliest(db) or until
    services = [row[0] for row in db.execute("SELECT DISTINCT service FROM resource WHERE id IN (SELECT resource FROM series)")]
    return {
        "figures": [one.json(shown) for one in NOW],
        "lines": [
            {
                "title": "Requests by status",
                "unit": "count",
                **grown(db, m.API_REQUESTS, a.HTTP_STATUS, start, until, service),
            },
            {"title": "Response time", "unit": "s", **quantiles(db, m.RESPONSE_TIME, start, until, service)},
            {"title": "Tokens", "unit": "count", **grown(db, m.GEN_AI_TOKENS, a.GEN_AI_TOKEN_TYPE, start, until, service)},
            {"title": "Errors by kind", "unit": "count", **grown(db, m.ERRORS, a.ERROR_TYPE, start, until, service)},
        ],
        "services": services,
    }
