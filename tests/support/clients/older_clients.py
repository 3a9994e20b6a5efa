"""Clients that hold back others: litellm, llama-index, boto3's Bedrock, google-generativeai; and openai 2, which goes through httpx."""

from __future__ import annotations

import json
from typing import Any

from . import openai_client
from .scenario import OLDER, WIDE, WIDE_STREAM, Got, Prompt, drives

LITELLM = {
    "openai": ("openai/gpt-4o-mini", "/v1"),
    "anthropic": ("anthropic/claude-3-5-haiku-20241022", ""),
    "gemini": ("gemini/gemini-2.0-flash", None),
    "ollama": ("ollama_chat/llama3.2", ""),
}


def litellm_asked(prompt: Prompt, which: str) -> dict[str, Any]:
    model, path = LITELLM[which]
    # With `api_base` litellm expects the whole folder of the model here, and appends the verb itself.
    base = prompt.url + (f"/v1beta/models/{model.split('/')[1]}" if path is None else path)
    given = {"model": model, "messages": prompt.messages, "api_base": base, "api_key": "k"}
    return {**given, "timeout": prompt.timeout, "num_retries": prompt.retries}


def litellm_whole(answer: Any) -> Got:
    return Got(answer.choices[0].message.content, answer.usage.prompt_tokens, answer.usage.completion_tokens, answer)


def enter_litellm(which: str) -> None:
    client = f"litellm_{which}"
    # Gemini's streams are begun when they are first read, after litellm's own attempts.
    retries = which != "gemini"

    @drives(client, "completion", env=OLDER)
    def completion(prompt: Prompt) -> Got:
        import litellm

        return litellm_whole(litellm.completion(**litellm_asked(prompt, which)))

    @drives(client, "stream", env=OLDER, streamed=True, retries=retries)
    def stream(prompt: Prompt) -> Got:
        import litellm

        chunks = list(litellm.completion(**litellm_asked(prompt, which), stream=True))
        return Got("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), None, None, chunks)

    @drives(client, "acompletion", env=OLDER)
    async def acompletion(prompt: Prompt) -> Got:
        import litellm

        return litellm_whole(await litellm.acompletion(**litellm_asked(prompt, which)))

    @drives(client, "astream", env=OLDER, streamed=True, retries=retries)
    async def astream(prompt: Prompt) -> Got:
        import litellm

        chunks = [chunk async for chunk in await litellm.acompletion(**litellm_asked(prompt, which), stream=True)]
        return Got("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), None, None, chunks)


for name in LITELLM:
    enter_litellm(name)


def llama_index(prompt: Prompt) -> Any:
    from llama_index.llms.openai import OpenAI

    return OpenAI(
        model="gpt-4o-mini", api_base=prompt.url + "/v1", api_key="k", timeout=prompt.timeout, max_retries=prompt.retries
    )


def chat_messages(prompt: Prompt) -> list[Any]:
    from llama_index.core.llms import ChatMessage

    return [ChatMessage(role="user", content=prompt.text)]


@drives("llama_index", "chat", env=OLDER)
def llama_index_chat(prompt: Prompt) -> Got:
    answer = llama_index(prompt).chat(chat_messages(prompt))
    usage = answer.raw.usage
    return Got(answer.message.content, usage.prompt_tokens, usage.completion_tokens, answer)


@drives("llama_index", "complete", env=OLDER)
def llama_index_complete(prompt: Prompt) -> Got:
    answer = llama_index(prompt).complete(prompt.text)
    return Got(answer.text, None, None, answer)


@drives("llama_index", "stream_chat", env=OLDER, streamed=True)
def llama_index_stream_chat(prompt: Prompt) -> Got:
    chunks = list(llama_index(prompt).stream_chat(chat_messages(prompt)))
    return Got("".join(chunk.delta or "" for chunk in chunks), None, None, chunks)


@drives("llama_index", "achat", env=OLDER)
async def llama_index_achat(prompt: Prompt) -> Got:
    answer = await llama_index(prompt).achat(chat_messages(prompt))
    return Got(answer.message.content, None, None, answer)


@drives("llama_index", "astream_chat", env=OLDER, streamed=True)
async def llama_index_astream_chat(prompt: Prompt) -> Got:
    chunks = [chunk async for chunk in await llama_index(prompt).astream_chat(chat_messages(prompt))]
    return Got("".join(chunk.delta or "" for chunk in chunks), None, None, chunks)


@drives("openai2", "chat", modes=WIDE, env=OLDER)
def openai2_chat(prompt: Prompt) -> Got:
    return openai_client.chat(prompt)


@drives("openai2", "chat_stream", modes=WIDE_STREAM, streamed=True, env=OLDER)
def openai2_chat_stream(prompt: Prompt) -> Got:
    return openai_client.chat_stream(prompt)


@drives("openai2", "responses_stream", streamed=True, env=OLDER)
def openai2_responses_stream(prompt: Prompt) -> Got:
    return openai_client.responses_stream(prompt)


@drives("openai2", "chat_async_stream", streamed=True, env=OLDER)
async def openai2_chat_async_stream(prompt: Prompt) -> Got:
    got: Got = await openai_client.chat_async_stream(prompt)
    return got


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


@drives("bedrock", "converse", modes=WIDE, env=OLDER)
def converse(prompt: Prompt) -> Got:
    answer = without_metadata(bedrock(prompt).converse(**converse_asked(prompt)))
    usage = answer["usage"]
    return Got(answer["output"]["message"]["content"][0]["text"], paid(usage), usage["outputTokens"], answer)


@drives("bedrock", "converse_stream", modes=WIDE_STREAM, streamed=True, env=OLDER)
def converse_stream(prompt: Prompt) -> Got:
    events = list(bedrock(prompt).converse_stream(**converse_asked(prompt))["stream"])
    text = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)
    usage = events[-1]["metadata"]["usage"]
    return Got(text, paid(usage), usage["outputTokens"], events)


@drives("bedrock", "converse_tools", modes=("plain",), env=OLDER)
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


@drives("bedrock", "invoke_claude", env=OLDER)
def invoke_claude(prompt: Prompt) -> Got:
    answer = json.loads(bedrock(prompt).invoke_model(**invoked(prompt, CLAUDE))["body"].read())
    return Got(answer["content"][0]["text"], None, answer["usage"]["output_tokens"], answer)


@drives("bedrock", "invoke_titan", modes=("plain", "fails"), env=OLDER)
def invoke_titan(prompt: Prompt) -> Got:
    answer = json.loads(bedrock(prompt).invoke_model(**invoked(prompt, TITAN))["body"].read())
    return Got(answer["results"][0]["outputText"], answer["inputTextTokenCount"], answer["results"][0]["tokenCount"], answer)


@drives("bedrock", "invoke_titan_embed", modes=("plain", "fails"), env=OLDER)
def invoke_titan_embed(prompt: Prompt) -> Got:
    answer = json.loads(bedrock(prompt).invoke_model(**invoked(prompt, "amazon.titan-embed-text-v2:0"))["body"].read())
    return Got("", answer["inputTextTokenCount"], None, answer)


def invoke_stream(prompt: Prompt, model: str) -> list[Any]:
    events = bedrock(prompt).invoke_model_with_response_stream(**invoked(prompt, model))["body"]
    return [json.loads(event["chunk"]["bytes"]) for event in events]


@drives("bedrock", "invoke_claude_stream", streamed=True, env=OLDER)
def invoke_claude_stream(prompt: Prompt) -> Got:
    chunks = invoke_stream(prompt, CLAUDE)
    text = "".join(chunk["delta"]["text"] for chunk in chunks if chunk["type"] == "content_block_delta")
    return Got(text, None, None, chunks)


@drives("bedrock", "invoke_titan_stream", modes=("plain", "closed"), streamed=True, env=OLDER)
def invoke_titan_stream(prompt: Prompt) -> Got:
    chunks = invoke_stream(prompt, TITAN)
    return Got("".join(chunk["outputText"] for chunk in chunks), None, None, chunks)


def generativeai(prompt: Prompt, transport: str) -> Any:
    """google-generativeai with its service's client pointed at the server."""
    import google.generativeai as genai
    from google.ai import generativelanguage as glm

    model = genai.GenerativeModel("gemini-1.5-flash")
    if transport == "grpc":
        import grpc
        from google.ai.generativelanguage_v1beta.services.generative_service.transports import GenerativeServiceGrpcTransport

        channel = GenerativeServiceGrpcTransport(channel=grpc.insecure_channel(prompt.grpc))
    else:
        from google.ai.generativelanguage_v1beta.services.generative_service.transports import GenerativeServiceRestTransport
        from google.auth.credentials import AnonymousCredentials

        host = prompt.url.removeprefix("http://")
        channel = GenerativeServiceRestTransport(host=host, url_scheme="http", credentials=AnonymousCredentials())
    model._client = glm.GenerativeServiceClient(transport=channel)
    return model


def generativeai_got(answer: Any) -> Got:
    usage = answer.usage_metadata
    return Got(answer.text, usage.prompt_token_count, None, answer.to_dict())


AGAIN = ("plain", "unavailable", "fails", "late", "closed", "garbage")
"""The client asks again after 503, not after 429."""

for way in ("rest", "grpc"):

    @drives("generativeai", f"{way}", modes=AGAIN, env=OLDER)
    def generativeai_whole(prompt: Prompt, way: str = way) -> Got:
        answer = generativeai(prompt, way).generate_content(prompt.text, request_options={"timeout": prompt.timeout})
        return generativeai_got(answer)

    @drives("generativeai", f"{way}_stream", modes=AGAIN, env=OLDER, streamed=True)
    def generativeai_stream(prompt: Prompt, way: str = way) -> Got:
        options = {"timeout": prompt.timeout}
        answer = generativeai(prompt, way).generate_content(prompt.text, stream=True, request_options=options)
        return Got("".join(chunk.text for chunk in answer), None, None, answer.to_dict())
