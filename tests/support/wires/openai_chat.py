"""OpenAI's chat completions, plain and streamed, and those who speak the same: Azure, Mistral, Groq, Together, Ollama, xAI.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .answer import BROKEN_SSE, SSE, Answer, Frame, sse
from .ask import ARGUMENTS, THOUGHT, Ask, Tokens

CREATED = 1_700_000_000
NO_OPTIONS = "no-options"
"""A model of this name refuses `stream_options`, as some compatible endpoints do."""


def error(status: int) -> Any:
    kind = "rate_limit_exceeded" if status == 429 else "server_error"
    return {"error": {"message": "Told to fail", "type": kind, "param": None, "code": kind}}


def answer(ask: Ask) -> Answer | None:
    if not ask.path.endswith("/chat/completions"):
        return None
    model = ask.model or ask.path.split("/deployments/")[-1].split("/")[0]
    told = ask.tokens.only("input", "output", "cached", "reasoning")
    wire = "azure" if "/deployments/" in ask.path else vendor(ask.path)
    if not ask.body.get("stream"):
        return Answer(wire, "chat", model, whole(ask, model, wire, told), told=told)
    if NO_OPTIONS in model and "stream_options" in ask.body:
        body = {"error": {"message": "Unknown parameter: stream_options", "type": "invalid_request_error", "code": None}}
        return Answer(wire, "chat", model, body, frames=None, status=400)
    frames = list(stream(ask, model, wire, told))
    return Answer(wire, "chat", model, frames=frames, content_type=SSE, broken=BROKEN_SSE)


def vendor(path: str) -> str:
    """The folder under which a vendor's endpoint stands here; `openai` where there is none."""
    first = path.lstrip("/").split("/")[0]
    return first if first in ("mistral", "groq", "together", "ollama", "xai") else "openai"


def usage(told: Tokens, wire: str) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "prompt_tokens": told.input,
        "completion_tokens": told.output,
        "total_tokens": told.input + told.output,
    }
    if wire not in ("mistral", "ollama", "together"):
        figures["prompt_tokens_details"] = {"cached_tokens": told.cached, "audio_tokens": 0}
        figures["completion_tokens_details"] = {"reasoning_tokens": told.reasoning, "audio_tokens": 0}
    if wire == "mistral":
        figures["prompt_tokens_details"] = {"cached_tokens": told.cached}
    if wire == "groq":
        figures |= {"queue_time": 0.01, "prompt_time": 0.002, "completion_time": 0.03, "total_time": 0.032}
    return figures


def tool_call(ask: Ask) -> dict[str, Any]:
    function = {"name": ask.tool_name(), "arguments": json.dumps(ARGUMENTS, ensure_ascii=False)}
    return {"id": "call_wires1", "type": "function", "function": function}


def whole(ask: Ask, model: str, wire: str, told: Tokens) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": ask.text(), "refusal": None, "annotations": []}
    finish = "stop"
    if ask.wants_tool():
        message |= {"content": None, "tool_calls": [tool_call(ask)]}
        finish = "tool_calls"
    if wire == "groq":
        message["reasoning"] = THOUGHT
    count = int(ask.body.get("n") or 1)
    choices = [{"index": index, "message": message, "logprobs": None, "finish_reason": finish} for index in range(count)]
    body: dict[str, Any] = {"id": "chatcmpl-wires", "object": "chat.completion", "created": CREATED, "model": model}
    body |= {"choices": choices, "usage": usage(told, wire)}
    if wire in ("openai", "azure", "groq"):
        body |= {"system_fingerprint": "fp_wires", "service_tier": "default"}
    if wire == "groq":
        body["x_groq"] = {"id": "req_wires"}
    return body


def stream(ask: Ask, model: str, wire: str, told: Tokens) -> Iterator[Frame]:
    asked = bool((ask.body.get("stream_options") or {}).get("include_usage"))
    always = wire in ("mistral", "together", "groq")
    head: dict[str, Any] = {"id": "chatcmpl-wires", "object": "chat.completion.chunk", "created": CREATED, "model": model}
    empty = {"usage": None} if asked else {}

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        return head | empty | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]} | more

    groq = {"x_groq": {"id": "req_wires"}} if wire == "groq" else {}
    yield sse(chunk({"role": "assistant", "content": ""}, **groq))
    if ask.wants_tool():
        call = tool_call(ask)
        arguments = call["function"]["arguments"]
        first = call | {"index": 0, "function": {"name": call["function"]["name"], "arguments": ""}}
        pieces = [arguments] if wire in ("mistral", "groq") else [arguments[:7], arguments[7:]]
        if wire in ("mistral", "groq"):
            yield sse(chunk({"tool_calls": [call | {"index": 0}]}), content=True)
        else:
            yield sse(chunk({"tool_calls": [first]}), content=True)
            for piece in pieces:
                yield sse(chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}), content=True)
    else:
        for word in ask.words():
            yield sse(chunk({"content": word}), content=True)
    last = chunk({}, "tool_calls" if ask.wants_tool() else "stop")
    if wire == "groq":
        last |= {"x_groq": {"id": "req_wires", "usage": usage(told, wire)}}
    if wire in ("mistral", "together"):
        last |= {"usage": usage(told, wire)}
    yield sse(last, told=told if always else None)
    if asked and wire not in ("mistral", "together"):
        yield sse(head | {"choices": [], "usage": usage(told, wire)}, told=told)
    yield sse("[DONE]")
