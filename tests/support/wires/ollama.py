"""Ollama's own generate, chat and embed; streams are lines of JSON. A stream is what it sends where nothing is asked for.

https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .answer import BROKEN_LINE, NDJSON, Answer, Frame, line
from .ask import ARGUMENTS, TEXT, WORDS, Ask, Tokens
from .openai_other import VECTOR

WHEN = "2026-01-01T00:00:00.000000Z"
SECOND = 1_000_000_000


def error(_status: int) -> Any:
    return {"error": "Told to fail"}


def answer(ask: Ask) -> Answer | None:
    told = ask.tokens.only("input", "output")
    if ask.path.endswith(("/api/show", "/api/tags", "/api/version")):
        body = {"modelfile": "", "template": "{{ .Prompt }}", "details": {}, "model_info": {}, "capabilities": ["completion"]}
        return Answer("ollama", "show", "", body, counts=False)
    if ask.path.endswith("/api/embed"):
        given = ask.body.get("input")
        vectors = [list(VECTOR)] * (len(given) if isinstance(given, list) else 1)
        body = {"model": ask.model, "embeddings": vectors, "total_duration": SECOND, "prompt_eval_count": told.input}
        return Answer("ollama", "embeddings", ask.model, body, told=told.only("input"))
    if ask.path.endswith("/api/embeddings"):
        return Answer("ollama", "embeddings", ask.model, {"embedding": list(VECTOR)})
    if ask.path.endswith("/api/generate"):
        operation, pieces = "text_completion", [{"response": word} for word in WORDS]
        whole: dict[str, Any] = {"response": TEXT}
        last: dict[str, Any] = {"response": "", "context": [1, 2, 3]}
    elif ask.path.endswith("/api/chat"):
        operation, whole, last = "chat", {"message": message(ask)}, {"message": {"role": "assistant", "content": ""}}
        pieces = [whole] if ask.wants_tool() else [{"message": {"role": "assistant", "content": word}} for word in WORDS]
    else:
        return None
    if ask.body.get("stream", True):
        frames = list(stream(ask, pieces, last, told))
        return Answer("ollama", operation, ask.model, frames=frames, content_type=NDJSON, broken=BROKEN_LINE)
    return Answer("ollama", operation, ask.model, head(ask) | whole | end(told), told=told)


def message(ask: Ask) -> dict[str, Any]:
    if ask.wants_tool():
        call = {"function": {"name": ask.tool_name(), "arguments": ARGUMENTS}}
        return {"role": "assistant", "content": "", "tool_calls": [call]}
    return {"role": "assistant", "content": TEXT}


def head(ask: Ask) -> dict[str, Any]:
    return {"model": ask.model, "created_at": WHEN}


def end(told: Tokens) -> dict[str, Any]:
    return {
        "done": True, "done_reason": "stop", "total_duration": 2 * SECOND, "load_duration": SECOND // 2,
        "prompt_eval_count": told.input, "prompt_eval_duration": SECOND // 4, "eval_count": told.output, "eval_duration": SECOND,
    }  # fmt: skip


def stream(ask: Ask, pieces: list[dict[str, Any]], last: dict[str, Any], told: Tokens) -> Iterator[Frame]:
    for piece in pieces:
        yield line(head(ask) | piece | {"done": False}, content=True)
    yield line(head(ask) | last | end(told), told=told)
