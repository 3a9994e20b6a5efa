"""The viewer's file: SQLite of a limited size, written by one thread, read by many.

Fed by `ui.ingest`, `ui.files`, `ui.spooled` and `ui.sources` (batches of rows); feeds `ui.queries`. A batch is reported as
written after its transaction, so it survives a kill. A file that SQLite cannot read is set aside under another name.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from . import bounds, schema
from .rows import Batch

_WAITING: Final = 32
"""The most batches that wait to be written."""
_MOST_AT_ONCE: Final = 20_000
"""With so many rows, a transaction takes no further batch."""
_PATIENCE: Final = 10.0
"""Seconds that a sender waits for a place in the queue, and again until its rows are written."""
_READERS: Final = 4
"""The most unused connections for reading that are kept."""
_WRITER_CACHE, _READER_CACHE = -32_000, -8_000

Say = Callable[[str], None]


class BusyError(Exception):
    """The file cannot be written, or not as fast as rows come: the sender should try again later."""


class Store:
    """The file at `path`, with at most about `max_bytes` on the disk and nothing older than `max_age` seconds."""

    def __init__(self, path: str, max_bytes: int, max_age: float, say: Say = lambda _text: None) -> None:
        self.path = path
        self.limits = bounds.Limits(max_bytes, max_age)
        self._say = say
        self._queue: queue.Queue[Batch | None] = queue.Queue(_WAITING)
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue(_READERS)
        self._generation = 0
        self.changes = 0
        """Grows with each transaction: by it a page sees that there is something new."""
        self._known: set[int] = set()
        self._writer = self._open()
        self._thread = threading.Thread(target=self._run, name="viewer-writer", daemon=True)
        self._thread.start()

    def write(self, batch: Batch) -> None:
        """Write a batch, and return after its transaction; BusyError if it was not written in time."""
        try:
            self._queue.put(batch, timeout=_PATIENCE)
        except queue.Full:
            raise BusyError("the viewer's file is written more slowly than rows come") from None
        if not batch.written.wait(_PATIENCE):
            raise BusyError("the viewer's file is written too slowly")
        if batch.failure:
            raise BusyError(batch.failure)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for reading; its view of the data does not change inside the `with` block."""
        generation = self._generation
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect(_READER_CACHE)
            connection.execute("PRAGMA query_only = 1")
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.rollback()
            self._give_back(connection, generation)

    def _give_back(self, connection: sqlite3.Connection, generation: int) -> None:
        try:
            if generation == self._generation:
                self._idle.put_nowait(connection)
                return
        except queue.Full:
            pass
        connection.close()

    def close(self) -> None:
        """Write the waiting batches, and close."""
        self._queue.put(None)
        self._thread.join()
        self._writer.close()
        self._forget_readers()

    def _connect(self, cache: int) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA cache_size = {cache}")
        return connection

    def _open(self) -> sqlite3.Connection:
        folder = os.path.dirname(self.path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        try:
            return self._prepared()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                raise  # the disk or its rights are at fault: a new file would not help
            self._set_aside(error)
            return self._prepared()

    def _prepared(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # only this user may read what users said
        connection = self._connect(_WRITER_CACHE)
        try:
            _check_version(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA journal_size_limit = {self.limits.log_bytes}")
            connection.executescript(schema.TABLES)
            connection.execute(f"PRAGMA user_version = {schema.VERSION}")
        except BaseException:
            connection.close()
            raise
        self._known = set()
        return connection

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        aside = f"{self.path}.unreadable-{time.strftime('%Y%m%d-%H%M%S')}"
        self._say(f"{self.path} cannot be read ({error}); it is kept as {aside}, and a new one is begun")
        os.replace(self.path, aside)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(self.path + suffix, aside + suffix)

    def _forget_readers(self) -> None:
        self._generation += 1
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            batches = self._more(first)
            if batches:
                self._write(batches)
            if first is None or (batches and self._ended):
                return

    _ended = False

    def _more(self, first: Batch | None) -> list[Batch]:
        """The first batch, and the waiting ones that are written together with it."""
        batches: list[Batch] = []
        one = first
        rows = weight = 0
        while one is not None:
            batches.append(one)
            rows += len(one)
            weight += one.weight
            if rows >= _MOST_AT_ONCE or weight >= self.limits.bytes_at_once:
                return batches
            try:
                one = self._queue.get_nowait()
            except queue.Empty:
                return batches
        self._ended = True
        return batches

    def _write(self, batches: list[Batch]) -> None:
        try:
            self._transaction(batches)
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError) and not isinstance(error, sqlite3.IntegrityError):
                self._begin_anew(error)
            self._fail(batches, f"the viewer's file cannot be written: {error}")
        except Exception as error:  # a row that SQLite does not take: the thread goes on
            self._fail(batches, f"{type(error).__name__}: {error}")
        self.changes += 1
        for batch in batches:
            batch.written.set()

    def _begin_anew(self, error: sqlite3.DatabaseError) -> None:
        self._writer.close()
        self._forget_readers()
        self._set_aside(error)
        self._writer = self._prepared()

    def _fail(self, batches: list[Batch], why: str) -> None:
        self._say(why)
        with contextlib.suppress(sqlite3.Error):
            self._writer.rollback()
        for batch in batches:
            batch.failure = why

    def _transaction(self, batches: list[Batch]) -> None:
        db = self._writer
        db.execute("BEGIN IMMEDIATE")
        for batch in batches:
            new = [row for row in batch.resources.values() if row[0] not in self._known]
            db.executemany("INSERT OR IGNORE INTO resource VALUES (?, ?, ?, ?)", new)
            db.executemany(_NAME, [(row[2],) for row in new if row[2]])
            db.executemany(_SPAN, batch.spans)
            db.executemany(_LOG, batch.logs)
            db.executemany(_SERIES, batch.series.values())
            db.executemany(_SAMPLE, batch.samples)
            db.executemany("INSERT OR REPLACE INTO position VALUES (?, ?)", batch.positions.items())
        bounds.tick(db, time.time())
        db.execute("COMMIT")
        for batch in batches:
            self._known.update(batch.resources)
        if bounds.shrink(db, self.limits, time.time()):
            self._known.clear()


def _check_version(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, schema.VERSION):
        raise sqlite3.DatabaseError(f"its tables are of version {version}, and this is {schema.VERSION}")


def _insert(table: str, columns: tuple[str, ...], end: str = "") -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) {end}"


_NAME: Final = (
    "UPDATE resource SET service = coalesce((SELECT max(service) FROM resource AS other WHERE other.instance = resource.instance), '')"
    " WHERE instance = ? AND service = ''"
)
"""Figures and log lines do not always hold the app's name: then the name from spans of the same instance is used."""
_SPAN: Final = _insert("span", schema.SPAN_COLUMNS, "ON CONFLICT (trace, span) DO NOTHING")
_LOG: Final = _insert("log", schema.LOG_COLUMNS)
_SERIES: Final = _insert("series", schema.SERIES_COLUMNS, "ON CONFLICT (id) DO NOTHING")
_SAMPLE: Final = _insert("sample", schema.SAMPLE_COLUMNS, "ON CONFLICT (series, at) DO NOTHING")
