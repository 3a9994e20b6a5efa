"""One call of a model: its tokens go where the table of names says, so that the conventions' move is one edit."""

from __future__ import annotations

import uuid

import pytest
from support.ai import watched

from otel_chatbot import chat_completion
from otel_chatbot._guard import Guard
from otel_chatbot.instrumentation.genai import cost, figures
from otel_chatbot.metrics.store import Store
from otel_chatbot.semconv import metrics as m


def test_the_proposed_counters_of_tokens_take_over_by_one_edit_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()  # the store of this process keeps to the names of today
    model = f"model-{uuid.uuid4().hex}"
    with watched() as watch:
        monkeypatch.setattr(m, "TOKENS", m.PROPOSED_TOKENS)
        monkeypatch.setattr(figures, "STORE", store)
        with chat_completion("openai", model) as call:
            call.usage(30, 12)
    key = ("chat", "openai", model, None)
    assert [store.counter(spec).series[key].read() for spec, _ in m.PROPOSED_TOKENS] == [[30.0], [12.0]]
    assert watch.counted(m.GEN_AI_TOKENS) == {}


def test_what_fails_in_one_part_of_the_figures_keeps_the_others_and_the_application_untouched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Guard, "strict", False)
    monkeypatch.setattr(cost, "cost", broken)
    monkeypatch.setattr(figures, "tokens", broken)
    with watched() as watch:
        with chat_completion("openai", "gpt-4o-mini") as call:
            call.usage(30, 12)
        assert watch.total(m.AI_RESPONSE_TIME) == 1.0
        assert watch.span.name == "chat gpt-4o-mini"
