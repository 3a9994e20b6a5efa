"""What is kept of an answer: what it says, within limits that no answer can exceed."""

from __future__ import annotations

from typing import Any

import pytest
from support.protocols import said, tokens, tools

from otel_chatbot.instrumentation.genai.protocols.answer import (
    MOST_NAME,
    MOST_PARTS,
    MOST_TEXT,
    Answer,
    count_of,
    dict_of,
    dicts_of,
    list_of,
    name_of,
)
from otel_chatbot.semconv import attributes as a


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0), (3, 3), (3.0, 3), (2**53 - 1, 2**53 - 1), (2**53, None), (-1, None), (True, None), ("3", None), (None, None),
        (float("nan"), None), (float("inf"), None), ([], None),
    ],
)  # fmt: skip
def test_a_count_is_a_number_that_can_count_something(value: Any, count: int | None) -> None:
    assert count_of(value) == count


def test_a_value_of_another_kind_is_an_empty_one_of_the_kind_that_is_asked_for() -> None:
    assert (dict_of({"a": 1}), dict_of([1]), dict_of(None)) == ({"a": 1}, {}, {})
    assert (list_of([1]), list_of({"a": 1}), list_of("text")) == ([1], [], [])
    assert dicts_of([{"a": 1}, 2, None, {"b": 2}]) == [{"a": 1}, {"b": 2}]
    assert dicts_of({"a": 1}) == []
    assert (name_of("gpt"), name_of(""), name_of(5), name_of("x" * 1000)) == ("gpt", None, None, "x" * MOST_NAME)


def test_all_of_a_long_text_is_counted_and_a_limited_part_of_it_is_kept() -> None:
    answer = Answer(keeps=True)
    for _ in range(3):
        answer.text("x" * (MOST_TEXT // 2 + 1))
    answer.tool(0, "find", None, "y" * 100)
    assert answer.written == 3 * (MOST_TEXT // 2 + 1) + len("find") + 100
    assert said(answer) == "x" * MOST_TEXT
    assert tools(answer) == [("find", None, "")]


def test_without_capture_text_and_arguments_are_counted_and_not_kept() -> None:
    answer = Answer()
    answer.text("hello")
    answer.tool(0, "find", "call_1", '{"q": 1}')
    answer.tool(0, arguments={"q": 2})
    assert answer.written == len("hello" + "find" + '{"q": 1}')
    assert (answer.parts, tools(answer)) == ({}, [("find", "call_1", "")])


def test_the_pieces_of_a_tool_call_are_joined_and_a_later_piece_without_a_name_leaves_the_name() -> None:
    answer = Answer(keeps=True)
    answer.tool("k", "find", "call_1", '{"q":')
    answer.tool("k", None, "", " 1}")
    answer.tool("other", "add", None, {"n": 2})
    assert tools(answer) == [("find", "call_1", '{"q": 1}'), ("add", None, '{"n":2}')]


def test_of_very_many_tools_choices_and_reasons_the_first_are_kept_and_go_on() -> None:
    answer = Answer(keeps=True)
    for number in range(MOST_PARTS + 5):
        answer.tool(number, f"tool{number}")
        answer.text("a", number)
        answer.finished("stop", number)
    answer.text("b", 0)
    answer.text("b", MOST_PARTS + 1)
    answer.finished("length", 0)
    answer.tool(1, arguments="late")
    assert len(answer.tools) == len(answer.parts) == len(answer.finish) == MOST_PARTS
    assert (said(answer), said(answer, index=MOST_PARTS + 1)) == ("ab", "")
    assert (answer.finish[0], tools(answer)[1]) == ("length", ("tool1", None, "late"))


def test_tokens_are_told_with_their_parts_and_nothing_is_told_without_those_of_the_input() -> None:
    answer = Answer()
    answer.used(100, 20, cached=60, written=0, reasoning=8)
    assert tokens(answer) == (100, 20, 60, 0)
    assert answer.attributes == {
        a.GEN_AI_CACHE_READ_TOKENS: 60, a.GEN_AI_CACHE_WRITE_TOKENS: 0, a.GEN_AI_REASONING_TOKENS: 8,
    }  # fmt: skip
    answer.used(None, 999)
    assert tokens(answer) == (100, 20, 60, 0), "what cannot be counted does not undo what was"
    without = Answer()
    without.used(5, None, reasoning=0)
    assert (tokens(without), without.attributes) == ((5, 0, 0, 0), {})


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("rate_limit", "rate_limit"),
        (429, "429"),
        (None, "failed"),
        ("", "failed"),
        ({"a": 1}, "failed"),
        ("x" * 999, "x" * 256),
    ],
)
def test_a_failure_has_a_short_name_whatever_the_answer_calls_it(kind: Any, failure: str) -> None:
    answer = Answer()
    answer.failed(kind)
    assert answer.failure == failure


def test_an_answer_says_who_made_it_and_a_later_event_without_that_leaves_it() -> None:
    answer = Answer()
    answer.by("gpt-4o", "id-1")
    answer.by(None, "")
    answer.by(7, ["x"])
    assert (answer.model, answer.id) == ("gpt-4o", "id-1")
    answer.by("m" * 999, "i" * 999)
    assert (len(answer.model or ""), len(answer.id or "")) == (MOST_NAME, MOST_NAME)
