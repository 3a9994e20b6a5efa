"""Amazon Bedrock through boto3: Converse, InvokeModel and their event streams."""

from __future__ import annotations

import json
from typing import Any

from . import openai_client
from .scenario import WIDE, WIDE_STREAM, Got, Prompt, drives


def bedrock(prompt: Prompt) -> Any:
    import boto3
    from botocore.config import Config

    tries = {"mode": "standard", "total_max_attempts": 1 + prompt.retries}
    config = Config(retries=tries, read_timeout=prompt.timeout, connect_timeout=60)
    return boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=prompt.url, config=config)


CLAUDE, TITAN = "anthropic.claude-3-5-haiku-20241022-v1:0", "amazon.titan-text-express-v1"


def converse_asked(prompt: Prompt) -> dict[str, Any]:
    return {"modelId": CLAUDE, "messages": [{"role": "user", "content": [{"text": prompt.text}]}]}


def paid(usage: dict[str, int]) -> int:
    """All that went in: `inputTokens` leaves out what the cache read and wrote."""
    return usage["inputTokens"] + usage["cacheReadInputTokens"] + usage["cacheWriteInputTokens"]


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without its HTTP headers, which have the time of day."""
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


@drives("bedrock", "converse", modes=WIDE)
def converse(prompt: Prompt) -> Got:
    answer = without_metadata(bedrock(prompt).converse(**converse_asked(prompt)))
    usage = answer["usage"]
    return Got(answer["output"]["message"]["content"][0]["text"], paid(usage), usage["outputTokens"], answer)


@drives("bedrock", "converse_stream", modes=WIDE_STREAM, streamed=True)
def converse_stream(prompt: Prompt) -> Got:
    events = list(bedrock(prompt).converse_stream(**converse_asked(prompt))["stream"])
    text = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)
    usage = events[-1]["metadata"]["usage"]
    return Got(text, paid(usage), usage["outputTokens"], events)


@drives("bedrock", "converse_tools", modes=("plain",))
def converse_tools(prompt: Prompt) -> Got:
    function = openai_client.TOOL["function"]
    assert isinstance(function, dict)
    tool = {"toolSpec": {"name": "weather", "inputSchema": {"json": function["parameters"]}}}
    return Got(objects=without_metadata(bedrock(prompt).converse(**converse_asked(prompt), toolConfig={"tools": [tool]})))


def invoked(prompt: Prompt, model: str) -> dict[str, Any]:
    body: dict[str, Any] = {"inputText": prompt.text}
    if model == CLAUDE:
        body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, "messages": prompt.messages}
    return {"modelId": model, "body": json.dumps(body)}


@drives("bedrock", "invoke_claude")
def invoke_claude(prompt: Prompt) -> Got:
    answer = json.loads(bedrock(prompt).invoke_model(**invoked(prompt, CLAUDE))["body"].read())
    return Got(answer["content"][0]["text"], None, answer["usage"]["output_tokens"], answer)


@drives("bedrock", "invoke_titan", modes=("plain", "fails"))
def invoke_titan(prompt: Prompt) -> Got:
    answer = json.loads(bedrock(prompt).invoke_model(**invoked(prompt, TITAN))["body"].read())
    return Got(answer["results"][0]["outputText"], answer["inputTextTokenCount"], answer["results"][0]["tokenCount"], answer)


@drives("bedrock", "invoke_titan_embed", modes=("plain", "fails"))
def invoke_titan_embed(prompt: Prompt) -> Got:
    answer = json.loads(bedrock(prompt).invoke_model(**invoked(prompt, "amazon.titan-embed-text-v2:0"))["body"].read())
    return Got("", answer["inputTextTokenCount"], None, answer)


def invoke_stream(prompt: Prompt, model: str) -> list[Any]:
    events = bedrock(prompt).invoke_model_with_response_stream(**invoked(prompt, model))["body"]
    return [json.loads(event["chunk"]["bytes"]) for event in events]


@drives("bedrock", "invoke_claude_stream", streamed=True)
def invoke_claude_stream(prompt: Prompt) -> Got:
    chunks = invoke_stream(prompt, CLAUDE)
    text = "".join(chunk["delta"]["text"] for chunk in chunks if chunk["type"] == "content_block_delta")
    return Got(text, None, None, chunks)


@drives("bedrock", "invoke_titan_stream", modes=("plain", "closed"), streamed=True)
def invoke_titan_stream(prompt: Prompt) -> Got:
    chunks = invoke_stream(prompt, TITAN)
    return Got("".join(chunk["outputText"] for chunk in chunks), None, None, chunks)
