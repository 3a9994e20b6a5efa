"""Gemini's generateContent, streamGenerateContent (events or one JSON array) and embeddings; Vertex AI's paths too.

`candidatesTokenCount` leaves out the thoughts. https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .answer import BROKEN_SSE, SSE, Answer, Frame, array, encoded, sse
from .ask import ARGUMENTS, TEXT, WORDS, Ask, Tokens
from .openai_other import VECTOR

PATH = re.compile(r"/models/([^/:]+(?::[^/:]+)*):(\w+)$")


def error(status: int) -> Any:
    name = {429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}.get(status, "INTERNAL")
    return {"error": {"code": status, "message": "Told to fail", "status": name}}


def answer(ask: Ask) -> Answer | None:
    found = PATH.search(ask.path)
    if not found:
        return None
    model, verb = found[1], found[2]
    wire = "vertex" if "/projects/" in ask.path else "gemini"
    told = ask.tokens.only("input", "output", "cached", "reasoning")
    if verb == "generateContent":
        return Answer(wire, "chat", model, chunk(ask, model, parts(ask), told, finish=True), told=told)
    if verb == "streamGenerateContent":
        if "sse" in ask.query.get("alt", ()):
            return Answer(wire, "chat", model, frames=list(stream(ask, model, told)), content_type=SSE, broken=BROKEN_SSE)
        frames = list(array(stream(ask, model, told, plain=True)))
        return Answer(wire, "chat", model, frames=frames, broken=b',\r\n{"candidates": [{"cont')
    if verb == "countTokens":
        return Answer(wire, "count_tokens", model, {"totalTokens": told.input}, counts=False)
    return embeddings(ask, wire, model, verb)


def embeddings(ask: Ask, wire: str, model: str, verb: str) -> Answer | None:
    values = {"values": list(VECTOR)}
    if verb == "embedContent":
        return Answer(wire, "embeddings", model, {"embedding": values})
    if verb == "batchEmbedContents":
        return Answer(wire, "embeddings", model, {"embeddings": [values for _ in ask.body.get("requests", ())]})
    if verb == "predict":
        count = ask.tokens.input
        statistics = {"truncated": False, "token_count": count}
        predictions = [{"embeddings": values | {"statistics": statistics}} for _ in ask.body.get("instances", ())]
        return Answer(wire, "embeddings", model, {"predictions": predictions}, told=ask.tokens.only("input"))
    return None


def parts(ask: Ask) -> list[dict[str, Any]]:
    if ask.wants_tool():
        return [{"functionCall": {"name": ask.tool_name(), "args": ARGUMENTS}}]
    return [{"text": TEXT}]


def chunk(ask: Ask, model: str, content: list[Any], told: Tokens | None, *, finish: bool = False) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": content, "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = "STOP"
    body: dict[str, Any] = {"candidates": [candidate], "modelVersion": model, "responseId": "wires"}
    if told:
        body["usageMetadata"] = {
            "promptTokenCount": told.input,
            "cachedContentTokenCount": told.cached,
            "candidatesTokenCount": told.output - told.reasoning,
            "thoughtsTokenCount": told.reasoning,
            "totalTokenCount": told.input + told.output,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": told.input}],
        }
    return body


def stream(ask: Ask, model: str, told: Tokens, *, plain: bool = False) -> Iterator[Frame]:
    pieces = [parts(ask)] if ask.wants_tool() else [[{"text": word}] for word in WORDS]
    for index, piece in enumerate(pieces):
        last = index == len(pieces) - 1
        so_far = told if last else Tokens(told.input, 1 + index + told.reasoning, told.cached, 0, told.reasoning)
        value = chunk(ask, model, piece, so_far, finish=last)
        if plain:
            yield Frame(encoded(value), content=True, told=so_far)
        else:
            frame = sse(value, content=True, told=so_far)
            yield Frame(frame.data.replace(b"\n\n", b"\r\n\r\n"), frame.content, frame.told)  # as the real one ends them
