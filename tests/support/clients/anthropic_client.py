"""The anthropic client: messages, whole, streamed, through its helper, beta and async."""

from __future__ import annotations

from typing import Any

from .scenario import WIDE, WIDE_STREAM, Got, Prompt, drives

MODEL = "claude-3-5-haiku-20241022"
TOOL = {
    "name": "weather",
    "description": "The weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def options(prompt: Prompt) -> dict[str, Any]:
    return {"base_url": prompt.url, "api_key": "k", "timeout": prompt.timeout, "max_retries": prompt.retries}


def client(prompt: Prompt) -> Any:
    import anthropic

    return anthropic.Anthropic(**options(prompt))


def asked(prompt: Prompt) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 99, "messages": prompt.messages}


def total(usage: Any) -> int:
    """All that went in: `input_tokens` leaves out what the cache read and wrote."""
    return int(usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0))


def whole(message: Any) -> Got:
    return Got(message.content[0].text, total(message.usage), message.usage.output_tokens, message)


def pieces(events: list[Any]) -> Got:
    text = "".join(event.delta.text for event in events if event.type == "content_block_delta")
    told = next(event.message.usage for event in events if event.type == "message_start")
    output = next((event.usage.output_tokens for event in events if event.type == "message_delta"), None)
    return Got(text, total(told), output, events)


@drives("anthropic", "create", modes=WIDE)
def create(prompt: Prompt) -> Got:
    return whole(client(prompt).messages.create(**asked(prompt)))


@drives("anthropic", "create_stream", modes=WIDE_STREAM, streamed=True)
def create_stream(prompt: Prompt) -> Got:
    return pieces(list(client(prompt).messages.create(**asked(prompt), stream=True)))


@drives("anthropic", "stream_helper", streamed=True)
def stream_helper(prompt: Prompt) -> Got:
    with client(prompt).messages.stream(**asked(prompt)) as stream:
        words = list(stream.text_stream)
        message = stream.get_final_message()
    return Got("".join(words), total(message.usage), message.usage.output_tokens, [words, message])


@drives("anthropic", "beta")
def beta(prompt: Prompt) -> Got:
    return whole(client(prompt).beta.messages.create(**asked(prompt), betas=["files-api-2025-04-14"]))


@drives("anthropic", "beta_stream", streamed=True)
def beta_stream(prompt: Prompt) -> Got:
    return pieces(list(client(prompt).beta.messages.create(**asked(prompt), stream=True)))


@drives("anthropic", "raw")
def raw(prompt: Prompt) -> Got:
    answer = client(prompt).messages.with_raw_response.create(**asked(prompt))
    got = whole(answer.parse())
    return Got(got.text, got.input, got.output, [answer.status_code, got.objects])


@drives("anthropic", "tools", modes=("plain",), calls=2)
def tools(prompt: Prompt) -> Got:
    ai, messages = client(prompt), prompt.messages
    first = ai.messages.create(model=MODEL, max_tokens=99, messages=messages, tools=[TOOL])
    (call,) = first.content
    result = {"type": "tool_result", "tool_use_id": call.id, "content": f"Rain in {call.input['city']}"}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = ai.messages.create(model=MODEL, max_tokens=99, messages=messages, tools=[TOOL])
    return Got(second.content[0].text, None, None, [first, second])


@drives("anthropic", "tools_stream", modes=("plain",), streamed=True)
def tools_stream(prompt: Prompt) -> Got:
    return Got(objects=list(client(prompt).messages.create(**asked(prompt), tools=[TOOL], stream=True)))


@drives("anthropic", "async")
async def create_async(prompt: Prompt) -> Got:
    import anthropic

    async with anthropic.AsyncAnthropic(**options(prompt)) as ai:
        return whole(await ai.messages.create(**asked(prompt)))


@drives("anthropic", "async_stream", streamed=True)
async def create_async_stream(prompt: Prompt) -> Got:
    import anthropic

    async with anthropic.AsyncAnthropic(**options(prompt)) as ai:
        stream = await ai.messages.create(**asked(prompt), stream=True)
        return pieces([event async for event in stream])


@drives("anthropic", "async_stream_helper", streamed=True)
async def async_stream_helper(prompt: Prompt) -> Got:
    import anthropic

    async with anthropic.AsyncAnthropic(**options(prompt)) as ai, ai.messages.stream(**asked(prompt)) as stream:
        words = [word async for word in stream.text_stream]
        message = await stream.get_final_message()
    return Got("".join(words), total(message.usage), message.usage.output_tokens, [words, message])
