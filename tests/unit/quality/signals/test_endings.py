"""Finish reasons of each wire, and what they say of an answer."""

from __future__ import annotations

import pytest

from otel_chatbot.quality.signals import endings
from otel_chatbot.semconv.attributes import AnswerSignal


@pytest.mark.parametrize(
    "reason",
    ["content_filter", "refusal", "SAFETY", "PROHIBITED_CONTENT", "guardrail_intervened", "CONTENT_FILTERED", "ERROR_TOXIC"],
)
def test_a_filter_and_a_refusal_are_refusals(reason: str) -> None:
    assert endings.of([reason]) == {AnswerSignal.REFUSED}


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "LENGTH", "model_context_window_exceeded"])
def test_a_limit_of_tokens_cuts_off(reason: str) -> None:
    assert endings.of([reason]) == {AnswerSignal.CUT_OFF}


@pytest.mark.parametrize(
    "reason", ["stop", "end_turn", "STOP", "COMPLETE", "tool_calls", "tool_use", "eos_token", "a reason of 2030"]
)
def test_any_other_end_says_nothing(reason: str) -> None:
    assert endings.of([reason]) == set()


def test_several_choices_tell_each_signal() -> None:
    assert endings.of(["stop", "length", "content_filter", "length"]) == {AnswerSignal.CUT_OFF, AnswerSignal.REFUSED}
