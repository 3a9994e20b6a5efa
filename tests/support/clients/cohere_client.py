"""The cohere client, version 1 and 2 of its API: chat, streamed chat, embed, sync and async.

A stream is not asked for again by the client, and a broken event in it is passed over in silence.
"""

from __future__ import annotations

from typing import Any

from .openai_client import TOOL
from .scenario import WIDE, WIDE_STREAM, Got, Prompt, drives

MODEL = "command-r-plus-08-2024"


def options(prompt: Prompt) -> dict[str, Any]:
    return {"api_key": "k", "base_url": prompt.url, "timeout": prompt.timeout}


def again(prompt: Prompt) -> dict[str, Any]:
    return {"request_options": {"max_retries": prompt.retries}}


def whole(answer: Any) -> Got:
    tokens = answer.usage.tokens
    return Got(answer.message.content[0].text, int(tokens.input_tokens), int(tokens.output_tokens), answer)


def pieces(events: list[Any]) -> Got:
    text = "".join(event.delta.message.content.text for event in events if event.type == "content-delta")
    told = events[-1].delta.usage.tokens if events[-1].type == "message-end" else None
    return Got(text, told and int(told.input_tokens), told and int(told.output_tokens), events)


@drives("cohere", "chat", modes=WIDE)
def chat(prompt: Prompt) -> Got:
    import cohere

    return whole(cohere.ClientV2(**options(prompt)).chat(model=MODEL, messages=prompt.messages, **again(prompt)))


@drives("cohere", "chat_stream", modes=WIDE_STREAM, streamed=True, retries=False)
def chat_stream(prompt: Prompt) -> Got:
    import cohere

    return pieces(list(cohere.ClientV2(**options(prompt)).chat_stream(model=MODEL, messages=prompt.messages, **again(prompt))))


@drives("cohere", "tools", modes=("plain",))
def tools(prompt: Prompt) -> Got:
    import cohere

    ai = cohere.ClientV2(**options(prompt))
    return Got(objects=ai.chat(model=MODEL, messages=prompt.messages, tools=[TOOL], **again(prompt)))


@drives("cohere", "v1_chat")
def v1_chat(prompt: Prompt) -> Got:
    import cohere

    answer = cohere.Client(**options(prompt)).chat(model=MODEL, message=prompt.text, **again(prompt))
    tokens = answer.meta.tokens
    return Got(answer.text, int(tokens.input_tokens), int(tokens.output_tokens), answer)


@drives("cohere", "v1_stream", streamed=True, retries=False)
def v1_stream(prompt: Prompt) -> Got:
    import cohere

    events = list(cohere.Client(**options(prompt)).chat_stream(model=MODEL, message=prompt.text, **again(prompt)))
    return Got("".join(event.text for event in events if event.event_type == "text-generation"), None, None, events)


@drives("cohere", "embed")
def embed(prompt: Prompt) -> Got:
    import cohere

    ai = cohere.ClientV2(**options(prompt))
    answer = ai.embed(
        model="embed-v4.0", texts=[prompt.text], input_type="search_query", embedding_types=["float"], **again(prompt)
    )
    return Got("", int(answer.meta.billed_units.input_tokens), None, answer)


@drives("cohere", "async")
async def chat_async(prompt: Prompt) -> Got:
    import cohere

    async with cohere.AsyncClientV2(**options(prompt)) as ai:
        return whole(await ai.chat(model=MODEL, messages=prompt.messages, **again(prompt)))


@drives("cohere", "async_stream", streamed=True, retries=False)
async def async_stream(prompt: Prompt) -> Got:
    import cohere

    async with cohere.AsyncClientV2(**options(prompt)) as ai:
        return pieces([event async for event in ai.chat_stream(model=MODEL, messages=prompt.messages, **again(prompt))])
