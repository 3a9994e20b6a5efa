"""What lies under a key: elements that are pushed, values that are written as a whole, and the conversation that a key names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from otel_chatbot import config
from otel_chatbot.instrumentation.chats.counts import NOTHING, Counts
from otel_chatbot.instrumentation.chats.current import WARNED
from otel_chatbot.instrumentation.common import chat_turn, seen
from otel_chatbot.instrumentation.redis import histories, memory
from otel_chatbot.instrumentation.redis.histories import History
from otel_chatbot.instrumentation.redis.memory import KnownList
from otel_chatbot.metrics import deduplication
from otel_chatbot.metrics.shared.facts import FACTS

ADDRESS: Any = ("db.example", 6379, 0)
USER, BOT = {"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}


@pytest.fixture(autouse=True)
def request_scope(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(histories, "NAMES", set())
    WARNED.clear(), FACTS.forget()
    with deduplication.request_scope():
        yield
    FACTS.forget()


def history(key: str = "chat:1") -> History:
    return History(ADDRESS, key)


def text(*documents: Any) -> list[str]:
    return [json.dumps(document) for document in documents]


def test_the_first_messages_under_an_empty_key_begin_a_conversation() -> None:
    assert history().pushed(text(USER, BOT), 2) == Counts(1, 1, 1)
    assert history().pushed(text(USER), 3) == Counts(0, 1, 0)
    assert history("chat:2").pushed(text(USER), 9) == Counts(0, 1, 0), "something was there"


def test_what_is_no_message_counts_for_nothing_and_is_no_chat() -> None:
    assert history("jobs").pushed(text(USER), 1) == NOTHING
    assert history().pushed(["text", "{"], 2) == NOTHING
    assert chat_turn.conversation_id() is None
    assert set() == histories.NAMES


def test_a_list_that_was_read_deleted_and_pushed_again_counts_by_what_is_new() -> None:
    known = memory.current().keep_list((ADDRESS, "chat:1"), KnownList(text(USER)))
    known.clear()
    assert [history().pushed(text(item), n) for n, item in enumerate((USER, BOT), 1)] == [NOTHING, Counts(0, 0, 1)]
    assert set() == WARNED


def test_a_list_that_was_read_and_deleted_goes_on_with_what_is_new_and_begins_no_conversation() -> None:
    known = memory.current().keep_list((ADDRESS, "chat:1"), KnownList(text(USER)))
    known.clear()
    assert history().pushed(text(BOT), 1) == Counts(0, 0, 1)


def test_a_list_that_was_deleted_unread_is_not_guessed_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    memory.current().keep_list((ADDRESS, "chat:1"), KnownList()).lost = True
    assert [history().pushed(text(USER), number) for number in (1, 2)] == [NOTHING, NOTHING]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("before", "counts"),
    [({}, Counts(1, 1, 1)), ({"": (USER,)}, Counts(0, 0, 1)), ({"": (USER, BOT)}, NOTHING), (None, NOTHING)],
)
def test_a_value_that_is_written_as_a_whole_counts_by_what_was_there(before: Any, counts: Counts) -> None:
    assert history().whole("", [USER, BOT], before) == counts
    assert len(WARNED) == (before is None)


def test_a_value_without_a_chat_is_none() -> None:
    assert history().whole("", {"items": [1]}, {}) is None
    assert history("jobs:1").whole("", [USER], {}) is None


def test_a_document_of_its_own_may_be_a_message() -> None:
    assert history("message:1").document(USER) == Counts(0, 1, 0)
    assert history("message:2").document({"a": 1}) == NOTHING


def test_a_key_names_the_conversation_unless_a_document_does() -> None:
    history("user:4:chat:abc").pushed(text(USER), 1)
    assert chat_turn.conversation_id() == "abc"
    with deduplication.request_scope():
        history("messages").pushed(text({**USER, "chat_id": "c"}), 1)
        assert chat_turn.conversation_id() == "c"


def test_names_and_forms_of_keys_with_chats_are_known_to_the_run() -> None:
    for key in ("chat:1", "5511@c.us", "alice"):
        history(key).whole("", [USER], {})
    assert {"chat", "=0@a.a"} == histories.NAMES
    assert FACTS.of(seen.HISTORY) == [("=0@a.a",), ("chat",)]


def test_a_value_that_was_read_tells_the_run_that_a_chat_lies_there() -> None:
    assert history("dialog:1").shows("", [USER])
    assert FACTS.of(seen.HISTORY) == [("dialog",)]
    assert not history("answer:1").shows("", [1])
    assert history("dialog:2").shows("", []), "nobody has spoken yet"


def test_a_request_that_stores_messages_says_so_to_its_turn() -> None:
    turn = chat_turn.running()
    assert turn is not None
    history().pushed(text({"role": "system", "content": "x"}), 1)
    assert not turn.stores
    history().pushed(text(USER), 2)
    assert turn.stores


def test_an_empty_key_is_empty_once() -> None:
    assert not history().empty()
    memory.current().keep_list((ADDRESS, "chat:1"), KnownList())
    assert [history().empty(), history().empty()] == [True, False]


def test_a_prefix_that_settings_name_is_the_keys_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "current", lambda: config.Settings(messages_collection="jobs:"))
    assert history("jobs:1").pushed(text(USER), 1) == Counts(1, 1, 0)
    assert history("chat:1").pushed(text(USER), 1) == NOTHING
