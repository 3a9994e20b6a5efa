"""Cohere's chat (v1 and v2, whole and streamed) and embed. `tokens` is what was used, `billed_units` what is paid for.

https://docs.cohere.com/reference/chat-stream
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .answer import BROKEN_LINE, BROKEN_SSE, SSE, Answer, Frame, line, sse
from .ask import ARGUMENTS, TEXT, WORDS, Ask, Tokens
from .openai_other import VECTOR


def error(_status: int) -> Any:
    return {"id": "wires", "message": "Told to fail"}


def answer(ask: Ask) -> Answer | None:
    told = ask.tokens.only("input", "output")
    second = "/v2/" in ask.path
    if ask.path.endswith(("/v1/embed", "/v2/embed")):
        return embed(ask, told.only("input"))
    if not ask.path.endswith(("/v1/chat", "/v2/chat")):
        return None
    if ask.body.get("stream"):
        if second:
            frames = list(stream(ask, told))
            return Answer("cohere", "chat", ask.model, frames=frames, content_type=SSE, broken=BROKEN_SSE)
        lines = list(old_stream(told))
        return Answer("cohere", "chat", ask.model, frames=lines, content_type="application/stream+json", broken=BROKEN_LINE)
    new = {"id": "wires", "message": message(ask), "finish_reason": finish(ask), "usage": usage(told)}
    return Answer("cohere", "chat", ask.model, new if second else old(told), told=told)


def usage(told: Tokens) -> dict[str, Any]:
    return {
        "billed_units": {"input_tokens": told.input - 3, "output_tokens": told.output},
        "tokens": {"input_tokens": told.input, "output_tokens": told.output},
    }


def finish(ask: Ask) -> str:
    return "TOOL_CALL" if ask.wants_tool() else "COMPLETE"


def message(ask: Ask) -> dict[str, Any]:
    if ask.wants_tool():
        return {"role": "assistant", "tool_plan": "I will look.", "tool_calls": [tool_call(ask)]}
    return {"role": "assistant", "content": [{"type": "text", "text": TEXT}]}


def tool_call(ask: Ask) -> dict[str, Any]:
    function = {"name": ask.tool_name(), "arguments": json.dumps(ARGUMENTS, ensure_ascii=False)}
    return {"id": "tool_wires", "type": "function", "function": function}


def old(told: Tokens) -> dict[str, Any]:
    meta = {"api_version": {"version": "1"}, **usage(told)}
    return {
        "response_id": "wires", "text": TEXT, "generation_id": "wires", "chat_history": [], "finish_reason": "COMPLETE",
        "meta": meta,
    }  # fmt: skip


def stream(ask: Ask, told: Tokens) -> Iterator[Frame]:
    def event(kind: str, *, content: bool = False, told: Tokens | None = None, **more: Any) -> Frame:
        return sse({"type": kind, **more}, kind, content=content, told=told)

    begun = {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}
    yield event("message-start", id="wires", delta=begun)
    if ask.wants_tool():
        call = tool_call(ask)
        arguments = call["function"]["arguments"]
        yield event("tool-plan-delta", delta={"message": {"tool_plan": "I will look."}})
        empty = call | {"function": call["function"] | {"arguments": ""}}
        yield event("tool-call-start", index=0, delta={"message": {"tool_calls": empty}}, content=True)
        for piece in (arguments[:7], arguments[7:]):
            delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
            yield event("tool-call-delta", index=0, delta=delta, content=True)
        yield event("tool-call-end", index=0)
    else:
        yield event("content-start", index=0, delta={"message": {"content": {"type": "text", "text": ""}}})
        for word in WORDS:
            yield event("content-delta", index=0, delta={"message": {"content": {"text": word}}}, content=True)
        yield event("content-end", index=0)
    yield event("message-end", told=told, id="wires", delta={"finish_reason": finish(ask), "usage": usage(told)})


def old_stream(told: Tokens) -> Iterator[Frame]:
    yield line({"is_finished": False, "event_type": "stream-start", "generation_id": "wires"})
    for word in WORDS:
        yield line({"is_finished": False, "event_type": "text-generation", "text": word}, content=True)
    end = {"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE", "response": old(told)}
    yield line(end, told=told)


def embed(ask: Ask, told: Tokens) -> Answer:
    texts = ask.body.get("texts") or [""]
    meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": told.input}}
    vectors: Any = [list(VECTOR) for _ in texts]
    by_type = "/v2/" in ask.path or ask.body.get("embedding_types")
    body = {"id": "wires", "texts": texts, "embeddings": {"float": vectors} if by_type else vectors, "meta": meta}
    body["response_type"] = "embeddings_by_type" if by_type else "embeddings_floats"
    return Answer("cohere", "embeddings", ask.model, body, told=told)
