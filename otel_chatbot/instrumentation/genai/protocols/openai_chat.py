"""OpenAI's chat completions and completions, and every provider with the same interface: Azure, Mistral, Groq, xAI, DeepSeek, vLLM.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import re
from typing import Any, Final

from ....semconv import attributes as a
from ....semconv.attributes import GenAiOperation, GenAiProvider
from .answer import Answer, count_of, dict_of, dicts_of, name_of
from .protocol import NUMBERS, Body, ModelRequest, Protocol, model_in, model_of, numbers, stops

_NUMBERS: Final = {**NUMBERS, "max_completion_tokens": a.GEN_AI_MAX_TOKENS}
_JSON: Final = frozenset({"json_object", "json_schema"})
_DEPLOYMENT: Final = re.compile(r"/(?:deployments|engines)/([^/]+)/")


def request(body: Body, path: str) -> ModelRequest:
    """A request for a chat completion. Azure has the model in the path."""
    return _asked(body, path, body.get("messages"), GenAiOperation.CHAT)


def request_completion(body: Body, path: str) -> ModelRequest:
    """A request to the older interface, which completes a text."""
    return _asked(body, path, body.get("prompt"), GenAiOperation.TEXT_COMPLETION)


def _asked(body: Body, path: str, said: Any, operation: GenAiOperation) -> ModelRequest:
    model = model_of(body.get("model")) or model_in(path, _DEPLOYMENT)
    told: dict[str, Any] = {}
    numbers(body, _NUMBERS, told)
    if "stop" in body:
        stops(body["stop"], told)
    choices = body.get("n")
    if isinstance(choices, int) and choices != 1:
        told[a.GEN_AI_CHOICE_COUNT] = choices
    if "response_format" in body:
        form = body["response_format"]
        kind = name_of(form.get("type") if isinstance(form, dict) else form)
        if kind is not None:
            told[a.GEN_AI_OUTPUT_TYPE] = "json" if kind in _JSON else kind
    if "service_tier" in body:
        tier = name_of(body["service_tier"])
        if tier is not None and tier != "auto":
            told[a.OPENAI_REQUEST_TIER] = tier
    return ModelRequest(model, body.get("stream") is True, operation, told, said)


def usage(found: Any, answer: Answer) -> None:
    """Tokens in the names of chat completions."""
    if not isinstance(found, dict):
        return
    asked, answered = dict_of(found.get("prompt_tokens_details")), dict_of(found.get("completion_tokens_details"))
    cached = asked.get("cached_tokens")
    answer.used(
        found.get("prompt_tokens"),
        found.get("completion_tokens"),
        cached=found.get("prompt_cache_hit_tokens") if cached is None else cached,  # DeepSeek's name
        written=asked.get("cache_write_tokens"),
        reasoning=answered.get("reasoning_tokens"),
    )
    if (number := count_of(asked.get("audio_tokens"))) is not None:
        answer.attributes[a.GEN_AI_AUDIO_INPUT_TOKENS] = number
    if (number := count_of(answered.get("audio_tokens"))) is not None:
        answer.attributes[a.GEN_AI_AUDIO_OUTPUT_TOKENS] = number


def whole(found: dict[str, Any], answer: Answer) -> None:
    """A whole answer."""
    _frame(found, answer)
    for choice in dicts_of(found.get("choices")):
        _choice(choice, dict_of(choice.get("message")), answer)


def chunk(_name: str, found: dict[str, Any], answer: Answer) -> None:
    """An event of a stream."""
    _frame(found, answer)
    for choice in dicts_of(found.get("choices")):
        _choice(choice, dict_of(choice.get("delta") or choice.get("message")), answer)


def _frame(found: dict[str, Any], answer: Answer) -> None:
    answer.by(found.get("model"), found.get("id"))
    if found.get("usage") is not None:
        usage(found["usage"], answer)
    elif (groq := found.get("x_groq")) is not None:
        usage(dict_of(groq).get("usage"), answer)
    if "system_fingerprint" in found and (fingerprint := name_of(found["system_fingerprint"])) is not None:
        answer.attributes[a.OPENAI_FINGERPRINT] = fingerprint
    if "service_tier" in found and (tier := name_of(found["service_tier"])) is not None:
        answer.attributes[a.OPENAI_RESPONSE_TIER] = tier
    if found.get("error"):
        error = found["error"]
        answer.failed(dict_of(error).get("code") or dict_of(error).get("type") or "")


def _choice(choice: dict[str, Any], message: dict[str, Any], answer: Answer) -> None:
    index = count_of(choice.get("index")) or 0
    content = message.get("content")
    if isinstance(content, str):
        answer.text(content, index)
    else:
        for part in dicts_of(content):  # Mistral's thinking models answer in parts
            answer.text(part.get("text"), index)
            for thought in dicts_of(part.get("thinking")):
                answer.text(thought.get("text"), index, "reasoning")
    if text := choice.get("text"):
        answer.text(text, index)
    if refusal := message.get("refusal"):
        answer.text(refusal, index)
    if thoughts := message.get("reasoning_content") or message.get("reasoning"):
        answer.text(thoughts, index, "reasoning")
    for tool in dicts_of(message.get("tool_calls")):
        called = dict_of(tool.get("function") or tool.get("custom"))
        key = (index, tool.get("index") if isinstance(tool.get("index"), int) else name_of(tool.get("id")))
        answer.tool(key, called.get("name"), tool.get("id"), called.get("arguments") or called.get("input"), index)
    if isinstance(message.get("function_call"), dict):
        called = message["function_call"]
        answer.tool((index, "function_call"), called.get("name"), None, called.get("arguments"), index)
    answer.finished(choice.get("finish_reason"), index)


CHAT: Final = Protocol(
    "openai_chat",
    GenAiProvider.OPENAI,
    ("completions",),
    re.compile(r"/chat/completions$"),
    ("messages",),
    request,
    whole,
    chunk,
)
COMPLETIONS: Final = Protocol(
    "openai_completions", GenAiProvider.OPENAI, ("completions",), re.compile(r"(?<!/chat)/completions$"), ("prompt",),
    request_completion, whole, chunk,
)  # fmt: skip
ROWS: Final = (CHAT, COMPLETIONS)
