"""The tables of the viewer's file: triggers keep what is derived in step with the rows that are really there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from otel_chatbot.ui import schema

SPAN = dict.fromkeys(schema.SPAN_COLUMNS, None) | {
    "trace": b"\x01" * 16, "span": b"\x01" * 8, "start": 10, "end": 20, "name": "GET /", "entry": 1, "status": 0, "resource": 1,
    "more": '{"said": "zebra"}',
}  # fmt: skip
LOG = dict.fromkeys(schema.LOG_COLUMNS, None) | {"at": 10, "level": 9, "body": "a zebra", "resource": 1, "more": "{}"}


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:")
    for _ in range(2):
        made.executescript(schema.TABLES)  # a file that is opened again has them already
    yield made
    made.close()


def insert(db: sqlite3.Connection, table: str, row: dict[str, Any], **more: Any) -> None:
    row = row | more
    places = ", ".join("?" for _ in row)
    columns = ", ".join(f'"{name}"' for name in row)
    db.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})", [*row.values()])


def found(db: sqlite3.Connection, query: str) -> list[Any]:
    return db.execute(query).fetchall()


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("span", schema.SPAN_COLUMNS),
        ("log", schema.LOG_COLUMNS),
        ("series", schema.SERIES_COLUMNS),
        ("sample", schema.SAMPLE_COLUMNS),
    ],
)
def test_the_columns_of_rows_are_those_of_the_tables_in_order(
    db: sqlite3.Connection, table: str, columns: tuple[str, ...]
) -> None:
    there = [row[1] for row in found(db, f"PRAGMA table_info({table})")]
    assert there == [*columns] or there == ["id", *columns]


def test_a_span_that_arrives_twice_is_one_and_changes_nothing_derived(db: sqlite3.Connection) -> None:
    for _ in range(2):
        insert(db, "span", SPAN, conversation="talk", error="timeout")
    assert found(db, "SELECT count(*) FROM span") == [(1,)]
    assert found(db, "SELECT count FROM problem") == [(1,)]


def test_a_conversation_reaches_from_its_first_span_to_its_last(db: sqlite3.Connection) -> None:
    for number, (start, end) in enumerate(((10, 20), (5, 8), (30, 90))):
        insert(db, "span", SPAN, span=bytes([number]) * 8, start=start, end=end, conversation="talk")
    assert found(db, "SELECT id, first, last FROM conversation") == [("talk", 5, 90)]


def test_problems_are_counted_by_kind_and_place_with_the_latest_trace(db: sqlite3.Connection) -> None:
    for number, at in enumerate((10, 30, 20)):
        insert(db, "span", SPAN, span=bytes([number]) * 8, trace=bytes([number]) * 16, start=at, error="timeout")
    insert(db, "log", LOG, error="ValueError", place="views.py:7", trace=b"\x09" * 16)
    assert found(db, "SELECT kind, place, signal, count, first, last, trace FROM problem ORDER BY signal") == [
        ("ValueError", "views.py:7", "log", 1, 10, 10, b"\x09" * 16), ("timeout", "GET /", "span", 3, 10, 30, bytes([1]) * 16),
    ]  # fmt: skip


@pytest.mark.parametrize("table", ["span", "log"])
def test_the_words_of_a_row_are_found_as_long_as_it_is_there(db: sqlite3.Connection, table: str) -> None:
    insert(db, table, SPAN if table == "span" else LOG)
    search = f"SELECT rowid FROM {table}_text WHERE {table}_text MATCH 'zebra'"
    assert found(db, search) == [(1,)]
    db.execute(f"DELETE FROM {table}")
    assert found(db, search) == []
