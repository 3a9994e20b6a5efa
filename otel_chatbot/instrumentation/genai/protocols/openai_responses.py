"""OpenAI's responses.

https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

import re
from typing import Any, Final

from ....semconv import attributes as a
from ....semconv.attributes import GenAiOperation, GenAiProvider
from .answer import Answer, count_of, dict_of, dicts_of, name_of
from .protocol import Body, ModelRequest, Protocol, model_of, numbers

_NUMBERS: Final = {
    "temperature": a.GEN_AI_TEMPERATURE, "top_p": a.GEN_AI_TOP_P, "max_output_tokens": a.GEN_AI_MAX_TOKENS,
}  # fmt: skip
_JSON: Final = frozenset({"json_object", "json_schema"})
_ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
_CALLS: Final = frozenset({"function_call", "custom_tool_call", "mcp_call"})
_NO_CONTENT: Final = frozenset({None, "message", "reasoning"})
"""Items that say nothing by being there; any other is content: a call of a tool, an image."""
_REASONS: Final = {"message": "stop", **dict.fromkeys(_CALLS, "tool_calls")}
"""Why an item of the output ended: the interface has no finish reasons of its own."""
_PIECES: Final = frozenset({
    "response.output_text.delta", "response.refusal.delta", "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta", "response.function_call_arguments.delta", "response.custom_tool_call_input.delta",
    "response.mcp_call_arguments.delta", "response.code_interpreter_call_code.delta", "response.audio.transcript.delta",
})  # fmt: skip


def request(body: Body, _path: str) -> ModelRequest:
    """A request."""
    told: dict[str, Any] = {a.OPENAI_API_TYPE: "responses"}
    numbers(body, _NUMBERS, told)
    form = name_of(dict_of(dict_of(body.get("text")).get("format")).get("type"))
    if form is not None:
        told[a.GEN_AI_OUTPUT_TYPE] = "json" if form in _JSON else form
    tier = name_of(body.get("service_tier"))
    if tier is not None and tier != "auto":
        told[a.OPENAI_REQUEST_TIER] = tier
    for value, attribute in (
        (dict_of(body.get("reasoning")).get("effort"), a.GEN_AI_REASONING_LEVEL),
        (body.get("previous_response_id"), a.GEN_AI_PREVIOUS_RESPONSE),
    ):
        if (text := name_of(value)) is not None:
            told[attribute] = text
    return ModelRequest(model_of(body.get("model")), body.get("stream") is True, GenAiOperation.CHAT, told, body.get("input"))


def whole(found: dict[str, Any], answer: Answer) -> None:
    """A response, whole or as far as it is."""
    _frame(found, answer)
    for number, item in enumerate(dicts_of(found.get("output"))):
        if item.get("type") == "message":
            for part in dicts_of(item.get("content")):
                answer.text(part.get("text"))
                answer.refuses(part.get("refusal"))
        elif name_of(item.get("type")) not in _NO_CONTENT:
            answer.said = True
        _called(item, number, answer, item.get("arguments") or item.get("input"))


def _frame(found: dict[str, Any], answer: Answer) -> None:
    answer.by(found.get("model"), found.get("id"))
    told = found.get("usage")
    if isinstance(told, dict):
        asked, answered = dict_of(told.get("input_tokens_details")), dict_of(told.get("output_tokens_details"))
        answer.used(
            told.get("input_tokens"),
            told.get("output_tokens"),
            cached=asked.get("cached_tokens"),
            written=asked.get("cache_write_tokens"),
            reasoning=answered.get("reasoning_tokens"),
        )
    if (tier := name_of(found.get("service_tier"))) is not None:
        answer.attributes[a.OPENAI_RESPONSE_TIER] = tier
    status = found.get("status")
    if status == "failed":
        answer.failed(dict_of(found.get("error")).get("code"))
    if status in ("failed", "cancelled"):
        answer.finished("error")
    elif status == "incomplete":
        reason = name_of(dict_of(found.get("incomplete_details")).get("reason"))
        answer.finished("length" if reason == "max_output_tokens" else reason or "incomplete")
    elif status == "completed":
        kinds = [name_of(item.get("type")) for item in dicts_of(found.get("output"))]
        reasons = [_REASONS[kind] for kind in kinds if kind in _REASONS]
        for number, reason in enumerate(dict.fromkeys(reasons or ["stop"])):
            answer.finished(reason, number)


def _called(item: dict[str, Any], key: int, answer: Answer, arguments: Any = None) -> None:
    if name_of(item.get("type")) in _CALLS:
        answer.tool(key, item.get("name"), item.get("call_id"), arguments)


def chunk(name: str, found: dict[str, Any], answer: Answer) -> None:
    """An event of a stream."""
    kind = name_of(found.get("type")) or name
    if kind in _PIECES:
        if "arguments" in kind or "custom_tool" in kind:
            answer.tool(count_of(found.get("output_index")) or 0, arguments=found.get("delta"))
        elif "refusal" in kind:
            answer.refuses(found.get("delta"))
        else:
            answer.text(found.get("delta"), 0, "reasoning" if "reasoning" in kind else "text")
    elif kind == "response.output_item.added":
        if name_of(dict_of(found.get("item")).get("type")) not in _NO_CONTENT:
            answer.said = True
        _called(dict_of(found.get("item")), count_of(found.get("output_index")) or 0, answer)
    elif kind == "error":
        answer.failed(found.get("code") or dict_of(found.get("error")).get("code"))
    elif isinstance(found.get("response"), dict):
        _frame(found["response"], answer)
        answer.done = answer.done or kind in _ENDS


ROWS: Final = (
    Protocol(
        "openai_responses", GenAiProvider.OPENAI, ("responses",), re.compile(r"/responses$"), ("model",), request, whole, chunk
    ),
)
