"""What a request has seen of arrays: by reads and writes, found again by the query of a later write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from otel_chatbot.instrumentation.mongodb import whole_arrays
from otel_chatbot.instrumentation.mongodb.whole_arrays import find, made, read, simple, written
from otel_chatbot.metrics import deduplication

SPACE = ("db", "chats")


@pytest.fixture(autouse=True)
def request_scope() -> Iterator[None]:
    with deduplication.request_scope():
        yield


def array(query: dict[str, Any], path: str = "messages", space: tuple[str, str] = SPACE) -> object:
    seen = find(space, query)
    return None if seen is None else seen.array(path)


def test_a_document_that_was_read_is_found_by_any_of_its_fields() -> None:
    messages = [1, 2]
    read(SPACE, {"_id": 1}, [{"_id": 1, "user": "u", "messages": messages}], whole=True)
    messages.append(3)
    assert array({"_id": 1}) == array({"user": "u"}) == array({"user": {"$eq": "u"}}) == (1, 2), "the app's own list goes on"
    assert array({"user": "v"}) is array({"_id": 1, "user": "v"}) is array({"_id": 1}, space=("db", "others")) is None
    assert array({}) is array({"user": {"$ne": "v"}}) is None, "a query without a value names no document"


def test_a_document_without_the_array_holds_an_empty_one_if_it_was_read_as_a_whole() -> None:
    read(SPACE, {}, [{"_id": 1}], whole=True)
    read(SPACE, {}, [{"_id": 2}], whole=False)
    assert array({"_id": 1}) == ()
    assert array({"_id": 1}, "a.b") is array({"_id": 2}) is None


def test_a_document_is_found_by_the_query_that_read_it_alone() -> None:
    read(SPACE, {"owner": "o"}, [{"_id": 1, "messages": []}], whole=False)
    assert array({"owner": "o"}) == ()
    read(SPACE, {"owner": "p"}, [{"_id": 2, "messages": []}, {"_id": 3, "messages": []}], whole=False)
    assert array({"owner": "p"}) is None, "of several nobody knows which one is meant"


def test_a_long_list_of_documents_is_none_that_will_be_written() -> None:
    read(SPACE, {}, [{"_id": number, "messages": []} for number in range(whole_arrays._MOST_READ + 1)], whole=True)
    assert array({"_id": 0}) is None


def test_a_write_takes_the_place_of_what_was_known_of_the_array() -> None:
    read(SPACE, {}, [{"_id": 1, "messages": [1]}], whole=True)
    written(SPACE, {"_id": 1}, {"messages": (1, 2)}, whole=False)
    assert array({"_id": 1}) == (1, 2)
    written(SPACE, {"_id": 1}, {"messages": None}, whole=False)
    assert array({"_id": 1}) is array({"_id": 1}, "others") is None, "after a push nobody knows what it holds"


def test_a_write_to_a_document_that_was_not_seen_is_remembered() -> None:
    written(SPACE, {"_id": 1}, {"messages": (1,), "log": None}, whole=False)
    assert (array({"_id": 1}), array({"_id": 1}, "log")) == ((1,), None)


def test_the_latest_document_counts_and_a_scope_remembers_no_more_than_a_few() -> None:
    for messages in ([1], [2]):
        whole_arrays.keep(made(SPACE, {"_id": 0, "messages": messages}))
    assert array({"_id": 0}) == (2,)
    for number in range(1, whole_arrays.MOST + 1):
        whole_arrays.keep(made(SPACE, {"_id": number, "messages": []}))
    assert array({"_id": 0}) is None


def test_another_request_has_seen_nothing() -> None:
    read(SPACE, {}, [{"_id": 1, "messages": [1]}], whole=True)
    with deduplication.request_scope():
        assert array({"_id": 1}) is None


def test_the_simple_fields_of_a_query_are_those_with_one_value() -> None:
    query = {"a": 1, "b": {"$eq": 2}, "c": {"$gt": 3}, "d": [4], "$or": [], "$expr": 1, "e": None}
    assert simple(query) == {"a": 1, "b": 2, "e": None}
