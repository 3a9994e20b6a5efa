"""Traces: the list of what came in, and one trace with all that is in it.

Fed by `ui.store` through `ui.api`; feeds the pages of traces and conversations.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import Any, Final

from .common import LOG, LOOKED_AT, PAGE, SPAN, Json, log, match, milliseconds, resources, span

_MOST_SPANS: Final = 5_000
"""Spans of one trace that are shown."""
_MOST_RECORDS: Final = 2_000
_ROW: Final = "id, hex(trace), start, end, name, code, status, route, conversation, error, resource"
_NEWEST: Final = 2**63 - 1


@dataclass(frozen=True)
class Wanted:
    """Which traces: each field that is set narrows the list. `before` is where the last page ended."""

    text: str = ""
    route: str = ""
    status: int = 0
    failed: bool = False
    least_ms: float = 0.0
    before: int = _NEWEST


def traces(db: sqlite3.Connection, wanted: Wanted) -> Json:
    """The newest traces that are wanted, and where to look on when there may be older ones."""
    found, looked_at, last = _by_text(db, wanted) if match(wanted.text) else _by_time(db, wanted)
    more = len(found) > PAGE or looked_at >= LOOKED_AT
    rows = [_listed(row) for row in found[:PAGE]]
    return {"traces": rows, "before": str(last) if more else None, "services": resources(db, {row["resource"] for row in rows})}


def _by_time(db: sqlite3.Connection, wanted: Wanted) -> tuple[list[Any], int, int]:
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
    conditions, values = _conditions(rest)  # beyond what the index says already
    most = LOOKED_AT if conditions else PAGE + 1
    within = (
        f"SELECT id, start, end, route, code, status FROM span INDEXED BY {index} WHERE entry = 1 AND {inner}"
        f" ORDER BY start DESC LIMIT {most}"
    )
    chosen = f"SELECT id FROM ({within}) WHERE 1 {conditions} ORDER BY start DESC LIMIT {PAGE + 1}"
    found = db.execute(f"SELECT {_ROW} FROM span WHERE id IN ({chosen}) ORDER BY start DESC", [*bound, *values]).fetchall()
    looked_at, last = db.execute(f"SELECT count(*), min(start) FROM ({within})", bound).fetchone()
    if len(found) > PAGE:
        last = found[PAGE - 1][2]
    return found, looked_at, last or 0


def _by_text(db: sqlite3.Connection, wanted: Wanted) -> tuple[list[Any], int, int]:
    """Traces of which some span has the words; `before` counts in the numbers of spans here."""
    conditions, values = _conditions(wanted)
    hits = db.execute(
        f"SELECT rowid FROM span_text WHERE span_text MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT {LOOKED_AT}",
        (match(wanted.text), wanted.before),
    ).fetchall()
    seen: set[bytes] = set()
    found: list[Any] = []
    last = 0
    for (number,) in hits:
        last = number
        (trace,) = db.execute("SELECT trace FROM span WHERE id = ?", (number,)).fetchone()
        if trace in seen:
            continue
        seen.add(trace)
        query = f"SELECT {_ROW} FROM span WHERE trace = ? AND entry = 1 {conditions} ORDER BY start LIMIT 1"
        row = db.execute(query, [trace, *values]).fetchone()
        if row is not None:
            found.append(row)
            if len(found) == PAGE:
                return found, LOOKED_AT, last
    return found, len(hits), last


def _conditions(wanted: Wanted) -> tuple[str, list[Any]]:
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
    if wanted.least_ms:
        parts.append("end - start >= ?")
        values.append(int(wanted.least_ms * 1e6))
    return "".join(f" AND {part}" for part in parts), values


def _listed(row: tuple[Any, ...]) -> Json:
    number, trace, start, end, name, code, status, route, conversation, error, resource = row
    return {
        "id": number, "trace": trace.lower(), "start": milliseconds(start), "ms": milliseconds(end - start), "name": name, "code": code,
        "failed": status == 2, "route": route, "conversation": conversation, "error": error, "resource": str(resource),
    }  # fmt: skip


def routes(db: sqlite3.Connection) -> list[str]:
    """The routes that there are, by a walk over the index that touches one entry per route."""
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
    """One trace: its spans and log records, by time; None when there is none of it."""
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
