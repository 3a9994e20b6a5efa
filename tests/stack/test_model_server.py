"""The local model server, driven by the real OpenAI client: what it answers, and that its log tells the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from support.model import ModelServer
from support.stack import Stack


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ModelServer]:
    with ModelServer(tmp_path) as server:
        yield server  # type: ignore[misc]


@pytest.fixture
def client(model: ModelServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=model.url, api_key="local", max_retries=0) as client:
        yield client


def ask(client: openai.OpenAI, prompt: str, **options: Any) -> Any:
    return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": prompt}], **options)


def test_an_answer_is_the_same_every_time_and_its_usage_is_what_the_log_says(client: openai.OpenAI, model: ModelServer) -> None:
    first, second = ask(client, "hello you"), ask(client, "hello you")
    assert first.choices[0].message.content == second.choices[0].message.content == Stack.answer("hello you")
    assert first.usage.total_tokens == first.usage.prompt_tokens + first.usage.completion_tokens
    for call in model.calls(2):
        assert (call.prompt_tokens, call.completion_tokens) == (first.usage.prompt_tokens, first.usage.completion_tokens)
        assert (call.model, call.status, call.streamed, call.usage_sent) == ("gpt-4o", 200, False, True)


def test_a_streamed_answer_is_one_chunk_a_token_and_has_usage_only_where_asked(
    client: openai.OpenAI, model: ModelServer
) -> None:
    plain = list(ask(client, "/chunks 7", stream=True))
    with_usage = list(ask(client, "/chunks 7", stream=True, stream_options={"include_usage": True}))
    assert sum(bool(chunk.choices[0].delta.content) for chunk in plain) == 7
    assert all(chunk.usage is None for chunk in plain)
    assert len(with_usage) == len(plain) + 1
    assert with_usage[-1].choices == []
    assert with_usage[-1].usage.completion_tokens == 7
    assert [(call.chunks, call.completion_tokens, call.usage_sent) for call in model.calls(2)] == [(7, 7, False), (7, 7, True)]


def test_it_is_slow_where_told(client: openai.OpenAI, model: ModelServer) -> None:
    list(ask(client, "/wait 0.3 /chunks 4", stream=True))
    list(ask(client, "/slow 0.4 /chunks 4", stream=True))
    waited, slow = model.calls(2)
    assert waited.first_chunk_seconds is not None
    assert waited.first_chunk_seconds >= 0.3
    assert slow.first_chunk_seconds is not None
    assert 0.1 <= slow.first_chunk_seconds < slow.seconds - 0.25
    assert slow.seconds >= 0.4


@pytest.mark.parametrize("streamed", [False, True])
def test_it_fails_where_told(client: openai.OpenAI, model: ModelServer, streamed: bool) -> None:
    with pytest.raises(openai.RateLimitError):
        ask(client, "please /fail 429", stream=streamed)
    with pytest.raises(openai.InternalServerError):
        ask(client, "/fail", stream=streamed)
    with pytest.raises(openai.BadRequestError, match="stream_options"):
        ask(client, "/old", stream=True, stream_options={"include_usage": True})
    with pytest.raises(openai.APIConnectionError):
        list(ask(client, "/cut", stream=streamed))
    assert [(call.status, call.cut, call.failed) for call in model.calls(4)] == [
        (429, False, True),
        (500, False, True),
        (400, False, True),
        (200, True, True),
    ]


def test_a_client_that_leaves_is_logged_as_an_abort_also_while_it_waits(client: openai.OpenAI, model: ModelServer) -> None:
    with ask(client, "/slow 20 /chunks 200", stream=True) as chunks:
        for chunk in chunks:
            if chunk.choices[0].delta.content:
                break
    with pytest.raises(openai.APITimeoutError):
        ask(client, "/wait 20", timeout=0.3)
    streamed, waiting = model.calls(2)
    assert (streamed.aborted, waiting.aborted) == (True, True)
    assert 1 <= streamed.chunks < 100
    assert streamed.seconds < 10
    assert waiting.seconds < 10


def test_a_delay_holds_for_every_answer(tmp_path: Path) -> None:
    with ModelServer(tmp_path, delay=0.2) as model, openai.OpenAI(base_url=model.url, api_key="local") as client:
        assert {one.id for one in client.models.list()} >= {"gpt-4o-mini", "gpt-4o"}
        ask(client, "hello")
        [call] = model.calls(1)
    assert call.seconds >= 0.2
