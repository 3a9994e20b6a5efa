"""The groq client, and together's: both of the same generated base as openai's."""

from __future__ import annotations

from typing import Any

from .openai_client import TOOL, options, pieces, whole
from .scenario import WIDE, WIDE_STREAM, Got, Prompt, drives

LLAMA, TURBO = "llama-3.1-8b-instant", "meta-llama/Llama-3.3-70B-Instruct-Turbo"


def groq(prompt: Prompt, *, many: bool = False) -> Any:
    import groq

    return (groq.AsyncGroq if many else groq.Groq)(**options(prompt, "/groq"))


def together(prompt: Prompt, *, many: bool = False) -> Any:
    import together

    return (together.AsyncTogether if many else together.Together)(**options(prompt, "/together/v1"))


def told_by_groq(chunks: list[Any]) -> Got:
    """The usage of a stream stands in a part of groq's own."""
    usage = next((chunk.x_groq.usage for chunk in reversed(chunks) if chunk.x_groq and chunk.x_groq.usage), None)
    return Got(pieces(chunks).text, usage and usage.prompt_tokens, usage and usage.completion_tokens, chunks)


@drives("groq", "chat", modes=WIDE)
def chat(prompt: Prompt) -> Got:
    return whole(groq(prompt).chat.completions.create(model=LLAMA, messages=prompt.messages))


@drives("groq", "stream", modes=WIDE_STREAM, streamed=True)
def stream(prompt: Prompt) -> Got:
    return told_by_groq(list(groq(prompt).chat.completions.create(model=LLAMA, messages=prompt.messages, stream=True)))


@drives("groq", "tools", modes=("plain",))
def tools(prompt: Prompt) -> Got:
    answer = groq(prompt).chat.completions.create(model=LLAMA, messages=prompt.messages, tools=[TOOL])
    return Got("", answer.usage.prompt_tokens, answer.usage.completion_tokens, answer)


@drives("groq", "async")
async def chat_async(prompt: Prompt) -> Got:
    async with groq(prompt, many=True) as ai:
        return whole(await ai.chat.completions.create(model=LLAMA, messages=prompt.messages))


@drives("groq", "async_stream", streamed=True)
async def async_stream(prompt: Prompt) -> Got:
    async with groq(prompt, many=True) as ai:
        chunks = await ai.chat.completions.create(model=LLAMA, messages=prompt.messages, stream=True)
        return told_by_groq([chunk async for chunk in chunks])


@drives("together", "chat", modes=WIDE)
def together_chat(prompt: Prompt) -> Got:
    return whole(together(prompt).chat.completions.create(model=TURBO, messages=prompt.messages))


@drives("together", "stream", modes=WIDE_STREAM, streamed=True)
def together_stream(prompt: Prompt) -> Got:
    return pieces(list(together(prompt).chat.completions.create(model=TURBO, messages=prompt.messages, stream=True)))


@drives("together", "completions")
def together_completions(prompt: Prompt) -> Got:
    answer = together(prompt).completions.create(model=TURBO, prompt=prompt.text)
    return Got(answer.choices[0].text, answer.usage.prompt_tokens, answer.usage.completion_tokens, answer)


@drives("together", "embeddings")
def together_embeddings(prompt: Prompt) -> Got:
    return Got(objects=together(prompt).embeddings.create(model="BAAI/bge-base-en-v1.5", input=prompt.text))


@drives("together", "async")
async def together_async(prompt: Prompt) -> Got:
    async with together(prompt, many=True) as ai:
        return whole(await ai.chat.completions.create(model=TURBO, messages=prompt.messages))


@drives("together", "async_stream", streamed=True)
async def together_async_stream(prompt: Prompt) -> Got:
    async with together(prompt, many=True) as ai:
        chunks = await ai.chat.completions.create(model=TURBO, messages=prompt.messages, stream=True)
        return pieces([chunk async for chunk in chunks])
