"""Cohere: chat in its first and second version, embeddings.

https://docs.cohere.com/reference/chat
"""

from __future__ import annotations

import re
from typing import Any, Final

from ....semconv import attributes as a
from ....semconv.attributes import GenAiOperation, GenAiProvider
from ..framing import Framing
from .answer import Answer, count_of, dict_of, dicts_of, name_of
from .protocol import NUMBERS, Body, ModelRequest, Protocol, model_of, numbers, stops

_NUMBERS: Final = {**NUMBERS, "p": a.GEN_AI_TOP_P, "k": a.GEN_AI_TOP_K}


def request(body: Body, _path: str) -> ModelRequest:
    """A request to chat."""
    told: dict[str, Any] = {}
    numbers(body, _NUMBERS, told)
    stops(body.get("stop_sequences"), told)
    if form := name_of(dict_of(body.get("response_format")).get("type")):
        told[a.GEN_AI_OUTPUT_TYPE] = "json" if form == "json_object" else form
    said = body.get("messages") or [body.get("preamble"), body.get("chat_history"), body.get("message")]
    return ModelRequest(model_of(body.get("model")), body.get("stream") is True, GenAiOperation.CHAT, told, said)


def request_embedding(body: Body, _path: str) -> ModelRequest:
    """A request for embeddings."""
    told: dict[str, Any] = {}
    if (size := count_of(body.get("output_dimension"))) is not None:
        told[a.GEN_AI_DIMENSIONS] = size
    forms = body.get("embedding_types")
    if isinstance(forms, list) and forms:
        told[a.GEN_AI_ENCODING_FORMATS] = tuple(form for form in forms if isinstance(form, str))
    return ModelRequest(
        model_of(body.get("model")), operation=GenAiOperation.EMBEDDINGS, attributes=told, said=body.get("texts")
    )


def usage(found: Any, answer: Answer) -> None:
    """Tokens: those of the model (`tokens`), else those that are billed."""
    told = dict_of(found)
    counts = dict_of(told.get("tokens")) or dict_of(told.get("billed_units"))
    asked, answered = counts.get("input_tokens"), counts.get("output_tokens")
    if asked is not None or answered is not None:
        answer.used(asked or 0, answered, cached=told.get("cached_tokens"))


def whole(found: dict[str, Any], answer: Answer) -> None:
    """A whole answer, of either version."""
    answer.by(None, found.get("id") or found.get("response_id") or found.get("generation_id"))
    usage(found.get("usage") or found.get("meta"), answer)
    answer.finished(found.get("finish_reason"))
    answer.text(found.get("text"))
    message = dict_of(found.get("message"))
    for part in dicts_of(message.get("content")):
        answer.text(part.get("text"))
        answer.text(part.get("thinking"), 0, "reasoning")
    for tool in dicts_of(message.get("tool_calls") or found.get("tool_calls")):
        called = dict_of(tool.get("function")) or tool
        answer.tool(len(answer.tools), called.get("name"), tool.get("id"), called.get("arguments") or called.get("parameters"))


def whole_embedding(found: dict[str, Any], answer: Answer) -> None:
    """An answer with embeddings; the vectors are not read."""
    answer.by(None, found.get("id"))
    usage(found.get("meta"), answer)


def chunk_embedding(_name: str, found: dict[str, Any], answer: Answer) -> None:
    """Embeddings are not streamed."""
    whole_embedding(found, answer)


def chunk(name: str, found: dict[str, Any], answer: Answer) -> None:
    """An event of a stream, of either version."""
    kind = found.get("type") or found.get("event_type") or name
    delta = dict_of(found.get("delta"))
    message = dict_of(delta.get("message"))
    if kind == "text-generation":
        answer.text(found.get("text"))
    elif kind == "content-delta":
        content = dict_of(message.get("content"))
        answer.text(content.get("text"))
        answer.text(content.get("thinking"), 0, "reasoning")
    elif kind in ("tool-call-start", "tool-call-delta"):
        called = dict_of(message.get("tool_calls"))
        function = dict_of(called.get("function"))
        answer.tool(count_of(found.get("index")) or 0, function.get("name"), called.get("id"), function.get("arguments"))
    elif kind == "tool-plan-delta":
        answer.text(message.get("tool_plan"), 0, "reasoning")
    elif kind == "message-start":
        answer.by(None, found.get("id"))
    elif kind == "message-end":
        usage(delta.get("usage"), answer)
        answer.finished(delta.get("finish_reason"))
        answer.done = True
        if found.get("error") or delta.get("error"):
            answer.failed("error")
    elif kind == "stream-start":
        answer.by(None, found.get("generation_id"))
    elif kind == "stream-end":
        said = answer.written
        response = {name: value for name, value in dict_of(found.get("response")).items() if name != "text"}
        whole(response, answer)
        answer.finished(found.get("finish_reason"))
        answer.written = said if not answer.tools else answer.written
        answer.done = True


_CHAT: Final = (request, whole, chunk)
_EMBED: Final = (request_embedding, whole_embedding, chunk_embedding)
ROWS: Final = (
    Protocol("cohere_v2", GenAiProvider.COHERE, ("chat",), re.compile(r"/v2/chat$"), ("model", "messages"), *_CHAT),
    Protocol("cohere_v1", GenAiProvider.COHERE, ("chat",), re.compile(r"/v1/chat$"), ("message",), *_CHAT, Framing.LINES),
    Protocol("cohere_embed", GenAiProvider.COHERE, ("embed",), re.compile(r"/v[12]/embed$"), ("model",), *_EMBED),
)
