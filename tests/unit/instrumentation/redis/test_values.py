"""What may chat in a value: told by its first letter, read as JSON, and nothing that cannot be a chat."""

from __future__ import annotations

from typing import Any

import pytest

from otel_chatbot.instrumentation.redis import values
from otel_chatbot.instrumentation.redis.values import arrays_of, may_chat, parsed


@pytest.mark.parametrize(
    ("value", "may"),
    [("[", True), (b"{}", True), ("x", False), ("", False), (b"", False), (5, False), (None, False), ([], False)],
)
def test_json_may_be_a_chat_and_other_values_may_not(value: Any, may: bool) -> None:
    assert may_chat(value) is may


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('[{"role": "user"}]', [{"role": "user"}]),
        (b'{"messages": []}', {"messages": []}),
        ("[ \n]", []),
        ('["{}"]', ["{}"]),
        ("[0.1, 0.2]", None),
        (b"[[1]]", None),
        ("[{", None),
        ("text", None),
        (7, None),
        ([1], [1]),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_what_cannot_be_a_chat_is_not_read(value: Any, found: Any) -> None:
    assert parsed(value) == found


def test_a_value_of_megabytes_is_not_read() -> None:
    assert parsed("[{}" + " " * values._LONGEST + "]") is None


def test_the_arrays_of_a_value_are_known_by_their_fields() -> None:
    one = [{"a": 1}]
    assert arrays_of(one) == {"": ({"a": 1},)}
    assert arrays_of({"messages": one, "title": "x", 5: []}) == {"messages": ({"a": 1},)}
    assert arrays_of("x") == arrays_of(None) == {}
    found = arrays_of(one)
    one.append({"b": 1})
    assert found == {"": ({"a": 1},)}, "the app goes on appending to its own list"
