"""Keeps the viewer's file within its limits of size and age: the oldest rows are removed first.

Fed by `ui.store`, after each transaction. Rows are removed in small transactions, so that senders never wait long and the log beside
the file stays small. Free pages of the file are used again: the file itself neither shrinks nor grows.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

_PART: Final = 500
"""Rows that one transaction removes."""
_SHARE: Final = 16
"""If the file is full, about a sixteenth of it is freed."""
_LOG_SHARE: Final = 8
"""The log beside the file may take an eighth of the limit."""
_MULTIPLE: Final = 6
_TICK: Final = 60
"""Seconds between two notes of the highest row numbers."""
_LEAST_LOG: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """The limits: bytes on the disk, and seconds of age."""

    max_bytes: int
    max_age: float

    @property
    def log_bytes(self) -> int:
        """The bytes of the limit that the log beside the file may take."""
        return min(max(self.max_bytes // _LOG_SHARE, _LEAST_LOG), 64 * 1024 * 1024)

    @property
    def bytes_at_once(self) -> int:
        """The bytes of one transaction. In the log it takes several times as much, with its indexes."""
        return self.log_bytes // _MULTIPLE

    @property
    def file_bytes(self) -> int:
        """The bytes that the file itself may take, with room for one transaction before the oldest rows are removed."""
        return self.max_bytes - self.log_bytes - self.log_bytes // 2


def used(db: sqlite3.Connection) -> int:
    """Bytes of the file that hold something."""
    pages, free, size = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size"))
    return int((pages - free) * size)


def tick(db: sqlite3.Connection, now: float) -> None:
    """Once per minute, note the highest row numbers: they tell the age of a row."""
    db.execute(
        "INSERT OR IGNORE INTO tick SELECT ?, (SELECT max(id) FROM span), (SELECT max(id) FROM log)",
        (int(now) // _TICK * _TICK,),
    )


def shrink(db: sqlite3.Connection, limits: Limits, now: float) -> bool:
    """Remove rows that are too old, and the oldest while the file is too full; return whether any were removed."""
    removed = _remove_old(db, now - limits.max_age)
    if used(db) > limits.file_bytes:
        aim = limits.file_bytes - limits.file_bytes // _SHARE
        while used(db) > aim and _remove_oldest(db):
            removed = True
    return removed


def _remove_old(db: sqlite3.Connection, since: float) -> bool:
    found = db.execute("SELECT max(at), max(span), max(log) FROM tick WHERE at < ?", (since - _TICK,)).fetchone()
    if found[0] is None:
        return False
    _, span, log = found
    while _remove_part(db, "span", span or 0) or _remove_part(db, "log", log or 0):
        pass
    db.execute("DELETE FROM tick WHERE at < ?", (since - _TICK,))
    db.execute("DELETE FROM sample WHERE at < ?", (int(since * 1e9),))
    db.execute("DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM sample WHERE sample.series = series.id)")
    _forget(db, int(since * 1e9))
    return True


def _remove_oldest(db: sqlite3.Connection) -> bool:
    """Remove the same share of the oldest rows of each table; return whether there were any."""
    removed = False
    for table in ("span", "log"):
        first, last = db.execute(f"SELECT min(id), max(id) FROM {table}").fetchone()
        if first is not None:
            while _remove_part(db, table, first + (last - first) // _SHARE):
                removed = True
    if db.execute("SELECT count(*) FROM (SELECT 1 FROM sample LIMIT ?)", (_PART,)).fetchone()[0] == _PART:
        first, last = db.execute("SELECT min(at), max(at) FROM sample").fetchone()
        db.execute("DELETE FROM sample WHERE at <= ?", (first + (last - first) // _SHARE,))
        removed = True
    if removed:
        start = db.execute("SELECT min(start) FROM (SELECT start FROM span ORDER BY id LIMIT 1000)").fetchone()[0]
        _forget(db, start or 0)
    return removed


def _remove_part(db: sqlite3.Connection, table: str, upto: int) -> bool:
    done = db.execute(
        f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE id <= ? ORDER BY id LIMIT ?)", (upto, _PART)
    )
    return done.rowcount > 0


def _forget(db: sqlite3.Connection, since: int) -> None:
    """Remove the conversations and problems whose rows are all gone."""
    db.execute("DELETE FROM conversation WHERE last < ?", (since,))
    db.execute("DELETE FROM problem WHERE last < ?", (since,))
