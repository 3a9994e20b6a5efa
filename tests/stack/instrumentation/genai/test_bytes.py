"""What an application sees of the openai client is byte for byte the same with and without us."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from openai import APIError, AsyncOpenAI, AsyncStream, OpenAI, Stream
from openai._base_client import AsyncAPIClient, SyncAPIClient
from pydantic import BaseModel
from support.ai import watched
from support.endpoint import Endpoint

from otel_chatbot.semconv import metrics as m

ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say good morning to Ada"}]}


class Greeting(BaseModel):
    said: str


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        yield server


def seen(found: Any) -> Any:
    """All that an application can see of an object of the client."""
    if isinstance(found, BaseModel):
        # openai's helpers build objects that pydantic warns of
        told = found.model_dump_json(exclude_unset=True, warnings=False), found.model_dump_json(warnings=False)
        return type(found).__name__, *told, repr(found)
    return found


def chunks(stream: Any) -> list[Any]:
    assert isinstance(stream, Stream)
    return [seen(chunk) for chunk in stream]


async def achunks(stream: Any) -> list[Any]:
    assert isinstance(stream, AsyncStream)
    return [seen(chunk) async for chunk in stream]


def chat(**more: Any) -> Callable[[Any], Any]:
    return lambda client: client.chat.completions.create(**ASKED, **more)


def error_of(error: APIError) -> Any:
    return type(error), str(error), error.body, getattr(error, "status_code", None), error.__cause__, error.__context__


# Each way is written for the sync client; `both` runs it on the asynchronous one where it only awaits what it gets.

WAYS: dict[str, Callable[[Any], Any]] = {
    "whole": chat(),
    "whole without usage": chat(user="nothing"),
    "stream": chat(stream=True),
    "stream, usage asked": chat(stream=True, stream_options={"include_usage": True}),
    "stream, usage refused by the app": chat(stream=True, stream_options={"include_usage": False}),
    "stream, other options": chat(stream=True, stream_options={"include_obfuscation": False}),
    "stream, options in the body": chat(stream=True, extra_body={"stream_options": {"include_usage": True}}),
    "stream of an endpoint that refuses options": chat(stream=True, user="refuse"),
    "stream of an endpoint that tells no usage": chat(stream=True, user="nothing"),
    "no stream": chat(stream=False),
    "refused": chat(user="fail 400"),
    "refused stream": chat(stream=True, user="fail 400"),
    "failed": chat(user="fail 500"),
    "too many": chat(user="fail 429", stream=True),
    "broken stream": chat(stream=True, user="break"),
    "wrong arguments": lambda client: client.chat.completions.create(model="gpt-4o-mini"),
    "parsed": lambda client: client.chat.completions.parse(**ASKED, response_format=Greeting),
    "response": lambda client: client.responses.create(model="gpt-4o-mini", input="hi"),
    "response stream": lambda client: client.responses.create(model="gpt-4o-mini", input="hi", stream=True),
    "embedding": lambda client: client.embeddings.create(model="text-embedding-3-small", input="hi", encoding_format="float"),
    "raw": lambda client: client.chat.completions.with_raw_response.create(**ASKED),
    "raw stream": lambda client: client.chat.completions.with_raw_response.create(**ASKED, stream=True),
    "raw failure": lambda client: client.chat.completions.with_raw_response.create(**ASKED, user="fail 429"),
}


def look(found: Any) -> Any:
    if isinstance(found, Stream):
        return chunks(found)
    if hasattr(found, "http_response"):
        parsed = found.parse()
        again = found.parse()
        assert parsed is again
        return type(found), dict(found.headers), found.http_response.status_code, look(parsed)
    return seen(found)


async def alook(found: Any) -> Any:
    if isinstance(found, AsyncStream):
        return await achunks(found)
    if hasattr(found, "http_response"):
        return type(found), dict(found.headers), found.http_response.status_code, await alook(found.parse())
    return seen(found)


def run(way: Callable[[Any], Any], url: str) -> Any:
    with OpenAI(base_url=url, api_key="k", max_retries=0) as client:
        try:
            return look(way(client))
        except APIError as error:
            return error_of(error)
        except Exception as error:
            return type(error), str(error)


def arun(way: Callable[[Any], Any], url: str) -> Any:
    async def main() -> Any:
        async with AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
            try:
                return await alook(await way(client))
            except APIError as error:
                return error_of(error)
            except Exception as error:
                return type(error), str(error)

    return asyncio.run(main())


@contextmanager
def observed(calls: int = 1) -> Iterator[None]:
    with watched() as watch:
        yield
    assert watch.total(m.AI_RESPONSE_TIME) == calls
    assert len(watch.spans) == calls


@pytest.mark.parametrize("runs", [run, arun], ids=["sync", "async"])
@pytest.mark.parametrize("name", WAYS)
def test_answers_chunks_and_errors_are_what_they_are_without_us(
    endpoint: Endpoint, runs: Callable[..., Any], name: str
) -> None:
    bare = runs(WAYS[name], endpoint.url)
    with observed(0 if name == "wrong arguments" else 1):  # the client sends nothing
        with_us = runs(WAYS[name], endpoint.url)
    if name == "broken stream":  # the client puts the chain of its HTTP library behind it, which holds addresses
        bare, with_us = bare[:2], with_us[:2]
    assert str(with_us) == str(bare)


def lines(client: OpenAI) -> Any:
    with client.chat.completions.with_streaming_response.create(**ASKED, stream=True) as raw:
        return type(raw), list(raw.iter_lines())


def whole_bytes(client: OpenAI) -> Any:
    with client.chat.completions.with_streaming_response.create(**ASKED) as raw:
        return type(raw), b"".join(raw.iter_bytes())


def parsed_later(client: OpenAI) -> Any:
    with client.chat.completions.with_streaming_response.create(**ASKED) as raw:
        assert not raw.http_response.is_closed
        return seen(raw.parse())


def parsed_stream(client: OpenAI) -> Any:
    with client.chat.completions.with_streaming_response.create(**ASKED, stream=True) as raw:
        return chunks(raw.parse())


def raw_lines(client: OpenAI) -> Any:
    return list(client.chat.completions.with_raw_response.create(**ASKED, stream=True).http_response.iter_lines())


def helper(client: OpenAI) -> Any:
    with client.chat.completions.stream(**ASKED) as stream:
        return [seen(event) for event in stream], seen(stream.get_final_completion())


def response_helper(client: OpenAI) -> Any:
    with client.responses.stream(model="gpt-4o-mini", input="hi") as stream:
        return [seen(event) for event in stream], seen(stream.get_final_response())


def context(client: OpenAI) -> Any:
    with client.chat.completions.create(**ASKED, stream=True) as stream:
        return next(stream).id, [seen(chunk) for chunk in stream], stream.response.status_code, next(stream, "the end")


def resumed(client: OpenAI) -> Any:
    stream = client.chat.completions.create(**ASKED, stream=True)
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    return [seen(chunk) for chunk in stream]


def generator_of_messages(client: OpenAI) -> Any:
    return seen(client.chat.completions.create(model="gpt-4o-mini", messages=(message for message in ASKED["messages"])))


@pytest.mark.parametrize(
    "way",
    [
        lines, whole_bytes, parsed_later, parsed_stream, raw_lines, helper, response_helper, context, resumed,
        generator_of_messages,
    ],
    ids=lambda way: way.__name__,
)  # fmt: skip
def test_raw_answers_and_the_clients_helpers_are_what_they_are_without_us(
    endpoint: Endpoint, way: Callable[[OpenAI], Any]
) -> None:
    with OpenAI(base_url=endpoint.url, api_key="k", max_retries=0) as client:
        bare = way(client)
    with observed(), OpenAI(base_url=endpoint.url, api_key="k", max_retries=0) as client:
        with_us = way(client)
    assert with_us == bare


async def alines(client: AsyncOpenAI) -> Any:
    async with client.chat.completions.with_streaming_response.create(**ASKED, stream=True) as raw:
        return type(raw), [line async for line in raw.iter_lines()]


async def aparsed_later(client: AsyncOpenAI) -> Any:
    async with client.chat.completions.with_streaming_response.create(**ASKED) as raw:
        assert not raw.http_response.is_closed
        return seen(await raw.parse())


async def aparsed_stream(client: AsyncOpenAI) -> Any:
    async with client.chat.completions.with_streaming_response.create(**ASKED, stream=True) as raw:
        return await achunks(await raw.parse())


async def ahelper(client: AsyncOpenAI) -> Any:
    async with client.chat.completions.stream(**ASKED) as stream:
        return [seen(event) async for event in stream], seen(await stream.get_final_completion())


async def aresponse_helper(client: AsyncOpenAI) -> Any:
    async with client.responses.stream(model="gpt-4o-mini", input="hi") as stream:
        return [seen(event) async for event in stream], seen(await stream.get_final_response())


async def acontext(client: AsyncOpenAI) -> Any:
    async with await client.chat.completions.create(**ASKED, stream=True) as stream:
        return (await anext(stream)).id, [seen(chunk) async for chunk in stream], stream.response.status_code


@pytest.mark.parametrize(
    "way", [alines, aparsed_later, aparsed_stream, ahelper, aresponse_helper, acontext], ids=lambda way: way.__name__
)
def test_the_asynchronous_clients_raw_answers_and_helpers_too(endpoint: Endpoint, way: Callable[[AsyncOpenAI], Any]) -> None:
    async def main() -> Any:
        async with AsyncOpenAI(base_url=endpoint.url, api_key="k", max_retries=0) as client:
            return await way(client)

    bare = asyncio.run(main())
    with observed():
        with_us = asyncio.run(main())
    assert with_us == bare


def test_the_request_that_leaves_holds_one_thing_more_and_only_where_it_is_needed(endpoint: Endpoint) -> None:
    def sent(way: Callable[[Any], Any]) -> list[dict[str, Any]]:
        endpoint.requests.clear()
        run(way, endpoint.url)
        return list(endpoint.requests)

    for name in ("whole", "stream, usage asked", "stream, usage refused by the app", "raw stream", "parsed", "embedding"):
        bare = sent(WAYS[name])
        with watched():
            assert sent(WAYS[name]) == bare, name
    with watched():
        [request] = sent(WAYS["stream"])
        assert request["stream_options"] == {"include_usage": True}
        [request] = sent(WAYS["stream, other options"])
        assert request["stream_options"] == {"include_obfuscation": False, "include_usage": True}


def test_an_endpoint_that_refused_is_not_asked_again(endpoint: Endpoint) -> None:
    endpoint.requests.clear()
    with watched() as watch, OpenAI(base_url=endpoint.url, api_key="k", max_retries=0) as client:
        for _ in range(3):
            assert len(chunks(chat(stream=True, user="refuse")(client))) == 6
    assert ["stream_options" in request for request in endpoint.requests] == [True, False, False, False]
    assert watch.total(m.AI_RESPONSE_TIME) == 3.0
    assert watch.total(m.ERRORS) == 0


def test_switching_off_leaves_the_clients_own_methods() -> None:
    owners = (SyncAPIClient, "request"), (AsyncAPIClient, "request"), (httpx2.Client, "send"), (httpx2.AsyncClient, "send")
    before = [vars(owner)[name] for owner, name in owners]
    with watched():
        for (owner, name), original in zip(owners, before, strict=True):
            assert vars(owner)[name] is not original
            assert inspect.signature(vars(owner)[name]) == inspect.signature(original)
        assert inspect.iscoroutinefunction(AsyncAPIClient.request)
    assert [vars(owner)[name] for owner, name in owners] == before
