"""A chat whose messages are deleted and inserted anew counts by what was not there, as a read showed it or the delete's number says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from otel_chatbot.instrumentation.chats.counts import NOTHING, Counts
from otel_chatbot.instrumentation.chats.current import WARNED, current
from otel_chatbot.instrumentation.mongodb import rewritten, whole_arrays
from otel_chatbot.instrumentation.mongodb.documents import WRITES
from otel_chatbot.metrics import deduplication

SPACE = ("db", "sessions")


@pytest.fixture(autouse=True)
def request_scope() -> Iterator[None]:
    WARNED.clear()
    with deduplication.request_scope():
        yield


def message(number: int, chat: str = "c1", **more: Any) -> dict[str, Any]:
    """Questions are even, answers odd; what a store adds to each differs each time it is written."""
    role = "assistant" if number % 2 else "user"
    return {
        "session_id": chat,
        "index": number,
        "message": {"role": role, "content": f"text {number}"},
        "_id": object(),
        **more,
    }


def insert(*documents: dict[str, Any], collection: str = SPACE[1], reply: dict[str, Any] | None = None) -> Counts:
    command = {"insert": collection, "$db": SPACE[0], "documents": list(documents)}
    write = WRITES["insert"]("insert", command, current())
    return NOTHING if write is None else write.settle(reply or {"ok": 1, "n": len(documents)})


def delete(query: dict[str, Any], number: int, *, limit: int = 0) -> None:
    command = {"delete": SPACE[1], "$db": SPACE[0], "deletes": [{"q": query, "limit": limit}]}
    write = WRITES["delete"]("delete", command, current())
    if write is not None:
        assert write.settle({"ok": 1, "n": number}) == NOTHING


def read(*documents: dict[str, Any], query: dict[str, Any] | None = None) -> None:
    rewritten.shown(SPACE, {"session_id": "c1"} if query is None else query, documents)


def test_a_whole_chat_that_no_read_showed_counts_by_what_it_holds_beyond_the_number_of_the_deleted() -> None:
    delete({"session_id": "c1"}, 2)
    assert insert(*map(message, range(4))) == Counts(0, 1, 1)


def test_a_window_that_a_read_showed_counts_by_what_it_did_not_show() -> None:
    read(*map(message, range(6)))
    delete({"session_id": "c1"}, 6)
    assert insert(*map(message, range(4, 7))) == Counts(0, 1, 0)


def test_messages_that_are_inserted_anew_one_by_one_count_once() -> None:
    read(*map(message, range(3)))
    delete({"session_id": "c1"}, 3)
    assert [insert(message(number)) for number in range(1, 5)] == [NOTHING, NOTHING, Counts(0, 0, 1), Counts(0, 1, 0)]


def test_what_was_written_between_the_read_and_the_delete_is_not_new() -> None:
    read(message(0))
    assert insert(message(1)) == Counts(0, 0, 1)
    delete({"session_id": "c1"}, 2)
    assert insert(*map(message, range(3))) == Counts(0, 1, 0)


def test_the_same_text_twice_is_new_once_where_it_was_there_once() -> None:
    read(message(0))
    delete({"session_id": "c1"}, 1)
    assert insert(message(0), message(0)) == Counts(0, 1, 0)


@pytest.mark.parametrize(
    "query",
    [
        {"session_id": "c1", "index": {"$gt": 1}},
        {"session_id": "c1", "index": 1},
        {"session_id": {"$in": ["c1"]}},
        {"created": 1},
        {},
    ],
    ids=str,
)
def test_a_delete_of_something_else_than_a_whole_chat_leaves_inserts_as_they_are(query: dict[str, Any]) -> None:
    delete(query, 9)
    assert insert(message(0), message(1)) == Counts(0, 1, 1)


def test_a_delete_of_one_message_leaves_inserts_as_they_are() -> None:
    delete({"session_id": "c1"}, 1, limit=1)
    assert insert(message(1)) == Counts(0, 0, 1)


def test_other_chats_and_other_collections_are_new() -> None:
    delete({"session_id": "c1"}, 9)
    assert insert(message(0, "c2")) == Counts(0, 1, 0)
    assert insert(message(0), collection="messages") == Counts(0, 1, 0)


def test_a_delete_that_took_nothing_away_is_none() -> None:
    delete({"session_id": "c1"}, 0)
    assert insert(message(0), message(1)) == Counts(0, 1, 1)


def test_after_the_whole_chat_further_messages_are_new() -> None:
    delete({"session_id": "c1"}, 4)
    assert insert(message(2), message(3)) == NOTHING
    assert insert(message(4)) == Counts(0, 1, 0)


def test_after_a_read_what_comes_is_new() -> None:
    delete({"session_id": "c1"}, 4)
    read()
    assert insert(message(4)) == Counts(0, 1, 0)


def test_inserts_that_failed_are_tried_again_and_count_as_before() -> None:
    read(message(0))
    delete({"session_id": "c1"}, 1)
    refused = {"ok": 1, "n": 0, "writeErrors": [{"index": 0, "code": 1}]}
    assert insert(message(0), message(1), reply=refused) == NOTHING
    assert insert(message(0), message(1)) == Counts(0, 0, 1)


def test_a_conversation_that_is_deleted_and_inserted_anew_counts_by_what_is_new_in_its_array() -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert insert({"session_id": "c1", "messages": messages[:1]}) == Counts(1, 1, 0)
    delete({"session_id": "c1"}, 1)
    assert insert({"session_id": "c1", "messages": messages}) == Counts(0, 0, 1)


def test_fewer_messages_than_were_deleted_are_not_guessed_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        delete({"session_id": "c1"}, 5)
        assert insert(message(3), message(4)) == NOTHING
    assert [record.message.count("inserted in their place") for record in caplog.records] == [1]


def test_outside_of_a_request_a_single_message_behind_a_delete_is_new_and_a_whole_chat_is_not() -> None:
    scope = deduplication.current()
    scope.ends = False
    token = deduplication.enter(None)  # type: ignore[arg-type]
    try:
        delete({"session_id": "c1"}, 2)
        assert insert(message(4)) == Counts(0, 1, 0)
        delete({"session_id": "c1"}, 1)
        assert insert(message(4), message(5)) == Counts(0, 0, 1)
    finally:
        deduplication.leave(token)
        scope.ends = True


def test_a_message_that_cannot_be_told_from_an_old_one_leaves_its_turn_to_the_models_answer() -> None:
    delete({"session_id": "c1"}, 5)
    write = WRITES["insert"]("insert", {"insert": SPACE[1], "$db": SPACE[0], "documents": [message(6)]}, current())
    assert write is not None
    assert not write.says()


def test_a_scope_remembers_a_few_reads_and_deletes_of_whole_chats_and_no_others() -> None:
    for number in range(9):
        read(message(0), query={"session_id": number})
        delete({"session_id": number}, 1)
    read(*map(message, range(200)))
    read(message(0), query={"index": 1})
    memory = whole_arrays.remembered()
    assert [query["session_id"] for _, query, _ in memory.listed] == [5, 6, 7, 8]
    assert [deleted.query["session_id"] for deleted in memory.deleted] == []
    for number in range(9):
        delete({"session_id": number}, 1)
    assert [deleted.query["session_id"] for deleted in memory.deleted] == [5, 6, 7, 8]
