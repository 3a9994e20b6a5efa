"""The ledger's file: it stays small, only its owner reads it, and another program's lock does not hold the app."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from support.process import wait_for

from otel_chatbot.quality.ledger import Addition, LedgerUnavailable
from otel_chatbot.quality.sqlite_engine import SqliteEngine


def rows(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        found = [key for (key,) in connection.execute("SELECT key FROM figures ORDER BY key")]
    connection.close()
    return found


def test_what_has_expired_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    engine = SqliteEngine(path, sweep=1)
    engine.add([Addition(f"short{number}", 1, 0.001) for number in range(50)])
    engine.add([Addition("long", 1, 3600.0)])
    wait_for(lambda: (engine.add([Addition("long", 1, 3600.0)]), rows(path) == ["long"])[1], "the short ones to go")
    engine.close()


def test_a_file_that_has_grown_too_large_loses_what_expires_first(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    engine = SqliteEngine(path, most_bytes=400 * 1024, sweep=1)
    for batch in range(40):
        engine.add([Addition(f"{batch:02}-{number:03}-{'x' * 40}", 1, 3600.0 * (batch + 1)) for number in range(100)])
    left = {key[:2] for key in rows(path)}
    assert "39" in left
    assert "00" not in left
    engine.close()


def test_only_its_owner_can_read_the_file_and_those_beside_it(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "ledger.sqlite")
    engine.swap("key", "up", 3600.0)
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["ledger.sqlite", "ledger.sqlite-shm", "ledger.sqlite-wal"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    engine.close()


def test_a_write_that_another_program_holds_up_ends_with_an_error_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    engine = SqliteEngine(path, patience=0.05)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="busy"):
            engine.add([Addition("key", 1, 3600.0)])
        assert engine.read(["key"]) == [0]
        other.execute("ROLLBACK")
        assert engine.add([Addition("key", 1, 3600.0)]) == [1]
    other.close()
    engine.close()


def test_additions_are_all_made_or_none(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "ledger.sqlite")
    with pytest.raises(OverflowError):
        engine.add([Addition("one", 1, 3600.0), Addition("two", 2**70, 3600.0)])
    assert engine.read(["one", "two"]) == [0, 0]
    engine.close()
