"""What the protocols share: parameters as attributes, and how much and by whom a model is asked, in any wire's words."""

from __future__ import annotations

from typing import Any

import pytest

from otel_chatbot.instrumentation.genai.protocols.protocol import NUMBERS, asks_of_a_user, characters, model_of, numbers, stops
from otel_chatbot.semconv import attributes as a


def test_parameters_that_are_numbers_become_attributes_and_others_are_left_out() -> None:
    told: dict[str, Any] = {}
    numbers({"temperature": 0.5, "top_p": True, "top_k": "40", "seed": 0, "other": 1}, NUMBERS, told)
    assert told == {a.GEN_AI_TEMPERATURE: 0.5, a.GEN_AI_SEED: 0}


def test_of_two_names_of_one_parameter_the_later_of_the_table_goes_first() -> None:
    told: dict[str, Any] = {}
    names = {"max_tokens": a.GEN_AI_MAX_TOKENS, "max_completion_tokens": a.GEN_AI_MAX_TOKENS}
    numbers({"max_completion_tokens": 2, "max_tokens": 1}, names, told)
    assert told == {a.GEN_AI_MAX_TOKENS: 2}


@pytest.mark.parametrize(
    ("given", "told"),
    [("END", ("END",)), (["a", "b"], ("a", "b")), (["a", 1, None], ("a",)), ([], None), (None, None), ({"a": 1}, None)],
)
def test_stop_sequences_are_told_as_texts(given: Any, told: tuple[str, ...] | None) -> None:
    into: dict[str, Any] = {}
    stops(given, into)
    assert into.get(a.GEN_AI_STOP_SEQUENCES) == told


def test_a_model_that_is_no_text_is_none() -> None:
    assert (model_of("gpt-4o"), model_of(None), model_of({"a": 1})) == ("gpt-4o", "", "")


@pytest.mark.parametrize(
    "said",
    [
        "hello",
        [{"role": "user", "content": "hello"}],
        [{"role": "assistant", "content": "x"}, {"role": "USER", "message": "hello"}],
        [{"parts": [{"text": "hello"}]}],
        [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
    ],
)
def test_words_of_a_user_ask_a_question(said: Any) -> None:
    assert asks_of_a_user(said)


@pytest.mark.parametrize(
    "said",
    [
        "",
        None,
        [],
        [{"role": "user", "content": "hello"}, {"role": "tool", "content": "42"}],
        [{"role": "assistant", "content": "hello"}],
        [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "42"}]}],
        [{"role": "user", "content": [{"toolResult": {"toolUseId": "t1"}}]}],
        [{"role": "user", "parts": [{"functionResponse": {"name": "find"}}]}],
        [{"type": "function_call_output", "call_id": "c1", "output": "42"}],
    ],
)
def test_nothing_and_what_tools_have_found_ask_no_question(said: Any) -> None:
    assert not asks_of_a_user(said)


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ("hello", 5),
        ([{"role": "user", "content": "hello"}, {"role": "assistant", "content": "you"}], 8),
        ([None, [{"contents": [{"parts": [{"text": "hello"}, {"inlineData": {"data": "AAAA"}}]}]}]], 5),
        ({"content": [{"type": "image_url", "image_url": {"url": "data:..."}}, {"type": "text", "text": "abc"}]}, 3),
        (None, 0),
        (17, 0),
    ],
)
def test_the_characters_of_a_question_are_those_of_its_texts(said: Any, count: int) -> None:
    assert characters(said) == count


def test_a_question_that_is_nested_without_end_takes_no_more_than_a_few_steps() -> None:
    endless: list[Any] = ["x"]
    endless.append(endless)
    assert 0 < characters(endless) < 20
