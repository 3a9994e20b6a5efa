"""OpenAI's responses, plain and as the events of the real endpoint.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .answer import BROKEN_SSE, SSE, Answer, Frame, sse
from .ask import ARGUMENTS, Ask, Tokens
from .openai_chat import CREATED, error

__all__ = ["answer", "error"]


def answer(ask: Ask) -> Answer | None:
    if ask.method != "POST" or not ask.path.endswith("/responses"):
        return None
    told = ask.tokens.only("input", "output", "cached", "reasoning")
    if ask.body.get("stream"):
        return Answer(
            "openai",
            "responses",
            ask.model,
            frames=list(stream(ask, told)),
            content_type=SSE,
            broken=b"event: x\n" + BROKEN_SSE,
        )
    return Answer("openai", "responses", ask.model, response(ask, told, [item(ask)]), told=told)


def item(ask: Ask, *, done: bool = True) -> dict[str, Any]:
    status = "completed" if done else "in_progress"
    if ask.wants_tool():
        arguments = json.dumps(ARGUMENTS, ensure_ascii=False) if done else ""
        call = {"type": "function_call", "call_id": "call_wires1", "name": ask.tool_name(), "arguments": arguments}
        return {"id": "fc_wires", "status": status} | call
    parts = [part(ask.text())] if done else []
    return {"id": "msg_wires", "type": "message", "status": status, "role": "assistant", "content": parts}


def part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def response(ask: Ask, told: Tokens | None, output: list[Any]) -> dict[str, Any]:
    usage = told and {
        "input_tokens": told.input,
        "input_tokens_details": {"cached_tokens": told.cached},
        "output_tokens": told.output,
        "output_tokens_details": {"reasoning_tokens": told.reasoning},
        "total_tokens": told.input + told.output,
    }
    return {
        "id": "resp_wires", "object": "response", "created_at": CREATED, "status": "completed" if told else "in_progress",
        "background": False, "error": None, "incomplete_details": None, "instructions": ask.body.get("instructions"),
        "max_output_tokens": None, "model": ask.model, "output": output, "parallel_tool_calls": True, "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None}, "store": True, "temperature": 1.0, "text": {"format": {"type": "text"}},
        "tool_choice": "auto", "tools": ask.body.get("tools") or [], "top_p": 1.0, "truncation": "disabled", "usage": usage,
        "user": None, "metadata": {},
    }  # fmt: skip


def stream(ask: Ask, told: Tokens) -> Iterator[Frame]:
    number = iter(range(1000))

    def event(kind: str, *, content: bool = False, told: Tokens | None = None, **more: Any) -> Frame:
        return sse({"type": kind, "sequence_number": next(number), **more}, kind, content=content, told=told)

    yield event("response.created", response=response(ask, None, []))
    yield event("response.in_progress", response=response(ask, None, []))
    yield event("response.output_item.added", output_index=0, item=item(ask, done=False))
    here = {"output_index": 0, "item_id": item(ask)["id"]}
    if ask.wants_tool():
        arguments = item(ask)["arguments"]
        for piece in (arguments[:7], arguments[7:]):
            yield event("response.function_call_arguments.delta", content=True, delta=piece, **here)
        name = ask.tool_name()
        yield event("response.function_call_arguments.done", arguments=arguments, name=name, **here)
    else:
        here["content_index"] = 0
        yield event("response.content_part.added", part=part(""), **here)
        for word in ask.words():
            yield event("response.output_text.delta", content=True, delta=word, logprobs=[], **here)
        yield event("response.output_text.done", text=ask.text(), logprobs=[], **here)
        yield event("response.content_part.done", part=part(ask.text()), **here)
    yield event("response.output_item.done", output_index=0, item=item(ask))
    yield event("response.completed", told=told, response=response(ask, told, [item(ask)]))
