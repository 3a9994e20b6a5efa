"""Hits and misses of a command, and what a read shows of a chat: told from the command and its reply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.databases import Figures, undisturbed

from otel_chatbot import config
from otel_chatbot.instrumentation.redis import histories, memory, reads
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.semconv import metrics as m

ADDRESS: Any = ("db.example", 6379, 0)
CHAT = json.dumps([{"role": "user", "content": "x"}])


@pytest.fixture(autouse=True)
def request_scope(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(histories, "NAMES", set())
    monkeypatch.setattr(reads, "NAMES", histories.NAMES)
    with undisturbed(), deduplication.request_scope():
        yield


def read(name: str, *arguments: Any, reply: Any = None) -> tuple[int, int]:
    return reads.reads(ADDRESS, name, arguments, reply)


@pytest.mark.parametrize(
    ("command", "reply", "told"),
    [
        (("GET", "answer:1"), b"x", (1, 0)),
        (("GET", "answer:1"), None, (0, 1)),
        (("GETDEL", "answer:1"), "x", (1, 0)),
        (("GETEX", "answer:1", "EX", 5), None, (0, 1)),
        (("HGET", "answers", "f"), b"x", (1, 0)),
        (("HGET", "answers", "f"), None, (0, 1)),
        (("MGET", "answer:1", "answer:2", "answer:3"), [b"x", None, b"y"], (2, 1)),
        (("HMGET", "answers", "a", "b"), [None, b"x"], (1, 1)),
        (("HGETALL", "answers"), {}, (0, 1)),
        (("HGETALL", "answers"), {b"a": b"b"}, (1, 0)),
        (("GET", "session:1"), b"x", (0, 0)),
        (("MGET", "session:1", "answer:1"), [b"x", None], (0, 1)),
        (("GET",), b"x", (0, 0)),
    ],
)
def test_each_key_or_field_that_is_asked_for_is_a_hit_or_a_miss(command: tuple, reply: Any, told: tuple) -> None:
    assert read(*command, reply=reply) == told


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (("GET", "chat:1"), CHAT),
        (("GET", "chat:1"), CHAT.encode()),
        (("GET", "chat:1"), b"[]"),
        (("HGET", "user:1", "chat_history"), CHAT),
        (("HGETALL", "user:1"), {b"chat_history": CHAT.encode(), b"name": b"n"}),
        (("GET", "5511"), CHAT),
    ],
)
def test_a_chat_that_is_read_is_no_hit(command: tuple, reply: Any) -> None:
    assert read(*command, reply=reply) == (0, 0)


def test_a_chat_that_was_read_is_known_to_a_later_write() -> None:
    read("GET", "chat:1", reply=CHAT)
    assert memory.current().value((ADDRESS, "chat:1", "")) == {"": ({"role": "user", "content": "x"},)}


def test_many_keys_at_once_are_a_caches() -> None:
    wanted = [f"chat:{number}" for number in range(reads._MOST + 1)]
    assert read("MGET", *wanted, "session:1", reply=[CHAT, *[None] * (len(wanted))]) == (1, len(wanted) - 1)


def test_a_miss_where_a_chat_may_lie_counts_when_the_request_ends_unless_one_is_written_there() -> None:
    record.activate(m.CACHE_MISSES)
    figures = Figures()
    with deduplication.request_scope() as scope:
        assert [read("GET", key) for key in ("chat:1", "chat:2")] == [(0, 0), (0, 0)]
        memory.current().is_chat((ADDRESS, "chat:2"))
        assert scope.ends
    assert figures(m.CACHE_MISSES) == 1


def test_a_miss_under_a_name_of_chats_is_none() -> None:
    histories.NAMES.add("dialog answer")
    assert read("GET", "dialog:answer:1") == (0, 0)
    assert read("GET", "answer:1") == (0, 1)


def test_a_hash_without_an_array_is_a_hit_unless_its_name_is_of_chats() -> None:
    assert read("HGETALL", "room:1", reply={b"role": b"user"}) == (1, 0)
    histories.NAMES.add("room")
    assert read("HGETALL", "room:1", reply={b"role": b"user"}) == (0, 0)


def test_with_a_prefix_other_keys_are_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "current", lambda: config.Settings(cache_prefix="cache:"))
    assert [read("GET", key) for key in ("cache:1", "answer:1")] == [(0, 1), (0, 0)]


def listed(name: str, *arguments: Any, reply: Any = ()) -> Any:
    reads.shows(ADDRESS, name, arguments, reply)
    return memory.current().listed((ADDRESS, "k"))


@pytest.mark.parametrize(
    ("command", "reply", "known"),
    [
        (("LRANGE", "k", 0, -1), [], True),
        (("LRANGE", "k", "0", "-1"), [b"a"], True),
        (("LRANGE", "k", -20, -1), [], True),
        (("LRANGE", "k", -20, -1), [b"a"], False),
        (("LRANGE", "k", 5, 9), [], False),
        (("LLEN", "k"), 0, True),
        (("LLEN", "k"), 3, False),
        (("EXISTS", "j", "k"), 0, True),
        (("XRANGE", "k", "-", "+", "COUNT", 9), [], True),
        (("ZRANGE", "k", 0, -1), [], True),
        (("ZRANGE", "k", 0, -1, "BYSCORE"), [], False),
        (("LRANGE",), [], False),
    ],
)
def test_a_read_of_everything_shows_what_a_list_holds(command: tuple, reply: Any, known: bool) -> None:
    assert (listed(*command, reply=reply) is not None) is known


def test_a_read_after_a_delete_shows_that_the_list_begins_anew() -> None:
    lost = memory.current().keep_list((ADDRESS, "k"), memory.KnownList())
    lost.lost = True
    assert listed("LRANGE", "k", 0, -1, reply=[]).empty
    known = listed("LRANGE", "k", 0, -1, reply=[])
    assert listed("LRANGE", "k", 0, -1, reply=[b"a"]) is known, "what is known stays"


@pytest.mark.parametrize(("path", "reply"), [((), CHAT), (("$",), f"[{CHAT}]"), (("$",), [json.loads(CHAT)]), ((".",), CHAT)])
def test_a_document_of_json_is_known_by_its_path(path: tuple, reply: Any) -> None:
    reads.shows(ADDRESS, "JSON.GET", ("chat:1", *path), reply)
    assert memory.current().value((ADDRESS, "chat:1", "")) == {"": ({"role": "user", "content": "x"},)}


@pytest.mark.parametrize(("path", "reply"), [("$", None), ("$", []), ("$", "[]"), (".", None)])
def test_a_document_of_json_that_is_not_there_holds_nothing(path: str, reply: Any) -> None:
    reads.shows(ADDRESS, "JSON.GET", ("chat:1", path), reply)
    assert memory.current().value((ADDRESS, "chat:1", "")) == {}
