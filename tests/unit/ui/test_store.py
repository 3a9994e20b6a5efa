from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest
from support.viewer import batch_of, chat, log_request, store, trace_request

from otel_chatbot.ui.rows import Batch
from otel_chatbot.ui.store import BusyError, Store


def count(one: Store, table: str) -> int:
    with one.reading() as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_what_was_written_is_there_at_once_and_after_a_restart(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.write(batch_of(trace_request(*chat(1)), log_request({"body": "hello"})))
    assert (count(first, "span"), count(first, "log")) == (3, 1)
    first.close()
    second = store(tmp_path)
    assert (count(second, "span"), count(second, "log"), count(second, "conversation")) == (3, 1, 1)
    second.close()


def test_a_span_that_comes_twice_is_one_span_everywhere(tmp_path: Path) -> None:
    one = store(tmp_path)
    for _ in range(2):
        one.write(batch_of(trace_request(*chat(1, failed=True))))
    with one.reading() as db:
        assert db.execute("SELECT count(*) FROM span").fetchone() == (3,)
        assert db.execute("SELECT max(count) FROM problem").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM span_text WHERE span_text MATCH 'find'").fetchone() == (1,)
    one.close()


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    one = store(tmp_path)

    def write(which: int) -> None:
        for number in range(20):
            one.write(batch_of(trace_request(*chat(1000 * which + number + 1))))

    threads = [threading.Thread(target=write, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(one, "span") == 4 * 20 * 3
    one.close()


def test_a_file_that_is_no_database_is_kept_beside_a_new_one_and_said(tmp_path: Path) -> None:
    path = tmp_path / "ui.sqlite"
    path.write_bytes(b"this is no database at all" * 100)
    said: list[str] = []
    one = Store(str(path), 1 << 26, 1e9, said.append)
    one.write(batch_of(trace_request(*chat(1))))
    assert count(one, "span") == 3
    [aside] = tmp_path.glob("ui.sqlite.unreadable-*")
    assert aside.read_bytes().startswith(b"this is no database")
    assert len(said) == 1
    assert "cannot be read" in said[0]
    assert str(aside) in said[0]
    one.close()


def test_a_file_with_tables_of_another_version_is_kept_beside_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "ui.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    one = store(tmp_path)
    assert count(one, "span") == 0
    assert len(list(tmp_path.glob("ui.sqlite.unreadable-*"))) == 1
    one.close()


def test_a_row_that_cannot_be_written_is_refused_and_the_next_one_is_written(tmp_path: Path) -> None:
    one = store(tmp_path)
    bad = Batch(spans=[(object(),) * 20])
    with pytest.raises(BusyError):
        one.write(bad)
    one.write(batch_of(trace_request(*chat(1))))
    assert count(one, "span") == 3
    one.close()


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    one = store(tmp_path)
    assert os.stat(one.path).st_mode & 0o077 == 0
    one.close()


def test_reading_connections_cannot_write(tmp_path: Path) -> None:
    one = store(tmp_path)
    with one.reading() as db, pytest.raises(sqlite3.OperationalError):
        db.execute("DELETE FROM span")
    one.close()
