"""Log records and problems: the newest wanted records, and the errors grouped by kind and place.

Fed by `ui.store` through `ui.api`; feeds the pages of logs and errors.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from .common import LOG, LOG_TEXT, LOOKED_AT, NEWEST, PAGE, Json, Match, hits, log, match, milliseconds, resources

_ROWS: Final = 2 * PAGE
_WARNING, _ERROR = 13, 17


@dataclass(frozen=True)
class WantedLogs:
    """Which records: each field that is set narrows the list. `before` and `after` are numbers of records."""

    text: str = ""
    level: int = 0
    logger: str = ""
    trace: str = ""
    before: int = NEWEST
    after: int = 0


def logs(db: sqlite3.Connection, wanted: WantedLogs) -> Json:
    """The wanted records, newest first, and where the next page begins if there may be older ones."""
    words = match(db, wanted.text, LOG_TEXT)
    conditions, values = _conditions(wanted, words)
    query = f"SELECT {LOG} FROM log WHERE id = ? {conditions}"
    rows: list[Json] = []
    looked_at = last = 0
    for number in _candidates(db, wanted, words):
        looked_at += 1
        row = db.execute(query, [number, *values]).fetchone()
        if row is not None and len(rows) == _ROWS:
            looked_at = LOOKED_AT
            break
        last = number
        if row is not None:
            rows.append(log(row))
    return {
        "logs": rows, "before": str(last) if looked_at == LOOKED_AT else None, "cut": bool(words and words.cut),
        "services": resources(db, {row["resource"] for row in rows}),
    }  # fmt: skip


def _conditions(wanted: WantedLogs, words: Match | None) -> tuple[str, list[Any]]:
    """The conditions that the index does not check."""
    parts: list[str] = []
    values: list[Any] = []
    if wanted.level:
        parts.append("level >= ?")
        values.append(wanted.level)
    if wanted.logger:
        parts.append("(logger = ? OR logger GLOB ?)")
        values += [wanted.logger, wanted.logger.replace("[", "").replace("*", "").replace("?", "") + ".*"]
    if wanted.trace and words:
        parts.append(f"EXISTS (SELECT 1 FROM {LOG_TEXT} WHERE {LOG_TEXT} MATCH ? AND rowid = log.id)")
        values.append(words.query)
    return "".join(f" AND {part}" for part in parts), values


def _candidates(db: sqlite3.Connection, wanted: WantedLogs, words: Match | None) -> Iterator[int]:
    """Numbers of the newest records that may be wanted, from an index, one by one, so that the caller can stop."""
    if words and not wanted.trace:
        return takewhile(lambda number: number > wanted.after, hits(db, LOG_TEXT, words.query, wanted.before))
    where, values = "", []
    if wanted.trace:
        where, values = " AND trace = ?", [_trace(wanted.trace)]
    elif wanted.level >= _WARNING:
        where = " AND level >= 17" if wanted.level >= _ERROR else " AND level >= 13"
    query = f"SELECT id FROM log WHERE id < ? AND id > ? {where} ORDER BY id DESC LIMIT ?"
    return (row[0] for row in db.execute(query, [wanted.before, wanted.after, *values, LOOKED_AT]))


def _trace(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def problems(db: sqlite3.Connection) -> Json:
    """The errors by kind and place, the latest first, with one trace each as an example."""
    rows = db.execute(
        "SELECT kind, place, signal, count, first, last, hex(trace), service FROM problem"
        " LEFT JOIN resource ON resource.id = problem.resource ORDER BY last DESC LIMIT 500"
    )
    return {
        "problems": [
            {
                "kind": kind, "place": place, "signal": signal, "count": count, "first": milliseconds(first),
                "last": milliseconds(last), "trace": (trace or "").lower(), "service": service,
            }
            for kind, place, signal, count, first, last, trace, service in rows
        ]
    }  # fmt: skip
