"""What a command's reply says was written: batches that stop, bulks with results or totals, and what cannot be told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from otel_chatbot.config import Settings
from otel_chatbot.instrumentation.chats.counts import BOTH, NOTHING, RECEIVED, SENT, Counts
from otel_chatbot.instrumentation.chats.current import WARNED
from otel_chatbot.instrumentation.chats.recognise import Recogniser
from otel_chatbot.instrumentation.mongodb.documents import WRITES, Write
from otel_chatbot.metrics import deduplication

USER, BOT = {"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}


@pytest.fixture(autouse=True)
def request_scope() -> Iterator[None]:
    WARNED.clear()
    with deduplication.request_scope():
        yield


def write(**command: Any) -> Write:
    name = next(iter(command))
    found = WRITES[name.lower()](name, {**command, "$db": "db"}, Recogniser(Settings()))
    assert found is not None
    return found


def push(item: dict[str, Any], number: int = 1, **more: Any) -> dict[str, Any]:
    return {"q": {"_id": number}, "u": {"$push": {"messages": item}}, **more}


def failed(*indexes: int) -> dict[str, Any]:
    return {"writeErrors": [{"index": index} for index in indexes]}


@pytest.mark.parametrize(
    ("command", "reply", "counts"),
    [
        ({}, {}, BOTH.plus(SENT)),
        ({}, failed(1), SENT),
        ({"ordered": False}, failed(1), SENT.plus(SENT)),
        ({"ordered": False}, failed(0, 1, 2), NOTHING),
        ({"writeConcern": {"w": 0}}, {}, BOTH.plus(SENT)),
    ],
)
def test_of_a_batch_of_inserts_those_count_that_ran(command: dict, reply: dict, counts: Counts) -> None:
    assert write(insert="messages", documents=[USER, BOT, USER], **command).settle({"ok": 1, **reply}) == counts


def test_updates_count_by_how_many_documents_they_changed() -> None:
    updates = [push(USER), push(BOT, 2)]
    assert write(update="chats", updates=updates).settle({"nModified": 2}) == BOTH
    assert write(update="chats", updates=updates).settle({"nModified": 0}) == NOTHING
    assert write(update="chats", updates=[push(USER, multi=True)]).settle({"nModified": 3}) == Counts(0, 3, 0)


def test_which_of_several_updates_changed_something_is_not_guessed_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(2):
        assert write(update="chats", updates=[push(USER), push(BOT, 2)]).settle({"nModified": 1}) == NOTHING
    assert ["does not say which" in record.message for record in caplog.records] == [True]
    assert write(update="chats", updates=[push(USER), push(USER, 2)]).settle({"nModified": 1}) == SENT, "they count alike"


def test_an_upsert_counts_as_made_where_the_reply_says_so() -> None:
    command = {"update": "chats", "updates": [push(USER, upsert=True)]}
    assert write(**command).settle({"n": 1, "nModified": 0, "upserted": [{"index": 0, "_id": 5}]}) == Counts(1, 1, 0)
    assert write(**command).settle({"n": 1, "nModified": 1}) == SENT
    assert write(**command).new_conversation({"upserted": [{"index": 0, "_id": 5}]}) is None, "the command names it itself"


def test_find_and_modify_counts_by_its_outcome() -> None:
    command = {"findandmodify": "chats", "query": {"owner": 1}, "update": {"$push": {"messages": BOT}}, "upsert": True}
    assert write(**command).settle({"lastErrorObject": {"updatedExisting": True}}) == RECEIVED
    assert write(**command).settle({"lastErrorObject": {"updatedExisting": False}}) == NOTHING
    made = {"lastErrorObject": {"updatedExisting": False, "upserted": 7}}
    assert write(**command).settle(made) == Counts(1, 0, 1)
    assert write(**command).new_conversation(made) == 7


def bulk(**more: Any) -> Write:
    ops = [
        {"insert": 0, "document": USER},
        {"update": 1, "filter": {"_id": 1}, "updateMods": {"$push": {"messages": BOT}}, "upsert": True},
        {"delete": 1, "filter": {}},
    ]
    return write(bulkWrite=1, ops=ops, nsInfo=[{"ns": "db.messages"}, {"ns": "db.chats"}], **more)


def test_a_bulk_counts_by_its_results() -> None:
    results = [{"ok": 1, "idx": 0}, {"ok": 1, "idx": 1, "nModified": 1}, {"ok": 1, "idx": 2}]
    assert bulk().settle({"nInserted": 1, "cursor": {"id": 0, "firstBatch": results}}) == BOTH
    results[1] = {"ok": 1, "idx": 1, "upserted": {"_id": 1}}
    assert bulk().settle({"nInserted": 1, "cursor": {"id": 0, "firstBatch": results}}) == Counts(1, 1, 1)
    stopped = [{"ok": 0, "idx": 0, "code": 1}]
    assert bulk().settle({"nInserted": 0, "cursor": {"id": 0, "firstBatch": stopped}}) == NOTHING


def test_a_bulk_without_results_counts_by_its_totals() -> None:
    assert bulk(errorsOnly=True).settle({"nInserted": 1, "nModified": 1, "nUpserted": 0, "cursor": {}}) == BOTH
    assert bulk(errorsOnly=True).settle({"nInserted": 1, "nModified": 0, "nUpserted": 1, "cursor": {}}) == Counts(1, 1, 1)


def test_what_no_reply_can_acknowledge_counts_as_it_was_sent() -> None:
    assert bulk(writeConcern={"w": 0}).settle({"ok": 1}) == SENT, "whether the update changed anything cannot be known"
    assert write(update="chats", updates=[push(USER)], writeConcern={"w": 0}).settle({"ok": 1}) == NOTHING


def test_a_write_says_whether_it_stores_messages_and_which_conversation_it_is_of() -> None:
    one = write(insert="messages", documents=[{**USER, "chat_id": "c"}])
    assert (one.says(), one.conversation) == (True, "c")
    begun = write(insert="chats", documents=[{"_id": "own", "messages": []}])
    assert (begun.says(), begun.conversation, begun.new_conversation({})) == (False, None, "own")


@pytest.mark.parametrize(
    "command",
    [{"insert": 1, "documents": [USER]}, {"insert": "messages", "documents": []}, {"update": "chats"}],
)
def test_what_writes_no_chat_is_no_write(command: dict[str, Any]) -> None:
    name = next(iter(command))
    assert WRITES[name](name, command, Recogniser(Settings())) is None
