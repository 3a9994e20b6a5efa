"""The base that several clients share: one call however often it tries, and the application gets the client's own objects."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from openai import APIError, APIStatusError, AsyncOpenAI, OpenAI, Stream
from support.ai import AiWatch, watched

from otel_chatbot.semconv import metrics as m

URL = "http://127.0.0.1/v1"
ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}


def event(delta: dict[str, Any] | None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": None}]
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini", "choices": choices, **more}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


class Endpoint:
    """An endpoint in this process: what it was asked, and how often it refuses first."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.end = b"data: [DONE]\n\n"
        self.body: Any = None
        self.library: Any = None

    def answer(self, request: Any) -> Any:
        body = json.loads(request.content)
        self.asked.append(body)
        if self.statuses:
            return self.respond(self.statuses.pop(0), b'{"error": {"message": "no"}}', "application/json")
        if not body.get("stream"):
            whole = {
                "id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini", "usage": USAGE,
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
            }  # fmt: skip
            return self.respond(200, json.dumps(whole).encode(), "application/json")
        if self.body is not None:
            return self.respond(200, self.body(), "text/event-stream")
        tells = "stream_options" in body
        pieces = [event({"content": "Hel"}), event({"content": "lo"}), *([event(None, usage=USAGE)] if tells else []), self.end]
        return self.respond(200, iter(pieces), "text/event-stream")

    def respond(self, status: int, body: Any, kind: str) -> Any:
        return self.library.Response(status, content=body, headers={"content-type": kind, "retry-after-ms": "1"})

    async def answer_async(self, request: Any) -> Any:
        answer = self.answer(request)
        if answer.is_closed:
            return answer
        pieces = list(answer.iter_raw())

        async def again() -> Any:
            for piece in pieces:
                yield piece

        return self.respond(200, again(), "text/event-stream")


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def watch() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


def library() -> Any:
    """The HTTP library that this release of the client uses."""
    import openai._base_client

    return getattr(openai._base_client, "httpx2", None) or openai._base_client.httpx


def client(endpoint: Endpoint, retries: int = 0) -> OpenAI:
    endpoint.library = library()
    transport = endpoint.library.MockTransport(endpoint.answer)
    return OpenAI(base_url=URL, api_key="k", max_retries=retries, http_client=endpoint.library.Client(transport=transport))


def aclient(endpoint: Endpoint, retries: int = 0) -> AsyncOpenAI:
    endpoint.library = library()
    transport = endpoint.library.MockTransport(endpoint.answer_async)
    return AsyncOpenAI(
        base_url=URL, api_key="k", max_retries=retries, http_client=endpoint.library.AsyncClient(transport=transport)
    )


def words(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content for chunk in chunks)


def test_the_clients_own_attempts_are_one_call(endpoint: Endpoint, watch: AiWatch) -> None:
    endpoint.statuses = [503, 429]
    with client(endpoint, retries=2) as ai:
        assert ai.chat.completions.create(**ASKED).choices[0].message.content == "Hello"
    assert len(endpoint.asked) == 3
    assert watch.counted(m.AI_RESPONSE_TIME) == {("openai", "gpt-4o-mini", None): 1.0}
    assert (watch.total(m.ERRORS), watch.tokens()) == (0.0, {"input": 3.0, "output": 2.0})


def test_a_refusal_is_the_clients_own_exception_and_the_calls_failure(endpoint: Endpoint, watch: AiWatch) -> None:
    endpoint.statuses = [500]
    with client(endpoint) as ai, pytest.raises(APIStatusError):
        ai.chat.completions.create(**ASKED)
    assert watch.counted(m.ERRORS) == {("InternalServerError",): 1.0}


def test_a_stream_is_the_clients_own_without_the_chunk_that_we_asked_for(endpoint: Endpoint, watch: AiWatch) -> None:
    with client(endpoint) as ai:
        stream = ai.chat.completions.create(**ASKED, stream=True)
        assert type(stream) is Stream
        assert watch.total(m.AI_RESPONSE_TIME) == 0.0, "it goes on"
        chunks = list(stream)
    assert (words(chunks), endpoint.asked[0]["stream_options"]) == ("Hello", {"include_usage": True})
    assert (watch.total(m.AI_RESPONSE_TIME), watch.tokens()) == (1.0, {"input": 3.0, "output": 2.0})


def test_an_endpoint_that_refuses_what_we_added_is_asked_again_without_it_and_never_with_it_again(
    endpoint: Endpoint, watch: AiWatch
) -> None:
    with client(endpoint) as ai:
        endpoint.statuses = [400]
        for _ in range(2):
            assert words(list(ai.chat.completions.create(**ASKED, stream=True))) == "Hello"
    assert ["stream_options" in body for body in endpoint.asked] == [True, False, False]
    assert (watch.total(m.AI_RESPONSE_TIME), watch.total(m.ERRORS)) == (2.0, 0.0)


def test_what_the_second_request_is_refused_for_is_the_applications(endpoint: Endpoint, watch: AiWatch) -> None:
    endpoint.statuses = [400, 400]
    with client(endpoint) as ai, pytest.raises(APIStatusError) as caught:
        ai.chat.completions.create(**ASKED, stream=True)
    assert caught.value.__context__ is None or not isinstance(caught.value.__context__, APIStatusError)
    assert watch.counted(m.ERRORS) == {("BadRequestError",): 1.0}


def test_an_error_inside_a_stream_is_the_clients_own_and_counted_once(endpoint: Endpoint, watch: AiWatch) -> None:
    endpoint.end = b'data: {"error": {"message": "overloaded", "code": "overloaded"}}\n\n'
    with client(endpoint) as ai, pytest.raises(APIError, match="overloaded"):
        list(ai.chat.completions.create(**ASKED, stream=True))
    assert watch.counted(m.ERRORS) == {("overloaded",): 1.0}


def test_what_goes_wrong_after_the_last_event_is_no_failure_for_the_client_says_nothing_of_it(
    endpoint: Endpoint, watch: AiWatch
) -> None:
    def body() -> Iterator[bytes]:
        yield event({"content": "Hello"})
        yield b"data: [DONE]\n\n"
        raise endpoint.library.ReadError("connection reset")

    with client(endpoint) as ai:
        endpoint.body = body
        assert words(list(ai.chat.completions.create(**ASKED, stream=True))) == "Hello"
    assert (watch.total(m.AI_RESPONSE_TIME), watch.total(m.ERRORS)) == (1.0, 0.0)


def test_a_connection_that_is_lost_before_the_last_event_is_a_failure(endpoint: Endpoint, watch: AiWatch) -> None:
    def body() -> Iterator[bytes]:
        yield event({"content": "Hello"})
        raise endpoint.library.ReadError("connection reset")

    with client(endpoint) as ai:
        endpoint.body = body
        with pytest.raises((APIError, endpoint.library.ReadError)) as caught:
            list(ai.chat.completions.create(**ASKED, stream=True))
    assert watch.counted(m.ERRORS) == {(type(caught.value).__qualname__,): 1.0}


def test_a_stream_that_is_thrown_away_goes_at_once_and_is_no_failure(endpoint: Endpoint, watch: AiWatch) -> None:
    gc.disable()
    try:
        with client(endpoint) as ai:
            stream = ai.chat.completions.create(**ASKED, stream=True)
            next(stream)
            gone = weakref.ref(stream)
            del stream
            assert gone() is None
    finally:
        gc.enable()
    assert (watch.total(m.AI_RESPONSE_TIME), watch.total(m.ERRORS)) == (1.0, 0.0)


def test_the_asynchronous_base_does_the_same(endpoint: Endpoint, watch: AiWatch) -> None:
    async def main() -> None:
        async with aclient(endpoint, retries=1) as ai:
            endpoint.statuses = [503]
            assert (await ai.chat.completions.create(**ASKED)).choices[0].message.content == "Hello"
            endpoint.statuses = [400]
            chunks = [chunk async for chunk in await ai.chat.completions.create(**ASKED, stream=True)]
            assert words(chunks) == "Hello"
            endpoint.statuses = [500, 500]
            with pytest.raises(APIStatusError):
                await ai.chat.completions.create(**ASKED)

    asyncio.run(main())
    assert ["stream_options" in body for body in endpoint.asked] == [False, False, True, False, False, False]
    assert watch.total(m.AI_RESPONSE_TIME) == 3.0
    assert watch.counted(m.ERRORS) == {("InternalServerError",): 1.0}
