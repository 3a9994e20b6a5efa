"""Conversations: the list, newest first, and one of them turn by turn.

Fed by `ui.store` through `ui.api`; feeds the page of conversations. A turn is one trace of a conversation.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from ...semconv import attributes as a
from .common import Json, match, milliseconds
from .traces import logs_of, spans_of

_PAGE: Final = 50
_LOOKED_AT: Final = 500
"""Conversations that one question looks at; what is older is asked for by the next."""
_HITS: Final = 2_000
_MOST_TURNS: Final = 200
_NEWEST: Final = 2**63 - 1


@dataclass(frozen=True)
class Wanted:
    """Which conversations: each field that is set narrows the list. `before` is where the last page ended."""

    text: str = ""
    model: str = ""
    failed: bool = False
    slow_ms: float = 0.0
    least_cost: float = 0.0
    before: int = _NEWEST


def conversations(db: sqlite3.Connection, wanted: Wanted) -> Json:
    """The newest conversations that are wanted, with what they came to."""
    words = match(wanted.text)
    if words:
        candidates = _by_text(db, words, wanted.text.strip())
    else:
        candidates = db.execute(
            f"SELECT id, first, last FROM conversation WHERE last < ? ORDER BY last DESC LIMIT {_LOOKED_AT}",
            (wanted.before,),
        ).fetchall()
    found: list[Json] = []
    last: int | None = None
    for identity, first, until in candidates:
        if len(found) == _PAGE:
            break
        last = until
        one = summary(db, identity, first, until)
        if _is_wanted(one, wanted):
            found.append(one)
    more = not words and (len(found) == _PAGE or len(candidates) == _LOOKED_AT)
    return {"conversations": found, "before": str(last) if more and last else None}


def _by_text(db: sqlite3.Connection, words: str, text: str) -> list[Any]:
    """The conversations of which a span or a log record has the words, or that are called so."""
    found = {text}
    hits = f"SELECT rowid FROM span_text WHERE span_text MATCH ? ORDER BY rowid DESC LIMIT {_HITS}"
    found.update(
        row[0]
        for row in db.execute(
            f"SELECT DISTINCT conversation FROM span WHERE id IN ({hits}) AND conversation IS NOT NULL", (words,)
        )
    )
    hits = hits.replace("span_text", "log_text")
    found.update(
        row[0]
        for row in db.execute(
            f"SELECT DISTINCT conversation FROM log WHERE id IN ({hits}) AND conversation IS NOT NULL", (words,)
        )
    )
    rows = [db.execute("SELECT id, first, last FROM conversation WHERE id = ?", (one,)).fetchone() for one in list(found)]
    return sorted((row for row in rows if row is not None), key=lambda row: -row[2])


def _is_wanted(one: Json, wanted: Wanted) -> bool:
    return (
        (not wanted.model or wanted.model in one["models"])
        and (not wanted.failed or one["errors"] > 0)
        and one["slowest_ms"] >= wanted.slow_ms
        and one["cost"] >= wanted.least_cost
    )


def summary(db: sqlite3.Connection, identity: str, first: int, last: int) -> Json:
    """What a conversation came to: turns, calls of a model, tokens, cost, errors."""
    row = db.execute(
        "SELECT count(DISTINCT trace), count(model), sum(tokens_in), sum(tokens_out), sum(cost),"
        " count(DISTINCT CASE WHEN status = 2 THEN trace END), max(CASE WHEN entry = 1 THEN end - start END),"
        " group_concat(DISTINCT model), max(end - start) FROM span WHERE conversation = ?",
        (identity,),
    ).fetchone()
    turns, calls, tokens_in, tokens_out, cost, errors, slowest, models, longest = row
    return {
        "id": identity, "first": milliseconds(first), "last": milliseconds(last), "turns": turns, "calls": calls,
        "tokens_in": tokens_in or 0, "tokens_out": tokens_out or 0, "cost": cost or 0.0, "errors": errors,
        "slowest_ms": milliseconds(slowest or longest or 0), "models": models.split(",") if models else [],
    }  # fmt: skip


def conversation(db: sqlite3.Connection, identity: str) -> Json | None:
    """One conversation: its turns by time, each with its spans and log records; None when it is not there."""
    row = db.execute("SELECT id, first, last FROM conversation WHERE id = ?", (identity,)).fetchone()
    if row is None:
        return None
    found = db.execute(
        f"SELECT trace, min(start) FROM span WHERE conversation = ? GROUP BY trace ORDER BY min(start) LIMIT {_MOST_TURNS}",
        (identity,),
    ).fetchall()
    turns = [_turn(db, trace, identity) for trace, _ in found]
    return {**summary(db, *row), "timeline": turns}


def _turn(db: sqlite3.Connection, trace: bytes, identity: str) -> Json:
    spans = spans_of(db, trace)
    entries = [one for one in spans if one["entry"]]
    head = next((one for one in entries if one["conversation"] == identity), entries[0] if entries else spans[0])
    calls = [one for one in spans if one["system"] == "model"]
    told = head["attributes"]
    phases = {
        phase.value: told[name] * 1000 for phase, name in a.PHASE_SECONDS.items() if isinstance(told.get(name), (int, float))
    }
    return {
        "trace": trace.hex(),
        "start": min(one["start"] for one in spans),
        "ms": max(one["start"] + one["ms"] for one in spans) - min(one["start"] for one in spans),
        "name": head["name"],
        "code": head["code"],
        "failed": head["failed"],
        "error": next((one["error"] for one in spans if one["error"]), None),
        "phases": phases,
        "tokens_in": sum(one["tokens_in"] or 0 for one in calls),
        "tokens_out": sum(one["tokens_out"] or 0 for one in calls),
        "cost": sum(one["cost"] or 0 for one in calls),
        "models": sorted({one["model"] for one in calls if one["model"]}),
        "said": [_said(one) for one in calls],
        "spans": spans,
        "logs": logs_of(db, trace),
    }


def _said(call: Json) -> Json:
    """What was asked and answered, where the app captured it on purpose."""
    told = call["attributes"]
    return {
        "span": call["span"],
        "asked": told.get(a.GEN_AI_INPUT_MESSAGES),
        "answered": told.get(a.GEN_AI_OUTPUT_MESSAGES),
    }
