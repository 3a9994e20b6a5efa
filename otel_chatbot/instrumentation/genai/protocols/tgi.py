"""Hugging Face's text-generation-inference, by its own interface.

https://huggingface.github.io/text-generation-inference/
"""

from __future__ import annotations

import re
from typing import Any, Final

from ....semconv import attributes as a
from ....semconv.attributes import GenAiOperation, GenAiProvider
from .answer import Answer, count_of, dict_of, list_of, name_of
from .protocol import NUMBERS, Body, ModelRequest, Protocol, numbers, stops

_NUMBERS: Final = {**NUMBERS, "max_new_tokens": a.GEN_AI_MAX_TOKENS}
_MODEL: Final = re.compile(r"/models/(.+)$")


def request(body: Body, path: str) -> ModelRequest:
    """A request. The server has one model, which only the path of a shared address may tell."""
    told: dict[str, Any] = {}
    given = dict_of(body.get("parameters"))
    numbers(given, _NUMBERS, told)
    stops(given.get("stop"), told)
    found = _MODEL.search(path)
    streamed = path.endswith("/generate_stream") or body.get("stream") is True
    return ModelRequest(found[1] if found else "", streamed, GenAiOperation.TEXT_COMPLETION, told, body.get("inputs"))


def whole(found: dict[str, Any], answer: Answer) -> None:
    """A whole answer. Tokens of the input are told only where the request asks for them."""
    answer.text(found.get("generated_text"))
    details = dict_of(found.get("details"))
    _details(details, answer)
    if found.get("error"):
        answer.failed(name_of(found.get("error_type")) or "error")


def _details(details: dict[str, Any], answer: Answer) -> None:
    answer.finished(details.get("finish_reason"))
    answered = count_of(details.get("generated_tokens"))
    asked = count_of(details.get("input_length"))
    if asked is None and details.get("prefill"):
        asked = len(list_of(details.get("prefill")))
    if answered is not None:
        answer.used(asked or 0, answered)


def chunk(_name: str, found: dict[str, Any], answer: Answer) -> None:
    """An event of a stream: one token; the last one holds the details."""
    token = dict_of(found.get("token"))
    if not token.get("special"):
        answer.text(token.get("text"))
    details = found.get("details")
    if isinstance(details, dict):
        _details(details, answer)
    answer.done = answer.done or isinstance(found.get("generated_text"), str)
    if found.get("error"):
        answer.failed(name_of(found.get("error_type")) or "error")


ROWS: Final = (
    Protocol(
        "tgi", GenAiProvider.TGI, ("generate", "generate_stream"), re.compile(r"(?<!/api)/generate(?:_stream)?$"), ("inputs",),
        request, whole, chunk,
    ),
)  # fmt: skip
