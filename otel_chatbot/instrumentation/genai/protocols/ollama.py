"""Ollama: chat, generate, embeddings; streams are lines of JSON.

https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import re
from typing import Any, Final

from ....semconv import attributes as a
from ....semconv.attributes import GenAiOperation, GenAiProvider
from ..framing import Framing
from .answer import Answer, dict_of, dicts_of, name_of
from .protocol import NUMBERS, Body, ModelRequest, Protocol, model_of, numbers, stops

_NUMBERS: Final = {**NUMBERS, "num_predict": a.GEN_AI_MAX_TOKENS}


def request(body: Body, path: str) -> ModelRequest:
    """A request to chat or to generate: both are streamed unless told otherwise."""
    told: dict[str, Any] = {}
    options = dict_of(body.get("options"))
    numbers(options, _NUMBERS, told)
    stops(options.get("stop"), told)
    if body.get("format"):
        told[a.GEN_AI_OUTPUT_TYPE] = "json"
    chat = path.endswith("/chat")
    operation = GenAiOperation.CHAT if chat else GenAiOperation.TEXT_COMPLETION
    said = body.get("messages") if chat else [body.get("system"), body.get("prompt")]
    return ModelRequest(model_of(body.get("model")), body.get("stream") is not False, operation, told, said)


def request_embedding(body: Body, _path: str) -> ModelRequest:
    """A request for embeddings."""
    said = body.get("input") or body.get("prompt")
    return ModelRequest(model_of(body.get("model")), operation=GenAiOperation.EMBEDDINGS, said=said)


def whole(found: dict[str, Any], answer: Answer) -> None:
    """A whole answer, or a part of a streamed one: they have one shape. An answer that loads a model has no tokens."""
    answer.by(found.get("model"))
    message = dict_of(found.get("message"))
    for part in (found, message):
        answer.text(part.get("thinking"), 0, "reasoning")
    answer.text(found.get("response"))
    answer.text(message.get("content"))
    for tool in dicts_of(message.get("tool_calls")):
        called = dict_of(tool.get("function"))
        answer.tool(len(answer.tools), called.get("name"), tool.get("id"), called.get("arguments"))
    if found.get("done") is True:
        answer.done = True
        answer.finished(found.get("done_reason"))
        # The count of a prompt that the server had in its cache is left out.
        if "eval_count" in found or "prompt_eval_count" in found:
            answer.used(found.get("prompt_eval_count") or 0, found.get("eval_count"))
    if found.get("error"):
        answer.failed(name_of(found.get("type")) or "error")


def whole_embedding(found: dict[str, Any], answer: Answer) -> None:
    """An answer with embeddings; the older interface tells no tokens."""
    answer.by(found.get("model"))
    answer.used(found.get("prompt_eval_count"))


def chunk(_name: str, found: dict[str, Any], answer: Answer) -> None:
    """A line of a streamed answer."""
    whole(found, answer)


def chunk_embedding(_name: str, found: dict[str, Any], answer: Answer) -> None:
    """Embeddings are not streamed."""
    whole_embedding(found, answer)


def _row(name: str, tail: str, keys: tuple[str, ...], *, embeds: bool = False) -> Protocol:
    asked, read, part = (request_embedding, whole_embedding, chunk_embedding) if embeds else (request, whole, chunk)
    path = re.compile(rf"/api/{tail}$")
    return Protocol(name, GenAiProvider.OLLAMA, (tail,), path, keys, asked, read, part, Framing.LINES)


ROWS: Final = (
    _row("ollama_chat", "chat", ("model", "messages")),
    _row("ollama_generate", "generate", ("model", "prompt")),
    _row("ollama_embed", "embed", ("model", "input"), embeds=True),
    _row("ollama_embeddings", "embeddings", ("model", "prompt"), embeds=True),
)
