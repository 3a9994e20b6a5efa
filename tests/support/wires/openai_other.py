"""OpenAI's legacy completions and its embeddings, and the list of models, which is no call of a model.

https://platform.openai.com/docs/api-reference/completions, https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any

from .answer import BROKEN_SSE, SSE, Answer, Frame, sse
from .ask import TEXT, WORDS, Ask, Tokens
from .openai_chat import CREATED, error, vendor

__all__ = ["answer", "error"]
VECTOR = (0.25, -0.5, 0.125)


def answer(ask: Ask) -> Answer | None:
    if ask.method == "GET" and ask.path.endswith("/models"):
        return Answer("openai", "models", "", {"object": "list", "data": []}, counts=False)
    model = ask.model or ask.path.split("/deployments/")[-1].split("/")[0]
    wire = "azure" if "/deployments/" in ask.path else vendor(ask.path)
    if ask.path.endswith("/embeddings"):
        told = ask.tokens.only("input")
        return Answer(wire, "embeddings", model, embeddings(ask, model, told), told=told)
    if not ask.path.endswith("/completions"):
        return None
    told = ask.tokens.only("input", "output")
    if ask.body.get("stream"):
        return Answer(
            wire, "text_completion", model, frames=list(stream(ask, model, told)), content_type=SSE, broken=BROKEN_SSE
        )
    return Answer(wire, "text_completion", model, completion(TEXT, "stop", model, told), told=told)


def usage(told: Tokens) -> dict[str, int]:
    return {"prompt_tokens": told.input, "completion_tokens": told.output, "total_tokens": told.input + told.output}


def completion(text: str, finish: str | None, model: str, told: Tokens | None) -> dict[str, Any]:
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}
    body = {"id": "cmpl-wires", "object": "text_completion", "created": CREATED, "model": model, "choices": [choice]}
    return body | ({"usage": usage(told)} if told else {})


def stream(ask: Ask, model: str, told: Tokens) -> Iterator[Frame]:
    for word in WORDS:
        yield sse(completion(word, None, model, None), content=True)
    yield sse(completion("", "stop", model, None))
    if (ask.body.get("stream_options") or {}).get("include_usage"):
        yield sse(completion("", None, model, told) | {"choices": []}, told=told)
    yield sse("[DONE]")


def embeddings(ask: Ask, model: str, told: Tokens) -> dict[str, Any]:
    given = ask.body.get("input")
    count = len(given) if isinstance(given, list) else 1
    packed = ask.body.get("encoding_format") == "base64"
    value: Any = base64.b64encode(struct.pack("<3f", *VECTOR)).decode() if packed else list(VECTOR)
    data = [{"object": "embedding", "index": index, "embedding": value} for index in range(count)]
    figures = {"prompt_tokens": told.input, "total_tokens": told.input}
    return {"id": "embd-wires", "object": "list", "data": data, "model": model, "usage": figures}
