"""Commands of Redis's JSON module, as langchain-redis and applications send them: a server without it knows none of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.databases import Figures, undisturbed

from otel_chatbot.instrumentation.common import chat_turn
from otel_chatbot.instrumentation.redis.commands import State, begin
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.semconv import metrics as m

USER, BOT = {"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}


class Client:
    class connection_pool:  # noqa: N801 - as redis-py calls it
        connection_kwargs: dict[str, Any] = {"host": "db.example", "port": 6379, "db": 0}


def send(*command: Any, reply: Any) -> None:
    operation = begin(Client(), str(command[0]), [command])
    assert operation is not None
    operation.succeeded([reply])


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], tuple[float, ...]]]:
    monkeypatch.setattr(State, "on", True)
    with undisturbed(), deduplication.request_scope():
        record.activate(m.CONVERSATIONS_CREATED, m.MESSAGES_SENT, m.MESSAGES_RECEIVED)
        figures = Figures()
        yield lambda: tuple(figures(spec) for spec in (m.CONVERSATIONS_CREATED, m.MESSAGES_SENT, m.MESSAGES_RECEIVED))


Counted = Callable[[], tuple[float, ...]]


def test_langchain_redis_keeps_each_message_as_a_document(counted: Counted) -> None:
    commands = []
    for number, kind in enumerate(("human", "ai", "system")):
        data = {"content": "x", "additional_kwargs": {}, "type": kind}
        document = {"type": kind, "message_id": f"01J{number}", "data": data, "session_id": "s1", "timestamp": 1.5}
        commands += [("JSON.SET", f"chat:s1:01J{number}", "$", json.dumps(document)), ("EXPIRE", f"chat:s1:01J{number}", 60)]
    operation = begin(Client(), "PIPELINE", commands, pipeline=True)
    assert operation is not None
    operation.succeeded([True, True] * 3)
    assert counted()[1:] == (1, 1)
    assert chat_turn.conversation_id() == "s1"


def test_an_array_in_a_document_grows_by_appending(counted: Counted) -> None:
    send("JSON.SET", "conversation:1", "$", json.dumps({"title": "t", "messages": []}), reply=True)
    send("JSON.ARRAPPEND", "conversation:1", "$.messages", json.dumps(USER), json.dumps(BOT), reply=[2])
    send("JSON.ARRAPPEND", "conversation:1", ".messages", json.dumps(USER), reply=3)
    send("JSON.ARRAPPEND", "conversation:1", "$.messages", json.dumps(USER), reply=[None])
    assert counted() == (1, 2, 1)


@pytest.mark.parametrize(
    ("path", "shown", "written"),
    [
        ("$", [{"messages": [USER, BOT]}], {"messages": [USER, BOT, USER]}),
        (".", {"messages": [USER, BOT]}, {"messages": [USER, BOT, USER]}),
        ("$.messages", [[USER, BOT]], [USER, BOT, USER]),
        (".messages", json.dumps([USER, BOT]), [USER, BOT, USER]),
    ],
)
def test_a_document_that_is_set_counts_by_what_is_new_in_it(counted: Counted, path: str, shown: Any, written: Any) -> None:
    send("JSON.GET", "conversation:1", path, reply=shown)
    send("JSON.SET", "conversation:1", path, json.dumps(written), reply=True)
    assert counted() == (0, 1, 0)


def test_a_document_that_was_not_set_counts_nothing(counted: Counted) -> None:
    send("JSON.SET", "conversation:1", "$", json.dumps({"messages": [USER]}), "NX", reply=None)
    assert counted() == (0, 0, 0)
