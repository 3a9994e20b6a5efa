"""Anthropic's messages, also where Vertex and Bedrock carry them.

https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

import re
from typing import Any, Final

from ....semconv.attributes import GenAiOperation, GenAiProvider
from .answer import Answer, count_of, dict_of, dicts_of, name_of
from .protocol import NUMBERS, Body, ModelRequest, Protocol, model_in, model_of, numbers, stops

_IN_PATH: Final = re.compile(r"/models/([^/:]+)(?=[:/])")
_CALLS: Final = frozenset({"tool_use"})
_COUNTS: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")


def request(body: Body, path: str) -> ModelRequest:
    """A request. Vertex has the model in the path."""
    model = model_of(body.get("model")) or model_in(path, _IN_PATH)
    told: dict[str, Any] = {}
    numbers(body, NUMBERS, told)
    stops(body.get("stop_sequences"), told)
    streamed = body.get("stream") is True or path.endswith(":streamRawPredict")
    return ModelRequest(model, streamed, GenAiOperation.CHAT, told, [body.get("system"), body.get("messages")])


def usage(found: Any, answer: Answer) -> None:
    """Tokens. `input_tokens` are those that no cache served. A stream tells the counts in two events; the later event is right."""
    told = dict_of(found)
    seen = answer.counts
    for name in _COUNTS:
        if (number := count_of(told.get(name))) is not None:
            seen[name] = number
    if "input_tokens" in seen:
        read, written = seen.get("cache_read_input_tokens"), seen.get("cache_creation_input_tokens")
        everything = seen["input_tokens"] + (read or 0) + (written or 0)
        answer.used(everything, seen.get("output_tokens"), cached=read, written=written)


def whole(found: dict[str, Any], answer: Answer) -> None:
    """A message, whole or as far as it is."""
    answer.by(found.get("model"), found.get("id"))
    usage(found.get("usage"), answer)
    for number, block in enumerate(dicts_of(found.get("content"))):
        _block(number, block, answer)
    answer.finished(found.get("stop_reason"))
    if found.get("type") == "error":
        answer.failed(dict_of(found.get("error")).get("type"))


def _block(number: int, block: dict[str, Any], answer: Answer) -> None:
    kind = name_of(block.get("type"))
    if kind in _CALLS:
        arguments = block.get("input")
        answer.tool(number, block.get("name"), block.get("id"), arguments or None)
    else:
        answer.text(block.get("text"))
        answer.text(block.get("thinking"), 0, "reasoning")


def chunk(name: str, found: dict[str, Any], answer: Answer) -> None:
    """An event of a stream."""
    kind = found.get("type") or name
    if kind == "content_block_delta":
        delta = dict_of(found.get("delta"))
        if "partial_json" in delta:
            answer.tool(count_of(found.get("index")) or 0, arguments=delta["partial_json"])
        else:
            answer.text(delta.get("text"))
            answer.text(delta.get("thinking"), 0, "reasoning")
    elif kind == "content_block_start":
        _block(count_of(found.get("index")) or 0, dict_of(found.get("content_block")), answer)
    elif kind == "message_start":
        whole(dict_of(found.get("message")), answer)
    elif kind == "message_delta":
        usage(found.get("usage"), answer)
        answer.finished(dict_of(found.get("delta")).get("stop_reason"))
    elif kind == "message_stop":
        answer.done = True
    elif kind == "error":
        answer.failed(name_of(dict_of(found.get("error")).get("type")))


ROWS: Final = (
    Protocol(
        "anthropic", GenAiProvider.ANTHROPIC, ("messages",), re.compile(r"/messages$"), ("messages", "max_tokens"),
        request, whole, chunk,
    ),
    Protocol(
        "anthropic_vertex", GenAiProvider.VERTEX, ("rawPredict", "streamRawPredict"),
        re.compile(r"/publishers/anthropic/models/[^/]+:(?:streamRawP|rawP)redict$"), ("messages",), request, whole, chunk,
    ),
)  # fmt: skip
