"""The series of model calls are looked up once per kind of call, and told apart by every attribute."""

from __future__ import annotations

import uuid

import pytest

from otel_chatbot.instrumentation.genai import figures
from otel_chatbot.metrics.store import OVERFLOW_KEY
from otel_chatbot.semconv import attributes as a


def kind(answered: str | None = "gpt-4o-mini-2024") -> figures.CallKind:
    return "chat", "openai", f"model-{uuid.uuid4().hex}", answered


def test_calls_of_one_kind_share_their_series_and_other_kinds_have_their_own() -> None:
    one = kind()
    other = (*one[:3], None)
    assert figures.times(one, None) is figures.times(one, None)
    assert figures.times(one, "TimeoutError") is not figures.times(one, None)
    assert figures.times(other, None).duration is not figures.times(one, None).duration
    assert figures.chunks(one) is figures.chunks(one)
    assert figures.tokens(one) is figures.tokens(one)
    assert [part for part, _ in figures.tokens(one)] == list(a.TokenType)
    assert figures.priced("openai", one[2]) is figures.priced("openai", one[2])
    assert figures.priced("azure", one[2]) is not figures.priced("openai", one[2])


def test_a_series_has_the_attributes_of_its_kind() -> None:
    one = kind()
    assert figures.times(one, "TimeoutError").duration.key == (*one, "TimeoutError")
    assert figures.times(one, "TimeoutError").response_time.key == ("openai", one[2], "TimeoutError")
    assert figures.chunks(one).first.key == figures.chunks(one).later.key == one
    assert [tokens.key for tokens in figures.tokens(one)] == [(*one, "input"), (*one, "output")]
    assert [tokens.key[-1] for tokens in figures.tokens(("embeddings", *one[1:]))] == ["input"], "embeddings have no output"
    assert figures.priced("openai", one[2]).key == ("openai", one[2])


def test_a_kind_beyond_the_series_limit_is_asked_again_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures.STORE, "_limit", 0)
    one = kind()
    assert figures.times(one, None).duration.key is OVERFLOW_KEY
    monkeypatch.setattr(figures.STORE, "_limit", 10**6)
    assert figures.times(one, None).duration.key == (*one, None)
