"""Streams that an app does not read to their end: it closes them, throws them away, or never reads them. No error, one call."""

from __future__ import annotations

import gc
from typing import Any

from . import anthropic_client, google_genai, openai_client
from .bare import HEADERS
from .scenario import Got, Prompt, drives
from .shapes import SHAPES

LEFT = ("left",)
BODY = next(shape for shape in SHAPES if shape.name == "openai_stream")


def openai_stream(prompt: Prompt) -> Any:
    ai = openai_client.client(prompt)
    return ai.chat.completions.create(model=openai_client.CHAT, messages=prompt.messages, stream=True)


@drives("openai", "chat_stream_closed_by_app", modes=LEFT, streamed=True)
def openai_closed(prompt: Prompt) -> Got:
    stream = openai_stream(prompt)
    first = [next(stream), next(stream)]
    stream.close()
    return Got(objects=first)


@drives("openai", "chat_stream_thrown_away", modes=LEFT, streamed=True)
def openai_thrown_away(prompt: Prompt) -> Got:
    stream = openai_stream(prompt)
    first = [next(stream), next(stream)]
    del stream
    gc.collect()
    return Got(objects=first)


@drives("openai", "chat_stream_never_read", modes=LEFT, streamed=True)
def openai_never_read(prompt: Prompt) -> Got:
    stream = openai_stream(prompt)
    del stream
    gc.collect()
    return Got()


@drives("openai", "responses_stream_left", modes=LEFT, streamed=True)
def responses_left(prompt: Prompt) -> Got:
    ai = openai_client.client(prompt)
    with ai.responses.create(model=openai_client.RESPONSES, input=prompt.text, stream=True) as stream:
        return Got(objects=[next(stream), next(stream)])


@drives("anthropic", "create_stream_closed_by_app", modes=LEFT, streamed=True)
def anthropic_closed(prompt: Prompt) -> Got:
    stream = anthropic_client.client(prompt).messages.create(**anthropic_client.asked(prompt), stream=True)
    first = [next(stream), next(stream)]
    stream.close()
    return Got(objects=first)


@drives("anthropic", "stream_helper_left", modes=LEFT, streamed=True)
def anthropic_helper_left(prompt: Prompt) -> Got:
    with anthropic_client.client(prompt).messages.stream(**anthropic_client.asked(prompt)) as stream:
        return Got(objects=[next(stream.text_stream)])


@drives("google_genai", "stream_left", modes=LEFT, streamed=True)
def google_left(prompt: Prompt) -> Got:
    ai = google_genai.client(prompt)
    stream = ai.models.generate_content_stream(model=google_genai.MODEL, contents=prompt.text)
    first = google_genai.seen(next(stream))
    stream.close()
    ai.close()
    return Got(objects=first)


@drives("requests", "openai_stream_left", modes=LEFT, streamed=True, retries=False)
def requests_left(prompt: Prompt) -> Got:
    import requests

    url = prompt.url + BODY.path
    with requests.post(url, json=BODY.body(prompt), headers=HEADERS, timeout=prompt.timeout, stream=True) as answer:
        lines = answer.iter_lines()
        return Got(objects=[next(lines), next(lines)])


@drives("httpx", "openai_stream_left", modes=LEFT, streamed=True, retries=False)
def httpx_left(prompt: Prompt) -> Got:
    import httpx

    url = prompt.url + BODY.path
    with httpx.stream("POST", url, json=BODY.body(prompt), headers=HEADERS, timeout=prompt.timeout) as answer:
        lines = answer.iter_lines()
        return Got(objects=[next(lines), next(lines)])


@drives("aiohttp", "openai_stream_left", modes=LEFT, streamed=True, retries=False)
async def aiohttp_left(prompt: Prompt) -> Got:
    import aiohttp

    url = prompt.url + BODY.path
    async with aiohttp.ClientSession() as session, session.post(url, json=BODY.body(prompt), headers=HEADERS) as answer:
        return Got(objects=[await answer.content.readline()])
