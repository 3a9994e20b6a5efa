"""Anthropic's messages, plain and as a stream of events. `input_tokens` leaves out what the cache read and wrote.

https://docs.anthropic.com/en/api/messages-streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .answer import SSE, Answer, Frame, sse
from .ask import ARGUMENTS, TEXT, WORDS, Ask, Tokens

BROKEN = b'event: content_block_delta\ndata: {"type": "content_block_del\n\n'


def error(status: int) -> Any:
    kind = {429: "rate_limit_error", 503: "overloaded_error"}.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": "Told to fail"}, "request_id": "req_wires"}


def answer(ask: Ask) -> Answer | None:
    if ask.path.endswith("/messages/count_tokens"):
        return Answer("anthropic", "count_tokens", ask.model, {"input_tokens": ask.tokens.input}, counts=False)
    if ask.method != "POST" or not ask.path.endswith("/messages") or "/threads/" in ask.path:
        return None
    told = ask.tokens.only("input", "output", "cached", "cache_write")
    if ask.body.get("stream"):
        frames = list(stream(ask, told))
        return Answer("anthropic", "chat", ask.model, frames=frames, content_type=SSE, broken=BROKEN)
    return Answer("anthropic", "chat", ask.model, message(ask, told, content(ask)), told=told)


def content(ask: Ask) -> list[dict[str, Any]]:
    if ask.wants_tool():
        return [{"type": "tool_use", "id": "toolu_wires", "name": ask.tool_name(), "input": ARGUMENTS}]
    return [{"type": "text", "text": TEXT}]


def usage(told: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": told.input - told.cached - told.cache_write,
        "cache_creation_input_tokens": told.cache_write,
        "cache_read_input_tokens": told.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": told.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": told.output,
        "service_tier": "standard",
    }


def message(ask: Ask, told: Tokens, blocks: list[Any]) -> dict[str, Any]:
    stop = "tool_use" if ask.wants_tool() else "end_turn"
    return {
        "id": "msg_wires", "type": "message", "role": "assistant", "model": ask.model, "content": blocks,
        "stop_reason": stop if blocks else None, "stop_sequence": None, "usage": usage(told),
    }  # fmt: skip


def stream(ask: Ask, told: Tokens) -> Iterator[Frame]:
    def event(kind: str, *, content: bool = False, told: Tokens | None = None, **more: Any) -> Frame:
        return sse({"type": kind, **more}, kind, content=content, told=told)

    begun = Tokens(told.input, 1, told.cached, told.cache_write)
    yield event("message_start", message=message(ask, begun, []), told=begun)
    if ask.wants_tool():
        block = content(ask)[0] | {"input": {}}
        deltas = [
            {"type": "input_json_delta", "partial_json": piece}
            for piece in ("", json.dumps(ARGUMENTS, ensure_ascii=False)[:7], json.dumps(ARGUMENTS, ensure_ascii=False)[7:])
        ]
    else:
        block = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": word} for word in WORDS]
    # The model names the tool, as it writes a word: with that its content begins, as in OpenAI's wire.
    yield event("content_block_start", content=ask.wants_tool(), index=0, content_block=block)
    yield event("ping")
    for delta in deltas:
        yield event("content_block_delta", content=True, index=0, delta=delta)
    yield event("content_block_stop", index=0)
    delta = {"stop_reason": "tool_use" if ask.wants_tool() else "end_turn", "stop_sequence": None}
    yield event("message_delta", told=told, delta=delta, usage={"output_tokens": told.output})
    yield event("message_stop")
