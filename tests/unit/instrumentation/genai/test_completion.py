"""Calls that the application tells of itself: the same figures and span as a call that is seen, also without an end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from support.ai import AiWatch, watched
from support.flask_hooks import Watch, hooked

from otel_chatbot import cached_answer, chat_completion
from otel_chatbot.semconv import metrics as m

MODEL = "gpt-4o-mini"


@pytest.fixture
def ai() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


@pytest.fixture
def requests() -> Iterator[Watch]:
    with hooked() as made:
        yield made


def test_a_call_told_by_hand_has_the_same_span_and_figures(ai: AiWatch) -> None:
    with chat_completion("anthropic", "claude-sonnet-4-5") as call:
        for word in ("Good ", "morning"):
            call.chunk(word)
        call.usage(1000, 200, cached_tokens=400)
        call.answered_by("claude-sonnet-4-5-20250929")
    key = ("chat", "anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929")
    assert ai.counted(m.AI_RESPONSE_TIME) == {("anthropic", "claude-sonnet-4-5", None): 1.0}
    assert ai.summed(m.GEN_AI_TOKENS) == {(*key, "input"): 1000.0, (*key, "output"): 200.0}
    assert ai.counted(m.GEN_AI_CHUNK) == {(*key[:3], None): 1.0}
    assert ai.counted(m.AI_COST)["anthropic", "claude-sonnet-4-5"] == pytest.approx((600 * 3.0 + 400 * 0.3 + 200 * 15.0) / 1e6)
    attributes = dict(ai.span.attributes or {})
    assert ai.span.name == "chat claude-sonnet-4-5"
    assert attributes["gen_ai.provider.name"] == "anthropic"
    assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (1000, 200)


def test_an_exception_in_the_block_passes_and_is_the_calls_failure(ai: AiWatch) -> None:
    with pytest.raises(ZeroDivisionError), chat_completion("own", "llama"):
        raise ZeroDivisionError("a secret")
    assert ai.counted(m.ERRORS) == {("ZeroDivisionError",): 1.0}
    assert ai.span.status.description == "ZeroDivisionError"
    with chat_completion("own", "llama") as call:
        call.fail("overloaded")
    assert ai.counted(m.ERRORS) == {("ZeroDivisionError",): 1.0, ("overloaded",): 1.0}


def test_what_is_not_told_is_estimated_from_the_sizes(ai: AiWatch) -> None:
    with chat_completion("own", "llama", prompt="x" * 400) as call:
        call.chunk("y" * 80)
    assert ai.tokens() == {"input": 100.0, "output": 20.0}
    assert dict(ai.span.attributes or {})["chatbot.ai.tokens.estimated"] is True
    assert ai.counted(m.AI_UNPRICED) == {("llama",): 1.0}


def told_in_pieces(name: str = "llama") -> Iterator[str]:
    with chat_completion("own", name) as call:
        for word in ("a", "b", "c"):
            call.chunk(word)
            yield word


def close_in_a_thread(pieces: Any) -> None:
    closing = threading.Thread(target=pieces.close)
    closing.start()
    closing.join()


def test_a_block_left_early_by_a_generator_is_no_failure(ai: AiWatch) -> None:
    running = told_in_pieces()
    next(running), next(running)
    close_in_a_thread(running)
    assert ai.total(m.ERRORS) == 0
    assert ai.tokens()["output"] == 2
    assert dict(ai.span.attributes or {})["chatbot.ai.abandoned"] is True


def test_asynchronous_code_tells_its_calls_alike(ai: AiWatch) -> None:
    async def main() -> None:
        async def one(number: int) -> None:
            async with chat_completion("own", f"llama-{number}") as call:
                await asyncio.sleep(0.01)
                call.usage(number, number)

        await asyncio.gather(*(one(number) for number in range(3)))

    asyncio.run(main())
    assert ai.counted(m.AI_RESPONSE_TIME) == {("own", f"llama-{number}", None): 1.0 for number in range(3)}
    assert len(ai.spans) == 3


def phases(watch: Watch, name: str) -> dict[str, float]:
    attributes = dict(watch.span(name).attributes or {})
    return {key.rpartition(".")[2]: float(value) for key, value in attributes.items() if key.startswith("chatbot.turn.")}  # type: ignore[arg-type]


def test_an_answer_from_the_cache_counts_what_it_saved(requests: Watch, ai: AiWatch) -> None:
    app = Flask("cached")

    @app.get("/")
    def view() -> str:
        cached_answer("openai", MODEL, 1000, 100)
        return "from the cache"

    app.test_client().get("/")
    assert ai.counted(m.AI_COST_SAVED) == {("openai", MODEL): pytest.approx((1000 * 0.15 + 100 * 0.6) / 1e6)}
    assert ai.counted(m.AI_COST) == {}
    assert set(phases(requests, "GET /")) == {"total"}
    cached_answer("own", "llama", 1000, 100)
    assert ai.counted(m.AI_UNPRICED) == {("llama",): 1.0}


def test_tokens_that_cannot_be_are_none_and_the_last_word_counts(ai: AiWatch) -> None:
    with chat_completion("own", "llama") as call:
        call.usage(5, 5)
        call.usage(-1, 7, cached_tokens=-3)
    assert ai.tokens() == {"output": 7.0}
    assert dict(ai.span.attributes or {})["gen_ai.usage.input_tokens"] == 0


def test_what_is_told_before_the_block_begins_is_let_go(ai: AiWatch) -> None:
    call = chat_completion("own", "llama")
    call.usage(1, 2)
    call.chunk("x")
    call.answered_by("llama-3")
    call.fail("early")
    with call:
        pass
    assert ai.counted(m.AI_RESPONSE_TIME) == {("own", "llama", None): 1.0}
    assert (ai.tokens(), ai.total(m.ERRORS)) == ({}, 0.0)
