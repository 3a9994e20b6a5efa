"""Amazon Bedrock's Converse and InvokeModel, and their event streams.

InvokeModel has each vendor's own body: here Anthropic's, Titan's, Llama's and Cohere's embeddings.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from . import anthropic, eventstream
from .answer import Answer, Frame, encoded
from .ask import ARGUMENTS, TEXT, WORDS, Ask, Tokens
from .openai_other import VECTOR

PATH = re.compile(r"/model/(.+)/(converse|converse-stream|invoke|invoke-with-response-stream)$")


def error(_status: int) -> Any:
    return {"message": "Told to fail"}


def answer(ask: Ask) -> Answer | None:
    found = PATH.search(ask.path)
    if not found:
        return None
    model, verb = found[1], found[2]
    if verb == "converse":
        told = ask.tokens.only("input", "output", "cached", "cache_write")
        return Answer("bedrock", "chat", model, converse(ask, told), told=told)
    if verb == "converse-stream":
        return streamed(model, "chat", list(converse_stream(ask)))
    if verb == "invoke":
        return invoke(ask, model)
    return streamed(model, "chat" if "claude" in model else "text_completion", list(invoke_stream(ask, model)))


def streamed(model: str, operation: str, frames: list[Frame]) -> Answer:
    broken = eventstream.broken()
    return Answer("bedrock", operation, model, frames=frames, content_type=eventstream.CONTENT_TYPE, broken=broken)


def usage(told: Tokens) -> dict[str, int]:
    return {
        "inputTokens": told.input - told.cached - told.cache_write,
        "outputTokens": told.output,
        "totalTokens": told.input + told.output,
        "cacheReadInputTokens": told.cached,
        "cacheWriteInputTokens": told.cache_write,
    }


def tool_use(ask: Ask) -> dict[str, Any]:
    return {"toolUseId": "tooluse_wires", "name": ask.tool_name(), "input": ARGUMENTS}


def converse(ask: Ask, told: Tokens) -> dict[str, Any]:
    tool = ask.wants_tool()
    content = [{"toolUse": tool_use(ask)}] if tool else [{"text": TEXT}]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use" if tool else "end_turn",
        "usage": usage(told),
        "metrics": {"latencyMs": 20},
    }


def converse_stream(ask: Ask) -> Iterator[Frame]:
    told = ask.tokens.only("input", "output", "cached", "cache_write")
    yield eventstream.event("messageStart", {"role": "assistant"})
    if ask.wants_tool():
        use = {key: value for key, value in tool_use(ask).items() if key != "input"}
        yield eventstream.event("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": use}})
        deltas: list[Any] = [{"toolUse": {"input": json.dumps(ARGUMENTS, ensure_ascii=False)}}]
    else:
        deltas = [{"text": word} for word in WORDS]
    for delta in deltas:
        yield eventstream.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta}, content=True)
    yield eventstream.event("contentBlockStop", {"contentBlockIndex": 0})
    yield eventstream.event("messageStop", {"stopReason": "tool_use" if ask.wants_tool() else "end_turn"})
    yield eventstream.event("metadata", {"usage": usage(told), "metrics": {"latencyMs": 20}}, told=told)


def invoke(ask: Ask, model: str) -> Answer:
    told = ask.tokens.only("input", "output")
    if "claude" in model:
        told = ask.tokens.only("input", "output", "cached", "cache_write")
        body: Any = anthropic.message(named(ask, model), told, anthropic.content(ask))
        return Answer("bedrock", "chat", model, body, told=told)
    if "embed" in model:
        told = told.only("input")
        body = {"embedding": list(VECTOR), "inputTextTokenCount": told.input}
        return Answer("bedrock", "embeddings", model, body, told=told)
    if "titan" in model:
        result = {"tokenCount": told.output, "outputText": TEXT, "completionReason": "FINISH"}
        body = {"inputTextTokenCount": told.input, "results": [result]}
    else:  # Llama's
        counts = {"prompt_token_count": told.input, "generation_token_count": told.output}
        body = {"generation": TEXT, "stop_reason": "stop", **counts}
    return Answer("bedrock", "text_completion", model, body, told=told)


def named(ask: Ask, model: str) -> Ask:
    return replace(ask, body={**ask.body, "model": model})


def invoke_stream(ask: Ask, model: str) -> Iterator[Frame]:
    for value, content, told in invoke_chunks(ask, model):
        packed = {"bytes": base64.b64encode(encoded(value)).decode(), "p": "abcd"}
        yield eventstream.event("chunk", packed, content=content, told=told)


def invoke_chunks(ask: Ask, model: str) -> Iterator[tuple[Any, bool, Tokens | None]]:
    """The chunks' bodies in their vendor's form; the last one has Bedrock's own counts beside."""
    if "claude" in model:
        told = ask.tokens.only("input", "output", "cached", "cache_write")
        for frame in anthropic.stream(named(ask, model), told):
            yield json.loads(frame.data.split(b"data: ", 1)[1]), frame.content, frame.told
        return
    told = ask.tokens.only("input", "output")
    for index, word in enumerate(WORDS):
        last = index == len(WORDS) - 1
        counts = {
            "inputTokenCount": told.input,
            "outputTokenCount": told.output,
            "invocationLatency": 20,
            "firstByteLatency": 9,
        }
        more = {"amazon-bedrock-invocationMetrics": counts} if last else {}
        value: dict[str, Any] = {"generation": word, "stop_reason": "stop" if last else None, **more}
        if "titan" in model:
            value = {"outputText": word, "index": 0, "completionReason": "FINISH" if last else None, **more}
        yield value, True, told if last else None
