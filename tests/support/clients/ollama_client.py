"""The ollama client, which never asks again by itself, and Ollama's OpenAI-compatible address."""

from __future__ import annotations

from typing import Any

from . import openai_client
from .scenario import WIDE, WIDE_STREAM, Got, Prompt, drives

MODEL = "llama3.2"


def client(prompt: Prompt) -> Any:
    import ollama

    return ollama.Client(host=prompt.url, timeout=prompt.timeout)


def many(prompt: Prompt) -> Any:
    import ollama

    return ollama.AsyncClient(host=prompt.url, timeout=prompt.timeout)


def whole(answer: Any) -> Got:
    return Got(answer.message.content, answer.prompt_eval_count, answer.eval_count, answer)


def pieces(chunks: list[Any]) -> Got:
    text = "".join(chunk.message.content or "" for chunk in chunks)
    return Got(text, chunks[-1].prompt_eval_count, chunks[-1].eval_count, chunks)


@drives("ollama", "chat", modes=WIDE, retries=False)
def chat(prompt: Prompt) -> Got:
    return whole(client(prompt).chat(model=MODEL, messages=prompt.messages))


@drives("ollama", "chat_stream", modes=WIDE_STREAM, streamed=True, retries=False)
def chat_stream(prompt: Prompt) -> Got:
    return pieces(list(client(prompt).chat(model=MODEL, messages=prompt.messages, stream=True)))


@drives("ollama", "tools", modes=("plain",), retries=False)
def tools(prompt: Prompt) -> Got:
    return Got(objects=client(prompt).chat(model=MODEL, messages=prompt.messages, tools=[openai_client.TOOL]))


@drives("ollama", "generate", retries=False)
def generate(prompt: Prompt) -> Got:
    answer = client(prompt).generate(model=MODEL, prompt=prompt.text)
    return Got(answer.response, answer.prompt_eval_count, answer.eval_count, answer)


@drives("ollama", "generate_stream", streamed=True, retries=False)
def generate_stream(prompt: Prompt) -> Got:
    chunks = list(client(prompt).generate(model=MODEL, prompt=prompt.text, stream=True))
    text = "".join(chunk.response for chunk in chunks)
    return Got(text, chunks[-1].prompt_eval_count, chunks[-1].eval_count, chunks)


@drives("ollama", "embed", retries=False)
def embed(prompt: Prompt) -> Got:
    answer = client(prompt).embed(model="all-minilm", input=prompt.text)
    return Got("", answer.prompt_eval_count, None, answer)


@drives("ollama", "async", retries=False)
async def chat_async(prompt: Prompt) -> Got:
    return whole(await many(prompt).chat(model=MODEL, messages=prompt.messages))


@drives("ollama", "async_stream", streamed=True, retries=False)
async def async_stream(prompt: Prompt) -> Got:
    return pieces([chunk async for chunk in await many(prompt).chat(model=MODEL, messages=prompt.messages, stream=True)])


@drives("ollama", "compatible", modes=("plain", "refused", "fails"))
def compatible(prompt: Prompt) -> Got:
    import openai

    ai = openai.OpenAI(**openai_client.options(prompt, "/ollama/v1"))
    return openai_client.whole(ai.chat.completions.create(model=MODEL, messages=prompt.messages))
