"""The ledger's figures in one SQLite file, shared by all workers of a machine.

Fed by `quality.ledger`; feeds the file. It is in WAL mode: a killed process loses nothing that was answered, and a power cut
may lose the last moments, because no question waits for the disk. Times are the system's: an app's tests may freeze Python's.
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .._clock import monotonic
from .ledger import PATIENCE, Addition, LedgerUnavailable, Tally

MOST_BYTES: Final = 256 * 1024 * 1024
"""Size at which the figures that expire first are given up."""
_SWEEP: Final = 256
"""Writes between two looks at what has expired."""
_BATCH: Final = 1000
"""Expired figures that one write removes: more of them would keep the other workers waiting."""

_PAUSE: Final = 0.001
"""Seconds between two tries while another process writes. A write takes a tenth of that."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS figures (key TEXT PRIMARY KEY, value, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_expiry ON figures (expires);
"""
# Milliseconds by the system's clock. "subsec" needs SQLite 3.42.
_NOW: Final = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
_FIND: Final = "SELECT value FROM figures WHERE key = ? AND expires > " + _NOW
_RANGE: Final = "SELECT key, value FROM figures WHERE key >= ? AND key < ? AND expires > " + _NOW
_PUT: Final = "INSERT OR REPLACE INTO figures VALUES (?, ?, ? + " + _NOW + ")"
_DROP: Final = "DELETE FROM figures WHERE key IN (SELECT key FROM figures {which} ORDER BY expires LIMIT ?)"
_DROP_EXPIRED: Final = _DROP.format(which="WHERE expires <= " + _NOW)
_DROP_FIRST: Final = _DROP.format(which="")


class SqliteEngine:
    """The figures in the file at `path`."""

    def __init__(self, path: Path, *, patience: float = PATIENCE, most_bytes: int = MOST_BYTES, sweep: int = _SWEEP) -> None:
        self._patience = patience
        self._most_bytes = most_bytes
        self._sweep = sweep
        self._writes = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made here, so that nobody else can read it: SQLite gives the files beside it the same rights.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._ask("PRAGMA journal_mode = WAL")
            self._ask("PRAGMA synchronous = NORMAL")
            if not self._ask("SELECT 1 FROM sqlite_master WHERE name = 'by_expiry'").fetchone():
                with self._transaction():
                    for statement in _SCHEMA.split(";\n"):
                        self._connection.execute(statement)
        except BaseException:
            self._connection.close()
            raise

    def _ask(self, statement: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run a statement as soon as no other process is in its way.

        SQLite's own waiting has pauses that grow to 0.1 s, in which busy workers overtake, and it holds up a gevent server.
        """
        deadline = monotonic() + self._patience
        while True:
            try:
                return self._connection.execute(statement, parameters)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                if monotonic() > deadline:  # the file is as good as before: the next question may find it free
                    raise LedgerUnavailable("the ledger is busy") from error
            time.sleep(_PAUSE)

    def swap(self, key: str, value: str, expires: float, tally: Tally | None = None) -> str | None:
        """See `Engine`."""
        with self._transaction():
            found = self._connection.execute(_FIND, (key,)).fetchone()
            self._connection.execute(_PUT, (key, value, _milliseconds(expires)))
            before = str(found[0]) if found else None
            if tally is not None and before != value:
                self._add(_tallied(tally.name) + value, 1, tally.expires)
                if before is not None:
                    self._add(_tallied(tally.name) + before, -1, tally.expires)
        return before

    def tally(self, name: str) -> dict[str, int]:
        """See `Engine`."""
        first = _tallied(name)
        rows = self._ask(_RANGE, (first, first[:-1] + chr(ord(first[-1]) + 1))).fetchall()
        return {key[len(first) :]: int(count) for key, count in rows}

    def add(self, additions: Sequence[Addition]) -> list[int]:
        """See `Engine`."""
        with self._transaction():
            return [self._add(*addition) for addition in additions]

    def _add(self, key: str, amount: int, expires: float) -> int:
        found = self._connection.execute(_FIND, (key,)).fetchone()
        total = amount + (int(found[0]) if found else 0)
        self._connection.execute(_PUT, (key, total, _milliseconds(expires)))
        return total

    def read(self, keys: Sequence[str]) -> list[int]:
        """See `Engine`."""
        found = (self._ask(_FIND, (key,)).fetchone() for key in keys)
        return [int(row[0]) if row else 0 for row in found]

    def raise_to(self, addition: Addition) -> None:
        """See `Engine`."""
        key, amount, expires = addition
        with self._transaction():
            found = self._connection.execute(_FIND, (key,)).fetchone()
            if not found or int(found[0]) < amount:
                self._connection.execute(_PUT, (key, amount, _milliseconds(expires)))

    def first(self, key: str, value: str, expires: float) -> str:
        """See `Engine`."""
        with self._transaction():
            found = self._connection.execute(_FIND, (key,)).fetchone()
            if not found:
                self._connection.execute(_PUT, (key, value, _milliseconds(expires)))
        return str(found[0]) if found else value

    def close(self) -> None:
        """See `Engine`."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """The one writer of the file from here to the end of the block, or the error that another one was it too long."""
        self._ask("BEGIN IMMEDIATE")
        try:
            yield
            if self._writes % self._sweep == 0:
                self._drop()
            self._writes += 1
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _drop(self) -> None:
        """Drop what has expired; if the file is too large even so, what expires first."""
        self._connection.execute(_DROP_EXPIRED, (_BATCH,))
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size > self._most_bytes:
            self._connection.execute(_DROP_FIRST, (_BATCH,))


def _tallied(name: str) -> str:
    """What the keys of a tally's counts begin with."""
    return f"tally:{name}:"


def _milliseconds(seconds: float) -> int:
    return math.ceil(seconds * 1000)
