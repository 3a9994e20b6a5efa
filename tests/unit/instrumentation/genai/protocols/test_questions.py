"""The question that a request asks, and the answer before it, on each wire."""

from __future__ import annotations

from typing import Any

import pytest

from otel_chatbot.instrumentation.genai.protocols.questions import question

HELLO, HI, NEXT = ({"role": role, "content": text} for role, text in (("user", "hello"), ("assistant", "hi"), ("user", "next")))
PARTS = {
    "role": "user",
    "content": [{"type": "text", "text": "what "}, {"type": "image_url"}, {"type": "text", "text": "is it?"}],
}
FOUND = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "found"}]}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("a prompt", ("a prompt", "")),
        ([HELLO], ("hello", "")),
        ([{"role": "system", "content": "be kind"}, HELLO], ("hello", "")),
        ([HELLO, HI, NEXT], ("next", "3 hi")),
        (["be kind", [HELLO, HI, NEXT]], ("next", "3 hi")),
        ([None, [PARTS]], ("what is it?", "")),
        ([{"parts": [{"text": "be kind"}]}, [{"role": "user", "parts": [{"text": "hello"}]}]], ("hello", "")),
        ([None, [{"parts": ["hello"]}, {"role": "model", "parts": [{"text": "hi"}]}, {"parts": "next"}]], ("next", "3 hi")),
        (["be kind", [{"role": "USER", "message": "hello"}, {"role": "CHATBOT", "message": "hi"}], "next"], ("next", "3 hi")),
        (["be kind", "a prompt"], ("a prompt", "")),
        ([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}], ("hello", "")),
    ],
)
def test_a_question_is_read_from_any_wire(said: Any, expected: tuple[str, str]) -> None:
    assert question(said) == expected


@pytest.mark.parametrize(
    "said",
    [None, "", [], {}, 7, [[]], [HELLO, HI], [None, None], [HELLO, {"role": "tool", "content": "found"}], [HELLO, FOUND],
     [HELLO, {"type": "function_call_output", "output": "found"}], [{"role": "user", "content": [7, None, {"text": 7}]}]],
)  # fmt: skip
def test_what_asks_nothing_of_a_user_is_no_question(said: Any) -> None:
    assert question(said) is None
