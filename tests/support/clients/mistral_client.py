"""The mistralai client: chat, whole and streamed, parsed, fill-in-the-middle, embeddings, sync and async."""

from __future__ import annotations

from typing import Any

from .openai_client import TOOL, pieces, whole
from .scenario import WIDE, WIDE_STREAM, Got, Prompt, drives

MODEL = "mistral-small-latest"


def client(prompt: Prompt) -> Any:
    from mistralai.client import Mistral
    from mistralai.client.utils import BackoffStrategy, RetryConfig

    tries = RetryConfig(
        "backoff", BackoffStrategy(10, 20, 1.1, 3000 if prompt.retries > 1 else 1), retry_connection_errors=False
    )
    given = {"api_key": "k", "server_url": prompt.url + "/mistral", "timeout_ms": int(prompt.timeout * 1000)}
    return Mistral(**given, retry_config=tries)


def streamed(events: list[Any]) -> Got:
    got = pieces([event.data for event in events])
    return Got(got.text, got.input, got.output, events)


@drives("mistral", "complete", modes=WIDE)
def complete(prompt: Prompt) -> Got:
    return whole(client(prompt).chat.complete(model=MODEL, messages=prompt.messages))


@drives("mistral", "stream", modes=WIDE_STREAM, streamed=True)
def stream(prompt: Prompt) -> Got:
    return streamed(list(client(prompt).chat.stream(model=MODEL, messages=prompt.messages)))


@drives("mistral", "tools", modes=("plain",))
def tools(prompt: Prompt) -> Got:
    answer = client(prompt).chat.complete(model=MODEL, messages=prompt.messages, tools=[TOOL])
    return Got("", answer.usage.prompt_tokens, answer.usage.completion_tokens, answer)


@drives("mistral", "embeddings")
def embeddings(prompt: Prompt) -> Got:
    answer = client(prompt).embeddings.create(model="mistral-embed", inputs=[prompt.text])
    return Got("", answer.usage.prompt_tokens, None, answer)


@drives("mistral", "async")
async def complete_async(prompt: Prompt) -> Got:
    async with client(prompt) as ai:
        return whole(await ai.chat.complete_async(model=MODEL, messages=prompt.messages))


@drives("mistral", "async_stream", streamed=True)
async def async_stream(prompt: Prompt) -> Got:
    async with client(prompt) as ai:
        events = await ai.chat.stream_async(model=MODEL, messages=prompt.messages)
        return streamed([event async for event in events])
