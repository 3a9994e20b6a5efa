"""How the arguments of commands are read, as clients and applications write them."""

from __future__ import annotations

from typing import Any

import pytest

from otel_chatbot.instrumentation.redis import options


@pytest.mark.parametrize(
    "before",
    [
        ["*"],
        ["MAXLEN", "~", 100, "*"],
        [b"MAXLEN", 100, b"*"],
        ["NOMKSTREAM", "MINID", "=", "5-0", "LIMIT", 10, "1-*"],
        ["maxlen", "~", "100", "KEEPREF", "*"],
    ],
)
def test_the_fields_of_a_streams_entry_stand_behind_its_id(before: list[Any]) -> None:
    assert options.of_stream(["chat:1", *before, "role", "user", "content", "x"]) == [("role", "user"), ("content", "x")]


@pytest.mark.parametrize("before", [[], ["NX"], [b"xx", "CH"], ["GT"]])
def test_the_members_of_a_sorted_set_stand_behind_their_scores(before: list[Any]) -> None:
    assert options.of_sorted(["z", *before, 1, "a", 2.5, "b"]) == ["a", "b"]


def test_a_member_that_grows_is_none_that_is_added() -> None:
    assert options.of_sorted(["z", "INCR", 1, "a"]) == []


@pytest.mark.parametrize(("path", "field"), [("$", ""), (".", ""), ("$.messages", "messages"), (b".a.b", "a.b"), ("a", "a")])
def test_a_path_names_a_field(path: Any, field: str) -> None:
    assert options.json_path(path) == field


@pytest.mark.parametrize(
    ("reply", "ok"), [(True, True), (b"OK", True), ("OK", True), (None, False), ("QUEUED", False), (1, False)]
)
def test_a_reply_says_that_a_value_was_set(reply: Any, ok: bool) -> None:
    assert options.is_ok(reply) is ok
