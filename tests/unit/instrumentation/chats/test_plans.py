"""Where to look in documents: by the names and kinds of their fields, told once."""

from __future__ import annotations

from typing import Any

import pytest

from otel_chatbot.config import Settings
from otel_chatbot.instrumentation.chats import plans
from otel_chatbot.instrumentation.chats.plans import Plan, Plans, at, may_say
from otel_chatbot.instrumentation.chats.shapes import Side


def plan(document: dict[str, Any], **settings: Any) -> Plan:
    return Plans(Settings(**settings)).of(document)


def test_the_best_field_of_a_speaker_comes_first_and_only_texts_name_one() -> None:
    assert plan({"type": "x", "sender": "user", "Role": "user", "from": 1}).speakers == (
        ("Role", "role"), ("sender", "sender"), ("type", "type"),
    )  # fmt: skip


def test_a_flag_is_a_boolean() -> None:
    assert plan({"isUser": True, "is_bot": False, "ai": "gpt"}).flags == (("isUser", True), ("is_bot", False))


def test_a_role_that_settings_name_is_the_only_speaker() -> None:
    found = plan({"role": "user", "isUser": True, "who": "x"}, role_field="a.b")
    assert (found.speakers, found.flags) == ((("a.b", "role"),), ())


def test_fields_that_hold_no_text_say_nothing() -> None:
    found = plan({"content": 5, "body": None, "question": 1, "answer": "x"})
    assert (found.texts, found.sides) == (("body",), (("answer", Side.LOOSE_ANSWER),))
    assert [may_say(value) for value in (None, "x", [], (), {}, 1, True, b"x")] == [True] * 5 + [False] * 3


def test_a_conversation_is_named_by_the_best_field_that_may_be_an_id() -> None:
    assert plan({"session_id": "s", "chatId": 4, "thread_id": None, "conversation": {"a": 1}}).ids == ("chatId", "session_id")


def test_what_a_document_says_is_told_apart_from_its_ids_and_times() -> None:
    document = {"_id": 1, "role": "user", "isBot": False, "content": "x", "createdAt": 5, "botReply": "y", "session_id": "s"}
    assert plan(document).saying == ("role", "isBot", "content", "botReply")
    assert plan({"text": "x"}).saying == ("text",)
    assert plan(document, role_field="who.am").saying == ("content", "botReply"), "a path is no field of the document"


@pytest.mark.parametrize(
    ("document", "telling"),
    [({"a": 1}, False), ({"a": []}, True), ({"role": "x"}, True), ({"data": "{}"}, True), ({"content": "x"}, False)],
)
def test_a_document_without_any_such_field_tells_nothing(document: dict[str, Any], telling: bool) -> None:
    assert plan(document).telling is telling


def test_the_same_fields_with_values_of_another_kind_are_read_anew() -> None:
    known = Plans(Settings())
    assert known.of({"content": "x"}) is known.of({"content": "y"})
    assert known.of({"content": "x"}).texts != known.of({"content": 1}).texts


def test_long_documents_are_read_and_not_remembered_and_endless_ones_tell_nothing() -> None:
    known = Plans(Settings())
    long = {f"f{number}": 1 for number in range(plans._MOST_REMEMBERED)} | {"role": "user"}
    assert known.of(long).speakers
    assert not known._plans
    assert not known.of({f"f{number}": 1 for number in range(plans._MOST_FIELDS)} | {"role": "user"}).telling


@pytest.mark.parametrize(("path", "value"), [("a", {"b": 1}), ("a.b", 1), ("c.d", 2), ("a.b.c", None), ("x", None)])
def test_a_path_is_followed_and_may_be_one_key(path: str, value: object) -> None:
    assert at({"a": {"b": 1}, "c.d": 2}, path) == value


@pytest.mark.parametrize(
    ("document", "exchanges"),
    [
        ({"messages": []}, False),
        ({"answer": "x", "response": "y"}, False),
        ({"user": "u"}, False),
        ({"userMessage": "x"}, True),
        ({"botReply": "x"}, True),
        ({"message": "x", "reply": "y"}, True),
        ({"user": "x", "bot": "y"}, True),
    ],
)
def test_a_side_that_says_little_is_an_exchange_beside_another_alone(document: dict[str, Any], exchanges: bool) -> None:
    assert plan(document).exchanges is exchanges
