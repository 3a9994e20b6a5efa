"""The google-genai client: whole, streamed, chats, embeddings, Vertex AI, sync and async.

A client that nobody holds closes itself, so each driver keeps its own in a variable.
"""

from __future__ import annotations

from typing import Any

from .scenario import WIDE, WIDE_STREAM, Got, Prompt, drives

MODEL = "gemini-2.5-flash"


def client(prompt: Prompt, **more: Any) -> Any:
    from google import genai
    from google.genai import types

    again = types.HttpRetryOptions(attempts=1 + prompt.retries, initial_delay=0.01, max_delay=0.02, jitter=0.01)
    http = types.HttpOptions(base_url=prompt.url, timeout=int(prompt.timeout * 1000), retry_options=again)
    return genai.Client(**{"api_key": "k", "http_options": http, **more})


def output(usage: Any) -> int:
    """All that came out: the candidates' count leaves out the thoughts."""
    return int((usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0))


def vertex_client(prompt: Prompt) -> Any:
    from google.oauth2.credentials import Credentials

    given = {"api_key": None, "vertexai": True, "project": "p", "location": "us-central1", "credentials": Credentials("k")}
    return client(prompt, **given)


def whole(answer: Any) -> Got:
    return Got(answer.text, answer.usage_metadata.prompt_token_count, output(answer.usage_metadata), seen(answer))


def pieces(chunks: list[Any]) -> Got:
    told = chunks[-1].usage_metadata
    return Got("".join(chunk.text for chunk in chunks), told.prompt_token_count, output(told), [seen(one) for one in chunks])


def seen(answer: Any) -> Any:
    """The answer without the HTTP headers, which have the time of day."""
    return answer.model_copy(update={"sdk_http_response": None})


@drives("google_genai", "generate", modes=WIDE)
def generate(prompt: Prompt) -> Got:
    ai = client(prompt)
    return whole(ai.models.generate_content(model=MODEL, contents=prompt.text))


@drives("google_genai", "stream", modes=WIDE_STREAM, streamed=True)
def stream(prompt: Prompt) -> Got:
    ai = client(prompt)
    return pieces(list(ai.models.generate_content_stream(model=MODEL, contents=prompt.text)))


@drives("google_genai", "chats")
def chats(prompt: Prompt) -> Got:
    ai = client(prompt)
    return whole(ai.chats.create(model=MODEL).send_message(prompt.text))


@drives("google_genai", "chats_stream", streamed=True)
def chats_stream(prompt: Prompt) -> Got:
    ai = client(prompt)
    return pieces(list(ai.chats.create(model=MODEL).send_message_stream(prompt.text)))


@drives("google_genai", "tools", modes=("plain",), calls=2)
def tools(prompt: Prompt) -> Got:
    """The client runs the tool by itself and asks again."""

    def weather(city: str) -> str:
        """The weather in a city."""
        return f"Rain in {city}"

    ai = client(prompt)
    answer = ai.models.generate_content(model=MODEL, contents=prompt.text, config={"tools": [weather]})
    return Got(answer.text, None, None, seen(answer))


@drives("google_genai", "embed")
def embed(prompt: Prompt) -> Got:
    ai = client(prompt)
    return Got(objects=seen(ai.models.embed_content(model="gemini-embedding-001", contents=prompt.text)))


@drives("google_genai", "vertex")
def vertex(prompt: Prompt) -> Got:
    ai = vertex_client(prompt)
    return whole(ai.models.generate_content(model=MODEL, contents=prompt.text))


@drives("google_genai", "async")
async def generate_async(prompt: Prompt) -> Got:
    async with client(prompt).aio as ai:
        return whole(await ai.models.generate_content(model=MODEL, contents=prompt.text))


@drives("google_genai", "async_stream", streamed=True)
async def async_stream(prompt: Prompt) -> Got:
    async with client(prompt).aio as ai:
        chunks = await ai.models.generate_content_stream(model=MODEL, contents=prompt.text)
        return pieces([chunk async for chunk in chunks])
