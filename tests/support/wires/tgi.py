"""Hugging Face's text-generation-inference: /generate, /generate_stream, and / which streams where it is asked to.

https://huggingface.co/docs/text-generation-inference. What the prompt had of tokens is told by `prefill` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .answer import BROKEN_SSE, SSE, Answer, Frame, sse
from .ask import TEXT, WORDS, Ask, Tokens

MODEL = ""


def error(_status: int) -> Any:
    return {"error": "Told to fail", "error_type": "generation"}


def answer(ask: Ask) -> Answer | None:
    if ask.method != "POST" or ask.path.removeprefix("/tgi") not in ("/generate", "/generate_stream", "/", ""):
        return None
    told = ask.tokens.only("input", "output")
    if ask.path.endswith("/generate_stream") or ask.body.get("stream"):
        return Answer(
            "tgi", "text_completion", MODEL, frames=list(stream(told)), content_type=SSE,
            broken=BROKEN_SSE.replace(b"data: ", b"data:"),
        )  # fmt: skip
    body: Any = {"generated_text": TEXT, "details": details(told)}
    return Answer("tgi", "text_completion", MODEL, body if ask.path.endswith("/generate") else [body], told=told)


def details(told: Tokens) -> dict[str, Any]:
    prefill = [{"id": number, "text": "x", "logprob": None} for number in range(told.input)]
    return {"finish_reason": "eos_token", "generated_tokens": told.output, "seed": None, "prefill": prefill, "tokens": []}


def stream(told: Tokens) -> Iterator[Frame]:
    for index, word in enumerate(WORDS):
        last = index == len(WORDS) - 1
        ended = {"finish_reason": "eos_token", "generated_tokens": told.output, "seed": None, "input_length": told.input}
        token = {"id": index, "text": word, "logprob": -0.5, "special": False}
        value = {"index": index, "token": token, "generated_text": TEXT if last else None, "details": ended if last else None}
        frame = sse(value, content=True, told=told if last else None)
        yield Frame(frame.data.replace(b"data: ", b"data:", 1), frame.content, frame.told)  # as the real one writes it
