"""Conversations: the list, newest first, and one of them turn by turn.

Fed by `ui.store` through `ui.api`; feeds the page of conversations. A turn is one trace of a conversation in which something
is said: requests that only read or delete a conversation are shown in its timeline, and are no turns.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import orjson

from ...semconv import attributes as a
from .common import LOG_TEXT, NEWEST, SPAN_TEXT, Json, hits, match, milliseconds
from .traces import logs_of, spans_of

_PAGE: Final = 50
_LOOKED_AT: Final = 500
"""The most conversations that one question looks at; the next question goes on with older ones."""
_HITS: Final = 2_000
_MOST_SPANS: Final = 20_000
"""The most spans of conversations that one question adds up."""
_FIRST_SPANS: Final = 8
"""Spans of a conversation among which its first question is looked for."""
_FIRST_LETTERS: Final = 200
_ROW: Final = "id, first, last, user"
_MOST_TURNS: Final = 200
_ASIDE: Final = ("GET", "HEAD", "DELETE", "OPTIONS")
"""Methods of requests that say nothing, unless a model was called or the parts of a turn were timed (answers from a cache)."""
_IS_ASIDE: Final = (
    f"CASE WHEN entry = 1 AND substr(name, 1, instr(name, ' ') - 1) IN {_ASIDE}"
    f" THEN instr(more, '{a.PHASE_SECONDS[a.Phase.TOTAL]}') = 0 ELSE 0 END"
)


@dataclass(frozen=True)
class WantedConversations:
    """Which conversations: each field that is set narrows the list. `before` is where the last page ended.

    `slow`: the slowest turn took at least so many milliseconds; `cost`: it came to at least so many dollars.
    """

    text: str = ""
    user: str = ""
    model: str = ""
    failed: bool = False
    slow: float = 0.0
    cost: float = 0.0
    before: int = NEWEST


def conversations(db: sqlite3.Connection, wanted: WantedConversations) -> Json:
    """The newest of the wanted conversations, with their sums."""
    cut = False
    if wanted.text.strip():
        candidates, cut = _by_text(db, wanted)
    else:
        where, values = (
            ("user = ? AND last < ?", [wanted.user, wanted.before]) if wanted.user else ("last < ?", [wanted.before])
        )
        query = f"SELECT {_ROW} FROM conversation WHERE {where} ORDER BY last DESC LIMIT {_LOOKED_AT}"
        candidates = db.execute(query, values).fetchall()
    found: list[Json] = []
    last: int | None = None
    budget = _MOST_SPANS
    for row in candidates:
        if len(found) == _PAGE or budget <= 0:
            break
        last = row[2]
        one = summary(db, *row)
        budget -= one.pop("spans")
        if _is_wanted(one, wanted):
            found.append({**one, "asked": _first_question(db, row[0])})
    more = not wanted.text.strip() and (len(found) == _PAGE or budget <= 0 or len(candidates) == _LOOKED_AT)
    return {"conversations": found, "before": str(last) if more and last else None, "cut": cut}


def _by_text(db: sqlite3.Connection, wanted: WantedConversations) -> tuple[list[Any], bool]:
    """Conversations with the words in a span, a log record or their name; and whether some words were left out."""
    rows: dict[str, Any] = {}
    cut = False

    def add(name: str | None) -> bool:
        if name is None or name in rows:
            return False
        row = db.execute(f"SELECT {_ROW} FROM conversation WHERE id = ?", (name,)).fetchone()
        rows[name] = row if row and wanted.user in ("", row[3]) else None
        return rows[name] is not None

    add(wanted.text.strip())
    for table, index in (("span", SPAN_TEXT), ("log", LOG_TEXT)):
        words = match(db, wanted.text, index)
        if words is not None:
            cut |= words.cut
            numbers = hits(db, index, words.query, NEWEST, _HITS)
            names = (_of_trace(db, trace) for trace in _traces(db, table, numbers))
            deque(islice(filter(add, names), _PAGE), maxlen=0)
    return sorted(filter(None, rows.values()), key=lambda row: -row[2]), cut


def _traces(db: sqlite3.Connection, table: str, numbers: Iterator[int]) -> Iterator[bytes]:
    """The traces of some rows, each once."""
    seen: set[bytes | None] = {None}
    for number in numbers:
        (trace,) = db.execute(f"SELECT trace FROM {table} WHERE id = ?", (number,)).fetchone()
        if trace not in seen:
            seen.add(trace)
            yield trace


def _of_trace(db: sqlite3.Connection, trace: bytes) -> str | None:
    query = "SELECT conversation FROM span WHERE trace = ? AND conversation IS NOT NULL LIMIT 1"
    row = db.execute(query, (trace,)).fetchone()
    return row[0] if row else None


def _is_wanted(one: Json, wanted: WantedConversations) -> bool:
    return (
        one["turns"] > 0
        and (not wanted.model or wanted.model in one["models"])
        and (not wanted.failed or one["errors"] > 0)
        and one["slowest_ms"] >= wanted.slow
        and one["cost"] >= wanted.cost
    )


def _first_question(db: sqlite3.Connection, identity: str) -> str:
    """The beginning of what was said first, where the app captured it on purpose; else nothing."""
    row = db.execute(
        "SELECT more FROM (SELECT more, model FROM span WHERE conversation = ? ORDER BY start"
        f" LIMIT {_FIRST_SPANS}) WHERE model IS NOT NULL LIMIT 1",
        (identity,),
    ).fetchone()
    told = str(orjson.loads(row[0]).get("a", {}).get(a.GEN_AI_INPUT_MESSAGES)) if row else ""
    try:
        messages = orjson.loads(told)
        return " ".join(str(part["content"]) for part in messages[-1]["parts"])[:_FIRST_LETTERS]
    except (TypeError, ValueError, LookupError):  # captured by something else, in a shape of its own, or not at all
        return ""


def summary(db: sqlite3.Connection, identity: str, first: int, last: int, user: str | None) -> Json:
    """A conversation's sums: turns, calls of a model, tokens, cost, errors; of a very long one, only its latest spans count."""
    row = db.execute(
        "SELECT count(DISTINCT CASE WHEN aside = 0 THEN trace END), count(model), sum(tokens_in), sum(tokens_out), sum(cost),"
        " count(DISTINCT CASE WHEN status = 2 THEN trace END), max(CASE WHEN entry = 1 THEN end - start END),"
        " group_concat(DISTINCT model), max(end - start), count(*) FROM (SELECT trace, model, tokens_in, tokens_out, cost, status,"
        f" entry, start, end, {_IS_ASIDE} AS aside FROM span WHERE conversation = ? ORDER BY start DESC LIMIT {_MOST_SPANS})",
        (identity,),
    ).fetchone()
    turns, calls, tokens_in, tokens_out, cost, errors, slowest, models, longest, spans = row
    return {
        "id": identity, "first": milliseconds(first), "last": milliseconds(last), "user": user, "turns": turns, "calls": calls,
        "tokens_in": tokens_in or 0, "tokens_out": tokens_out or 0, "cost": cost or 0.0, "errors": errors, "spans": spans,
        "slowest_ms": milliseconds(slowest or longest or 0), "models": models.split(",") if models else [],
    }  # fmt: skip


def conversation(db: sqlite3.Connection, identity: str) -> Json | None:
    """One conversation: its turns by time, each with its spans and log records; None if there is no such conversation."""
    row = db.execute(f"SELECT {_ROW} FROM conversation WHERE id = ?", (identity,)).fetchone()
    if row is None:
        return None
    found = db.execute(
        "SELECT trace, min(start) FROM (SELECT trace, start FROM span WHERE conversation = ? ORDER BY start"
        f" LIMIT {_MOST_SPANS}) GROUP BY trace ORDER BY min(start) LIMIT {_MOST_TURNS}",
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
        "aside": not calls and not phases and head["entry"] and head["name"].partition(" ")[0] in _ASIDE,
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
    """The texts of question and answer, if the app captures them on purpose."""
    told = call["attributes"]
    return {
        "span": call["span"],
        "asked": told.get(a.GEN_AI_INPUT_MESSAGES),
        "answered": told.get(a.GEN_AI_OUTPUT_MESSAGES),
    }
