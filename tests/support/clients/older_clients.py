"""Clients that hold back others: llama-index with openai 2, which goes through httpx, and google-generativeai."""

from __future__ import annotations

from typing import Any

from . import openai_client
from .scenario import OLDER, WIDE, WIDE_STREAM, Got, Prompt, drives


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


def patience(prompt: Prompt) -> float:
    """The time for the whole call, in which gRPC also connects."""
    return max(prompt.timeout, 2.0)


AGAIN = ("plain", "unavailable", "fails", "late", "closed", "garbage")
"""The client asks again after 503, not after 429."""

for way in ("rest", "grpc"):

    @drives("generativeai", f"{way}", modes=AGAIN, env=OLDER)
    def generativeai_whole(prompt: Prompt, way: str = way) -> Got:
        answer = generativeai(prompt, way).generate_content(prompt.text, request_options={"timeout": patience(prompt)})
        return generativeai_got(answer)

    @drives("generativeai", f"{way}_stream", modes=AGAIN, env=OLDER, streamed=True)
    def generativeai_stream(prompt: Prompt, way: str = way) -> Got:
        options = {"timeout": patience(prompt)}
        answer = generativeai(prompt, way).generate_content(prompt.text, stream=True, request_options=options)
        return Got("".join(chunk.text for chunk in answer), None, None, answer.to_dict())


async def generativeai_client(prompt: Prompt) -> Any:
    """The asynchronous client of the service, which google-generativeai uses."""
    import grpc.aio
    from google.ai import generativelanguage as glm
    from google.ai.generativelanguage_v1beta.services.generative_service.transports import (
        GenerativeServiceGrpcAsyncIOTransport as Transport,
    )

    return glm.GenerativeServiceAsyncClient(transport=Transport(channel=grpc.aio.insecure_channel(prompt.grpc)))


def asked(prompt: Prompt) -> dict[str, Any]:
    return {"model": "models/gemini-1.5-flash", "contents": [{"role": "user", "parts": [{"text": prompt.text}]}]}


@drives("generativeai", "grpc_async", modes=AGAIN, env=OLDER)
async def generativeai_async(prompt: Prompt) -> Got:
    client = await generativeai_client(prompt)
    answer = await client.generate_content(asked(prompt), timeout=patience(prompt))
    text = answer.candidates[0].content.parts[0].text
    return Got(text, answer.usage_metadata.prompt_token_count, None, type(answer).to_dict(answer))


@drives("generativeai", "grpc_async_stream", modes=AGAIN, env=OLDER, streamed=True)
async def generativeai_async_stream(prompt: Prompt) -> Got:
    client = await generativeai_client(prompt)
    stream = await client.stream_generate_content(asked(prompt), timeout=patience(prompt))
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.candidates[0].content.parts[0].text for chunk in chunks)
    return Got(text, chunks[-1].usage_metadata.prompt_token_count, None, [type(chunk).to_dict(chunk) for chunk in chunks])


@drives("generativeai", "grpc_stream_left", modes=("left",), env=OLDER, streamed=True)
def generativeai_left(prompt: Prompt) -> Got:
    answer = generativeai(prompt, "grpc").generate_content(prompt.text, stream=True, request_options={"timeout": 60})
    return Got(objects=[next(iter(answer)).text])


@drives("generativeai", "grpc_embed", modes=("plain", "unavailable", "fails", "late"), env=OLDER)
def generativeai_embed(prompt: Prompt) -> Got:
    client = generativeai(prompt, "grpc")._client
    content = {"parts": [{"text": prompt.text}]}
    answer = client.embed_content({"model": "models/text-embedding-004", "content": content}, timeout=patience(prompt))
    return Got(objects=type(answer).to_dict(answer))
