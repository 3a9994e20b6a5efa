"""Log records and problems: the newest that are wanted, and what goes wrong grouped by kind and place.

Fed by `ui.store` through `ui.api`; feeds the pages of logs and errors.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from .common import LOG, LOOKED_AT, PAGE, Json, log, match, milliseconds, resources

_ROWS: Final = 2 * PAGE
_NEWEST: Final = 2**63 - 1
_WARNING, _ERROR = 13, 17


@dataclass(frozen=True)
class Wanted:
    """Which records: each field that is set narrows the list. `before` and `after` are numbers of records."""

    text: str = ""
    level: int = 0
    logger: str = ""
    trace: str = ""
    before: int = _NEWEST
    after: int = 0


def logs(db: sqlite3.Connection, wanted: Wanted) -> Json:
    """The newest records that are wanted, newest first, and where to look on when there may be older ones."""
    candidates, values = _candidates(wanted)
    conditions = ["level >= ?"] if wanted.level else []
    narrow: list[Any] = [wanted.level] if wanted.level else []
    if wanted.logger:
        conditions.append("(logger = ? OR logger GLOB ?)")
        narrow += [wanted.logger, wanted.logger.replace("[", "").replace("*", "").replace("?", "") + ".*"]
    where = "".join(f" AND {one}" for one in conditions)
    found = db.execute(
        f"SELECT {LOG} FROM log WHERE id IN ({candidates}) {where} ORDER BY id DESC LIMIT {_ROWS + 1}",
        [*values, *narrow],
    ).fetchall()
    count, last = db.execute(f"SELECT count(*), min(id) FROM ({candidates})", values).fetchone()
    more = len(found) > _ROWS or count >= LOOKED_AT
    rows = [log(row) for row in found[:_ROWS]]
    if len(found) > _ROWS:
        last = rows[-1]["id"]
    return {
        "logs": rows, "before": str(last) if more and last else None, "services": resources(db, {row["resource"] for row in rows})
    }  # fmt: skip


def _candidates(wanted: Wanted) -> tuple[str, list[Any]]:
    """Numbers of the newest records that may be wanted, from an index."""
    bounds: list[Any] = [wanted.before, wanted.after]
    most = LOOKED_AT if wanted.logger or wanted.level else _ROWS + 1
    words = match(wanted.text)
    if words:
        return (
            f"SELECT rowid AS id FROM log_text WHERE log_text MATCH ? AND rowid < ? AND rowid > ? ORDER BY rowid DESC LIMIT {most}",
            [words, *bounds],
        )
    if wanted.trace:
        return (
            f"SELECT id FROM log WHERE trace = ? AND id < ? AND id > ? ORDER BY id DESC LIMIT {LOOKED_AT}",
            [_trace(wanted.trace), *bounds],
        )
    level = " AND level >= 17" if wanted.level >= _ERROR else " AND level >= 13" if wanted.level >= _WARNING else ""
    if not wanted.logger and (level or not wanted.level):  # the index says all that is wanted
        most = _ROWS + 1
    return f"SELECT id FROM log WHERE id < ? AND id > ?{level} ORDER BY id DESC LIMIT {most}", bounds


def _trace(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def problems(db: sqlite3.Connection) -> Json:
    """What went wrong, by kind and place, the latest first, with a trace as an example."""
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
