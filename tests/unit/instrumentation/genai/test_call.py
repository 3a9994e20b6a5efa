"""One call of a model: its tokens go where the table of names says, so that the conventions' move is one edit."""

from __future__ import annotations

import pytest
from support.ai import watched

from otel_chatbot import chat_completion
from otel_chatbot.metrics import record
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import MetricSpec


def test_the_proposed_counters_of_tokens_take_over_by_one_edit_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: dict[str, float] = {}

    def count(spec: MetricSpec, amount: float = 1.0, *_: object) -> None:
        counted[spec.name] = amount

    with watched() as watch:
        monkeypatch.setattr(m, "TOKENS", m.PROPOSED_TOKENS)
        monkeypatch.setattr(record, "count", count)  # the store of this process keeps to the names of today
        with chat_completion("openai", "gpt-4o-mini") as call:
            call.usage(30, 12)
    assert [counted[spec.name] for spec, _ in m.PROPOSED_TOKENS] == [30, 12]
    assert watch.counted(m.GEN_AI_TOKENS) == {}
