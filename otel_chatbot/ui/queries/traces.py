"""Traces: the list, and one trace with all its spans and log records.

Fed by `ui.store` through `ui.api`; feeds the pages of traces and conversations.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from .common import LOG, LOOKED_AT, NEWEST, PAGE, SPAN, SPAN_TEXT, Json, Match, hits, log, match, milliseconds, resources, span

_MOST_SPANS: Final = 5_000
"""The most spans of one trace that are shown."""
_MOST_RECORDS: Final = 2_000
_ROW: Final = "id, hex(trace), start, end, name, code, status, route, conversation, error, resource"


@dataclass(frozen=True)
class WantedTraces:
    """Which traces: each field that is set narrows the list. `before` is where the last page ended.

    `slow`: it took at least so many milliseconds.
    """

    text: str = ""
    route: str = ""
    status: int = 0
    failed: bool = False
    slow: float = 0.0
    attribute: str = ""
    value: str = ""
    """The value of that attribute on some span of the trace; empty: any value."""
    before: int = NEWEST


def traces(db: sqlite3.Connection, wanted: WantedTraces) -> Json:
    """The newest of the wanted traces, and where the next page begins if there may be older ones."""
    words = match(db, wanted.text, SPAN_TEXT)
    if attribute := wanted.attribute.strip():
        said = match(db, f"{attribute} {orjson.dumps(wanted.value).decode()} ", SPAN_TEXT)
        if said is None:
            return {"traces": [], "before": None, "services": {}, "cut": False}
        words = Match(f"{words.query} AND {said.query}", words.cut) if words else said
    found, more, last = _by_text(db, wanted, words) if words else _by_time(db, wanted)
    rows = [_listed(row) for row in found]
    return {
        "traces": rows, "before": str(last) if more else None, "services": resources(db, {row["resource"] for row in rows}),
        "cut": bool(words and words.cut),
    }  # fmt: skip


def _by_time(db: sqlite3.Connection, wanted: WantedTraces) -> tuple[list[Any], bool, int]:
    bound: list[Any]
    if wanted.failed:
        index, inner, bound, rest = "span_failed", "status = 2 AND start < ?", [wanted.before], replace(wanted, failed=False)
    elif wanted.route:
        index, inner, bound, rest = (
            "span_route",
            "route = ? AND start < ?",
            [wanted.route, wanted.before],
            replace(wanted, route=""),
        )
    else:
        index, inner, bound, rest = "span_entry", "start < ?", [wanted.before], wanted
    conditions, values = _conditions(rest)  # conditions that the columns of the index do not answer
    query = (
        f"SELECT id, start, 1 {conditions} FROM span INDEXED BY {index} WHERE entry = 1 AND {inner} ORDER BY start DESC LIMIT ?"
    )
    numbers: list[int] = []
    looked_at = last = 0
    for number, start, fits in db.execute(query, [*values, *bound, LOOKED_AT]):
        looked_at += 1
        if fits and len(numbers) == PAGE:
            return _rows(db, numbers), True, last
        last = start
        if fits:
            numbers.append(number)
    return _rows(db, numbers), looked_at == LOOKED_AT, last


def _rows(db: sqlite3.Connection, numbers: list[int]) -> list[Any]:
    return [db.execute(f"SELECT {_ROW} FROM span WHERE id = ?", (number,)).fetchone() for number in numbers]


def _by_text(db: sqlite3.Connection, wanted: WantedTraces, words: Match) -> tuple[list[Any], bool, int]:
    """Traces with a span that has the words and the attribute; `before` is a number of a span here."""
    conditions, values = _conditions(wanted)
    seen: set[bytes] = set()
    found: list[Any] = []
    last = looked_at = 0
    for number in hits(db, SPAN_TEXT, words.query, wanted.before):
        last = number
        looked_at += 1
        trace, more = db.execute("SELECT trace, more FROM span WHERE id = ?", (number,)).fetchone()
        if trace in seen or (wanted.attribute and not _has(more, wanted.attribute, wanted.value)):
            continue
        seen.add(trace)
        query = f"SELECT {_ROW} FROM span WHERE trace = ? AND entry = 1 {conditions} ORDER BY start LIMIT 1"
        row = db.execute(query, [trace, *values]).fetchone()
        if row is not None:
            found.append(row)
            if len(found) == PAGE:
                return found, True, last
    return found, looked_at == LOOKED_AT, last


def _has(more: str, name: str, value: str) -> bool:
    """Whether a span has this attribute; values are compared as they are shown."""
    said = orjson.loads(more).get("a", {})
    if name not in said:
        return False
    text = said[name] if isinstance(said[name], str) else orjson.dumps(said[name]).decode()
    return not value or text == value


def _conditions(wanted: WantedTraces) -> tuple[str, list[Any]]:
    parts: list[str] = []
    values: list[Any] = []
    if wanted.failed:
        parts.append("status = 2")
    if wanted.route:
        parts.append("route = ?")
        values.append(wanted.route)
    if wanted.status:
        low, high = (wanted.status * 100, wanted.status * 100 + 99) if wanted.status < 10 else (wanted.status, wanted.status)
        parts.append("code BETWEEN ? AND ?")
        values += [low, high]
    if wanted.slow:
        parts.append("end - start >= ?")
        values.append(int(wanted.slow * 1e6))
    return "".join(f" AND {part}" for part in parts), values


def _listed(row: tuple[Any, ...]) -> Json:
    number, trace, start, end, name, code, status, route, conversation, error, resource = row
    return {
        "id": number, "trace": trace.lower(), "start": milliseconds(start), "ms": milliseconds(end - start), "name": name, "code": code,
        "failed": status == 2, "route": route, "conversation": conversation, "error": error, "resource": str(resource),
    }  # fmt: skip


def routes(db: sqlite3.Connection) -> list[str]:
    """All routes, found by a walk over the index that touches one entry per route."""
    found: list[str] = []
    last = ""
    while len(found) < 500:
        row = db.execute(
            "SELECT route FROM span INDEXED BY span_route WHERE entry = 1 AND route > ? ORDER BY route LIMIT 1", (last,)
        ).fetchone()
        if row is None:
            break
        last = row[0]
        found.append(last)
    return found


def trace(db: sqlite3.Connection, identity: bytes) -> Json | None:
    """One trace: its spans and log records, by time; None if there are none."""
    spans = spans_of(db, identity)
    logs = logs_of(db, identity)
    if not spans and not logs:
        return None
    numbers = {one["resource"] for one in (*spans, *logs)}
    return {"trace": identity.hex(), "spans": spans, "logs": logs, "resources": resources(db, numbers)}


def spans_of(db: sqlite3.Connection, identity: bytes) -> list[Json]:
    """The spans of a trace, by time."""
    query = f"SELECT {SPAN} FROM span WHERE trace = ? LIMIT {_MOST_SPANS}"
    return sorted(map(span, db.execute(query, (identity,))), key=lambda one: (one["start"], -one["ms"]))


def logs_of(db: sqlite3.Connection, identity: bytes) -> list[Json]:
    """The log records of a trace, by time."""
    query = f"SELECT {LOG} FROM log WHERE trace = ? ORDER BY id LIMIT {_MOST_RECORDS}"
    return sorted(map(log, db.execute(query, (identity,))), key=lambda one: one["at"])
