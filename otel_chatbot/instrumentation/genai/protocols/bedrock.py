"""Amazon Bedrock: Converse, and InvokeModel with each vendor's own body; both also streamed, in Amazon's framing.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

import orjson

from ....semconv import attributes as a
from ....semconv.attributes import GenAiOperation, GenAiProvider
from ..framing import Framing
from . import anthropic, cohere, openai_chat
from .answer import Answer, count_of, dict_of, dicts_of
from .protocol import NUMBERS, Body, ModelRequest, Protocol, numbers, stops

_MODEL: Final = re.compile(r"/model/(.+)/[a-z-]+$")
_CONVERSE: Final = {"temperature": a.GEN_AI_TEMPERATURE, "topP": a.GEN_AI_TOP_P, "maxTokens": a.GEN_AI_MAX_TOKENS}
_INVOKE: Final = {
    **NUMBERS, **_CONVERSE, "max_gen_len": a.GEN_AI_MAX_TOKENS, "maxTokenCount": a.GEN_AI_MAX_TOKENS,
    "max_new_tokens": a.GEN_AI_MAX_TOKENS, "p": a.GEN_AI_TOP_P, "k": a.GEN_AI_TOP_K,
}  # fmt: skip
_METRICS: Final = "amazon-bedrock-invocationMetrics"
_HEADERS: Final = ("x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count")


def request_converse(body: Body, path: str) -> ModelRequest:
    """A request to converse."""
    told: dict[str, Any] = {}
    given = dict_of(body.get("inferenceConfig"))
    numbers(given, _CONVERSE, told)
    stops(given.get("stopSequences"), told)
    return ModelRequest(
        _model(path), path.endswith("-stream"), GenAiOperation.CHAT, told, [body.get("system"), body.get("messages")]
    )


def request_invoke(body: Body, path: str) -> ModelRequest:
    """A request with a vendor's own body."""
    told: dict[str, Any] = {}
    given = dict_of(body.get("textGenerationConfig") or body.get("inferenceConfig")) or body
    numbers(given, _INVOKE, told)
    stops(given.get("stopSequences") or given.get("stop_sequences") or given.get("stop"), told)
    model = _model(path)
    if "embed" in model:
        operation = GenAiOperation.EMBEDDINGS
    else:
        operation = GenAiOperation.CHAT if "messages" in body or "message" in body else GenAiOperation.TEXT_COMPLETION
    names = ("system", "messages", "message", "prompt", "inputText", "texts")
    said = [body[name] for name in names if name in body]
    return ModelRequest(model, path.endswith("-stream"), operation, told, said)


def _model(path: str) -> str:
    found = _MODEL.search(path)
    return found[1].rpartition("/")[2] if found else ""


def converse(found: dict[str, Any], answer: Answer) -> None:
    """A whole answer of Converse."""
    for number, block in enumerate(dicts_of(dict_of(dict_of(found.get("output")).get("message")).get("content"))):
        _block(number, block, answer)
    answer.finished(found.get("stopReason"))
    _usage(found.get("usage"), answer)


def _block(number: int, block: dict[str, Any], answer: Answer) -> None:
    answer.text(block.get("text"))
    thought = dict_of(block.get("reasoningContent"))
    answer.text(thought.get("text") or dict_of(thought.get("reasoningText")).get("text"), 0, "reasoning")
    used = block.get("toolUse")
    if isinstance(used, dict):
        answer.tool(number, used.get("name"), used.get("toolUseId"), used.get("input"))


def _usage(found: Any, answer: Answer) -> None:
    told = dict_of(found)
    asked = count_of(told.get("inputTokens"))
    if asked is None:
        return
    # Tokens that went through the cache are told apart from the input's.
    read, written = count_of(told.get("cacheReadInputTokens")), count_of(told.get("cacheWriteInputTokens"))
    answer.used(asked + (read or 0) + (written or 0), told.get("outputTokens"), cached=read, written=written)


def converse_chunk(name: str, found: dict[str, Any], answer: Answer) -> None:
    """An event of Converse's stream."""
    if name == "contentBlockDelta":
        _block(count_of(found.get("contentBlockIndex")) or 0, dict_of(found.get("delta")), answer)
    elif name == "contentBlockStart":
        _block(count_of(found.get("contentBlockIndex")) or 0, dict_of(found.get("start")), answer)
    elif name == "messageStop":
        answer.finished(found.get("stopReason"))
        answer.done = True
    elif name == "metadata":
        _usage(found.get("usage"), answer)
        answer.done = True
    elif name.startswith("!"):
        answer.failed(name[1:])


def invoke(found: dict[str, Any], answer: Answer) -> None:
    """A whole answer in a vendor's own body."""
    if "choices" in found:
        openai_chat.whole(found, answer)
    elif isinstance(found.get("content"), list) and "role" in found:
        anthropic.whole(found, answer)
    elif "output" in found:
        converse(found, answer)
    elif "generation_id" in found or "response_id" in found:
        cohere.whole(found, answer)
    else:
        _plain(found, answer)


def _plain(found: dict[str, Any], answer: Answer) -> None:
    """The bodies that hold a text: Llama's, Titan's, Mistral's, Cohere's older one."""
    answer.text(found.get("generation") or found.get("outputText") or found.get("text") or found.get("completion"))
    answer.finished(found.get("stop_reason") or found.get("completionReason") or found.get("finish_reason"))
    for part in [
        *dicts_of(found.get("results")), *dicts_of(found.get("outputs")), *dicts_of(found.get("generations")),
    ]:  # fmt: skip
        answer.text(part.get("outputText") or part.get("text"))
        answer.finished(part.get("completionReason") or part.get("stop_reason") or part.get("finish_reason"))
        if count_of(part.get("tokenCount")) is not None:
            answer.used(found.get("inputTextTokenCount"), part.get("tokenCount"))
    for asked, answered in (
        ("prompt_token_count", "generation_token_count"),
        ("inputTextTokenCount", "totalOutputTextTokenCount"),
        ("inputTokenCount", "outputTokenCount"),
    ):
        if answer.usage is None or found.get(answered) is not None:
            answer.used(found.get(asked), found.get(answered))


def invoke_chunk(name: str, found: dict[str, Any], answer: Answer) -> None:
    """An event of a stream in a vendor's own body, which is packed in base64."""
    if name.startswith("!"):
        answer.failed(name[1:])
        return
    inner = _unpacked(found.get("bytes"))
    if inner is None:
        answer.broken = True
        return
    metrics = inner.pop(_METRICS, None)
    _invoke_chunk(inner, answer)
    if isinstance(metrics, dict):
        answer.done = True
        if answer.usage is None:
            answer.used(
                metrics.get("inputTokenCount"), metrics.get("outputTokenCount"), cached=metrics.get("cacheReadInputTokenCount")
            )


def _unpacked(packed: Any) -> dict[str, Any] | None:
    try:
        inner = orjson.loads(base64.b64decode(packed)) if isinstance(packed, str) else None
    except (ValueError, binascii.Error):
        return None
    return inner if isinstance(inner, dict) else None


def _invoke_chunk(inner: dict[str, Any], answer: Answer) -> None:
    if "choices" in inner:
        openai_chat.chunk("", inner, answer)
    elif isinstance(inner.get("type"), str):
        anthropic.chunk("", inner, answer)
    elif isinstance(inner.get("event_type"), str):
        cohere.chunk("", inner, answer)
    elif any(isinstance(value, dict) for value in inner.values()):
        for event, value in inner.items():
            converse_chunk(event, dict_of(value), answer)
    else:
        _plain(inner, answer)


_CONVERSES: Final = re.compile(r"/model/.+/converse(?:-stream)?$")
_INVOKES: Final = re.compile(r"/model/.+/invoke(?:-with-response-stream)?$")
ROWS: Final = (
    Protocol(
        "bedrock_converse", GenAiProvider.BEDROCK, ("converse", "converse-stream"), _CONVERSES, (),
        request_converse, converse, converse_chunk, Framing.AMAZON,
    ),
    Protocol(
        "bedrock_invoke", GenAiProvider.BEDROCK, ("invoke", "invoke-with-response-stream"), _INVOKES, (),
        request_invoke, invoke, invoke_chunk, Framing.AMAZON, _HEADERS,
    ),
)  # fmt: skip
