"""An update is taken apart: what it would make, what it adds to a document that is there, what it replaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from otel_chatbot.config import Settings
from otel_chatbot.instrumentation.chats.counts import BOTH, NOTHING, RECEIVED, SENT, Counts
from otel_chatbot.instrumentation.chats.recognise import Recogniser
from otel_chatbot.instrumentation.mongodb import whole_arrays
from otel_chatbot.instrumentation.mongodb.statements import Statement, StatementCounts
from otel_chatbot.metrics import deduplication

USER, BOT = {"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}
RECOGNISER = Recogniser(Settings())
SPACE = ("db", "chats")


@pytest.fixture(autouse=True)
def request_scope() -> Iterator[None]:
    with deduplication.request_scope():
        yield


def change(update: Any, query: Any = None, *, upsert: bool = False, many: bool = False) -> StatementCounts:
    return Statement({"_id": 1} if query is None else query, update, upsert, many).change(SPACE, RECOGNISER)


@pytest.mark.parametrize(
    ("update", "counts"),
    [
        ({"$push": {"messages": USER}}, SENT),
        ({"$push": {"messages": {"$each": [USER, BOT], "$slice": -4}}}, BOTH),
        ({"$addToSet": {"turns": {"question": "x", "answer": "y"}}}, BOTH),
        ({"$push": {"tags": "user"}}, NOTHING),
        ({"$push": {"messages": {"$each": None}}}, NOTHING),
        ({"$push": None, "$set": 5}, NOTHING),
        ([{"$set": {"messages": {"$concatArrays": ["$messages", [USER]]}}}], SENT),
        ([{"$addFields": {"messages": {"$concatArrays": ["$messages", {"$literal": [{"$literal": BOT}]}]}}}], RECEIVED),
        ([{"$set": {"messages": {"$concatArrays": ["$a", "$b"]}}}, {"$unset": "x"}, 5], NOTHING),
        ({"$set": {"title": "t"}}, NOTHING),
        (None, NOTHING),
    ],
)
def test_what_is_added_to_an_array_counts(update: Any, counts: Counts) -> None:
    found = change(update)
    assert (found.changed, found.created, found.replaces) == (counts, NOTHING, False)


def test_an_upsert_makes_the_whole_document() -> None:
    found = change({"$push": {"messages": USER}, "$setOnInsert": {"title": "t"}}, upsert=True)
    assert (found.created, found.changed, found.upserts) == (Counts(1, 1, 0), SENT, True)
    assert change({"$setOnInsert": {"messages": []}}, upsert=True).created == Counts(1)


def test_an_array_that_is_set_counts_by_what_a_read_has_shown_of_it() -> None:
    assert change({"$set": {"messages": [USER, BOT]}}).replaces, "nothing has shown it"
    whole_arrays.read(SPACE, {}, [{"_id": 1, "messages": [USER]}], whole=True)
    found = change({"$set": {"messages": [USER, BOT]}})
    assert (found.changed, found.replaces) == (RECEIVED, False)
    assert change({"_id": 1, "messages": [USER, BOT]}).changed == RECEIVED, "a document that takes the other's place"
    assert change([{"$set": {"messages": {"$literal": [USER, BOT]}}}]).changed == RECEIVED
    assert change({"$set": {"messages": [USER, BOT]}}, many=True).replaces, "of several documents one was read"


def test_an_answer_that_is_set_later_counts_once_in_a_request() -> None:
    found = change({"$set": {"answer": "y"}})
    assert found.changed == RECEIVED
    memory = found.memory
    whole_arrays.written(memory.space, memory.fields, memory.arrays, whole=memory.whole)
    assert change({"$set": {"answer": "y and more"}}).changed == NOTHING
    assert change({"$set": {"answer": "y"}}, {"_id": 2}).changed == RECEIVED, "of another exchange"


def test_what_a_push_has_changed_is_no_longer_known_and_what_was_set_is() -> None:
    assert change({"$push": {"messages": USER}}).memory.arrays == {"messages": None}
    assert change({"$set": {"messages": [USER]}}).memory.arrays == {"messages": (USER,)}
    assert change({"$push": {"messages": USER}}, many=True).memory is None


@pytest.mark.parametrize(
    ("query", "update", "collection", "conversation"),
    [
        ({"chat_id": "c"}, {"$push": {"messages": USER}}, "store", "c"),
        ({"_id": "c"}, {"$push": {"messages": USER}}, "chats", "c"),
        ({"_id": 1}, {"$set": {"session_id": "s"}}, "chats", "s"),
        ({"room": 7}, {"$push": {"messages": USER}}, "chats", 7),
        ({"_id": {"$in": [1]}}, {}, "chats", None),
        ({"_id": "u"}, {}, "users", None),
    ],
)
def test_a_statement_names_its_conversation(query: dict, update: dict, collection: str, conversation: object) -> None:
    assert Statement(query, update, upsert=False, many=False).conversation(collection, RECOGNISER) == conversation
