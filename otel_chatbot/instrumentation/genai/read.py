"""What answers of the openai client hold: models, tokens, the size of what was written. Never the text itself.

Fed by `genai.openai_calls` with answers and chunks; feeds `genai.call.Call`.
"""

from __future__ import annotations

from typing import Any

from ..._guard import never_raise
from .call import Call
from .cost import Usage
from .stream import Take


@never_raise
def answer(call: Call, found: Any) -> None:
    """Tell a call what a whole answer holds."""
    model = getattr(found, "model", None)
    call.response_model = model if isinstance(model, str) else None
    call.usage = usage(getattr(found, "usage", None))
    _note_failure(call, found)


@never_raise
def chat_chunk(call: Call, chunk: Any) -> bool:
    """Tell a call what a chunk of a chat completion holds; the application sees it."""
    call.response_model = call.response_model or getattr(chunk, "model", None)
    call.usage = usage(getattr(chunk, "usage", None)) or call.usage
    written = sum(_written(choice.delta) for choice in getattr(chunk, "choices", None) or ())
    if written:
        call.chunk(written)
    return False


@never_raise
def response_event(call: Call, event: Any) -> bool:
    """Tell a call what an event of the Responses interface holds; the application sees it."""
    delta, found = getattr(event, "delta", None), getattr(event, "response", None)
    if isinstance(delta, str) and delta:
        call.chunk(len(delta))
    elif found is not None:
        call.response_model = getattr(found, "model", None) or call.response_model
        call.usage = usage(getattr(found, "usage", None)) or call.usage
        _note_failure(call, found)
    return False


def nothing(_call: Call, _chunk: Any) -> bool:
    """For interfaces that do not stream."""
    return False


def hiding(take: Take) -> Take:
    """For a stream that we asked for its usage: the chunk that brings it is ours alone."""

    @never_raise
    def taking(call: Call, chunk: Any) -> bool:
        take(call, chunk)
        if chunk.usage is None:
            chunk.model_fields_set.discard("usage")  # endpoints that are asked send it as null in the chunks before
            return False
        return not chunk.choices

    return taking


def usage(found: Any) -> Usage | None:
    """The tokens of an answer, under the names of either interface; None where it does not tell them."""
    if found is None:
        return None
    asked = _number(found, "prompt_tokens", "input_tokens")
    if asked is None:
        return None
    details = getattr(found, "prompt_tokens_details", None) or getattr(found, "input_tokens_details", None)
    return Usage(asked, _number(found, "completion_tokens", "output_tokens") or 0, _number(details, "cached_tokens") or 0)


def characters(said: Any) -> int:
    """The characters of what a model is asked: a text, messages, or parts of them."""
    if isinstance(said, str):
        return len(said)
    if isinstance(said, (list, tuple)):
        return sum(map(characters, said))
    if isinstance(said, dict):
        return characters(said.get("content") or said.get("text") or "")
    return characters(getattr(said, "content", None) or "")


def _number(found: Any, *names: str) -> int | None:
    for name in names:
        value = getattr(found, name, None)
        if isinstance(value, int):
            return value
    return None


def _note_failure(call: Call, found: Any) -> None:
    # The Responses interface answers 200 with an error inside (openai/types/responses/response.py).
    if getattr(found, "status", None) == "failed":
        call.failure = str(getattr(getattr(found, "error", None), "code", None) or "failed")


def _written(delta: Any) -> int:
    """The characters that a delta brings: text, a refusal, reasoning, the arguments of a tool."""
    if delta is None:
        return 0
    texts = (getattr(delta, name, None) for name in ("content", "refusal", "reasoning_content"))
    count = sum(len(text) for text in texts if isinstance(text, str))
    for tool in getattr(delta, "tool_calls", None) or ():
        called = tool.function
        count += len((called.arguments or "") + (called.name or "")) if called is not None else 0
    return count
