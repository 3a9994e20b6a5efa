"""The openai client: every way in that asks a model."""

from __future__ import annotations

import json
from typing import Any

from .scenario import STREAM, WIDE, WIDE_STREAM, Got, Prompt, drives

CHAT, RESPONSES = "gpt-4o-mini", "gpt-4.1-mini"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"]}


def options(prompt: Prompt, base: str = "/v1") -> dict[str, Any]:
    return {"base_url": prompt.url + base, "api_key": "k", "timeout": prompt.timeout, "max_retries": prompt.retries}


def client(prompt: Prompt) -> Any:
    import openai

    return openai.OpenAI(**options(prompt))


def whole(answer: Any) -> Got:
    """A chat completion, and what it tells."""
    return Got(answer.choices[0].message.content, answer.usage.prompt_tokens, answer.usage.completion_tokens, answer)


def pieces(chunks: list[Any]) -> Got:
    """A streamed chat completion. The app asked for no usage, so it gets none, or an empty last chunk with it."""
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    told = next((chunk.usage for chunk in reversed(chunks) if getattr(chunk, "usage", None)), None)
    return Got(text, told and told.prompt_tokens, told and told.completion_tokens, chunks)


def ended(answer: Any) -> Got:
    """A response, and what it tells."""
    return Got(answer.output_text, answer.usage.input_tokens, answer.usage.output_tokens, answer)


@drives("openai", "chat", modes=WIDE)
def chat(prompt: Prompt) -> Got:
    return whole(client(prompt).chat.completions.create(model=CHAT, messages=prompt.messages))


@drives("openai", "chat_stream", modes=WIDE_STREAM, streamed=True)
def chat_stream(prompt: Prompt) -> Got:
    return pieces(list(client(prompt).chat.completions.create(model=CHAT, messages=prompt.messages, stream=True)))


@drives("openai", "chat_stream_usage", streamed=True)
def chat_stream_usage(prompt: Prompt) -> Got:
    usage = {"include_usage": True}
    stream = client(prompt).chat.completions.create(model=CHAT, messages=prompt.messages, stream=True, stream_options=usage)
    return pieces(list(stream))


@drives("openai", "chat_stream_no_options", modes=("plain",), streamed=True)
def chat_stream_no_options(prompt: Prompt) -> Got:
    """An endpoint that refuses `stream_options`."""
    stream = client(prompt).chat.completions.create(model="llama-no-options", messages=prompt.messages, stream=True)
    return pieces(list(stream))


@drives("openai", "chat_stream_helper", streamed=True)
def chat_stream_helper(prompt: Prompt) -> Got:
    with client(prompt).chat.completions.stream(model=CHAT, messages=prompt.messages) as stream:
        events = list(stream)
        answer = stream.get_final_completion()
    return Got(answer.choices[0].message.content, None, None, [*events, answer])


@drives("openai", "chat_parse")
def chat_parse(prompt: Prompt) -> Got:
    import pydantic

    person = pydantic.create_model("Person", name=(str, ...), age=(int, ...))
    answer = client(prompt).chat.completions.parse(model=CHAT, messages=prompt.messages, response_format=person)
    return Got("", answer.usage.prompt_tokens, answer.usage.completion_tokens, [answer, answer.choices[0].message.parsed.name])


@drives("openai", "chat_tools", modes=("plain",), calls=2)
def chat_tools(prompt: Prompt) -> Got:
    """The model asks for a tool; the app runs it and asks again."""
    ai, messages = client(prompt), prompt.messages
    first = ai.chat.completions.create(model=CHAT, messages=messages, tools=[TOOL])
    (call,) = first.choices[0].message.tool_calls
    city = json.loads(call.function.arguments)["city"]
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": f"Rain in {city}"}]
    second = ai.chat.completions.create(model=CHAT, messages=messages, tools=[TOOL])
    return Got(second.choices[0].message.content, None, None, [first, second])


@drives("openai", "chat_tools_stream", modes=("plain",), streamed=True)
def chat_tools_stream(prompt: Prompt) -> Got:
    stream = client(prompt).chat.completions.create(model=CHAT, messages=prompt.messages, tools=[TOOL], stream=True)
    return Got(objects=list(stream))


@drives("openai", "chat_raw")
def chat_raw(prompt: Prompt) -> Got:
    raw = client(prompt).chat.completions.with_raw_response.create(model=CHAT, messages=prompt.messages)
    got = whole(raw.parse())
    return Got(got.text, got.input, got.output, [raw.status_code, raw.headers["x-request-id"], got.objects])


@drives("openai", "chat_raw_stream", streamed=True)
def chat_raw_stream(prompt: Prompt) -> Got:
    raw = client(prompt).chat.completions.with_raw_response.create(model=CHAT, messages=prompt.messages, stream=True)
    return pieces(list(raw.parse()))


@drives("openai", "chat_streaming_raw")
def chat_streaming_raw(prompt: Prompt) -> Got:
    """The answer's lines as they come, which the client does not read."""
    ways = client(prompt).chat.completions.with_streaming_response
    with ways.create(model=CHAT, messages=prompt.messages) as raw:
        body = "".join(raw.iter_lines())
    answer = json.loads(body)
    return Got(answer["choices"][0]["message"]["content"], answer["usage"]["prompt_tokens"], None, body)


@drives("openai", "chat_streaming_raw_stream", modes=("plain", "refused", "fails", "late", "closed"), streamed=True)
def chat_streaming_raw_stream(prompt: Prompt) -> Got:
    ways = client(prompt).chat.completions.with_streaming_response
    with ways.create(model=CHAT, messages=prompt.messages, stream=True) as raw:
        lines = list(raw.iter_lines())
    return Got(objects=lines)


@drives("openai", "chat_async")
async def chat_async(prompt: Prompt) -> Got:
    import openai

    async with openai.AsyncOpenAI(**options(prompt)) as ai:
        return whole(await ai.chat.completions.create(model=CHAT, messages=prompt.messages))


@drives("openai", "chat_async_stream", streamed=True)
async def chat_async_stream(prompt: Prompt) -> Got:
    import openai

    async with openai.AsyncOpenAI(**options(prompt)) as ai:
        stream = await ai.chat.completions.create(model=CHAT, messages=prompt.messages, stream=True)
        return pieces([chunk async for chunk in stream])


@drives("openai", "azure")
def azure(prompt: Prompt) -> Got:
    import openai

    given = options(prompt)
    del given["base_url"]
    ai = openai.AzureOpenAI(azure_endpoint=prompt.url, api_version="2024-10-21", **given)
    return whole(ai.chat.completions.create(model=CHAT, messages=prompt.messages))


@drives("openai", "completions")
def completions(prompt: Prompt) -> Got:
    answer = client(prompt).completions.create(model="gpt-3.5-turbo-instruct", prompt=prompt.text)
    return Got(answer.choices[0].text, answer.usage.prompt_tokens, answer.usage.completion_tokens, answer)


@drives("openai", "completions_stream", streamed=True)
def completions_stream(prompt: Prompt) -> Got:
    chunks = list(client(prompt).completions.create(model="gpt-3.5-turbo-instruct", prompt=prompt.text, stream=True))
    return Got("".join(chunk.choices[0].text for chunk in chunks if chunk.choices), None, None, chunks)


@drives("openai", "embeddings")
def embeddings(prompt: Prompt) -> Got:
    answer = client(prompt).embeddings.create(model="text-embedding-3-small", input=[prompt.text, "b"])
    return Got("", answer.usage.prompt_tokens, None, answer)


@drives("openai", "responses", modes=WIDE)
def responses(prompt: Prompt) -> Got:
    return ended(client(prompt).responses.create(model=RESPONSES, input=prompt.text))


@drives("openai", "responses_stream", modes=WIDE_STREAM, streamed=True)
def responses_stream(prompt: Prompt) -> Got:
    events = list(client(prompt).responses.create(model=RESPONSES, input=prompt.text, stream=True))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    told = events[-1].response.usage if events[-1].type == "response.completed" else None
    return Got(text, told and told.input_tokens, told and told.output_tokens, events)


@drives("openai", "responses_stream_helper", streamed=True)
def responses_stream_helper(prompt: Prompt) -> Got:
    with client(prompt).responses.stream(model=RESPONSES, input=prompt.text) as stream:
        events = list(stream)
        got = ended(stream.get_final_response())
    return Got(got.text, got.input, got.output, events)


@drives("openai", "responses_async")
async def responses_async(prompt: Prompt) -> Got:
    import openai

    async with openai.AsyncOpenAI(**options(prompt)) as ai:
        return ended(await ai.responses.create(model=RESPONSES, input=prompt.text))


@drives("openai", "assistants", modes=("plain", "refused", "fails", "late", "closed"))
def assistants(prompt: Prompt) -> Got:
    ai = client(prompt).beta.threads
    thread = ai.create()
    ai.messages.create(thread_id=thread.id, role="user", content="q")
    run = ai.runs.create_and_poll(thread_id=thread.id, assistant_id="asst_1", instructions=prompt.text, poll_interval_ms=5)
    answer = ai.messages.list(thread_id=thread.id)
    text = answer.data[0].content[0].text.value
    return Got(text, run.usage.prompt_tokens, run.usage.completion_tokens, [thread, answer.data])


@drives("openai", "assistants_stream", modes=tuple(mode for mode in STREAM if mode != "garbage"), streamed=True)
def assistants_stream(prompt: Prompt) -> Got:
    ai = client(prompt).beta.threads
    thread = ai.create()
    with ai.runs.stream(thread_id=thread.id, assistant_id="asst_1", instructions=prompt.text) as stream:
        events = list(stream)
        (run, messages) = stream.get_final_run(), stream.get_final_messages()
    text = messages[0].content[0].text.value
    return Got(text, run.usage.prompt_tokens, run.usage.completion_tokens, events)
