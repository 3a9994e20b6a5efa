"""Calls of models through httpx: one call each, the application's own responses and errors, and nothing else touched."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from support.ai import AiWatch, watched

from otel_chatbot.semconv import metrics as m

URL = "http://127.0.0.1/v1/chat/completions"
ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = json.dumps({"model": "gpt-4o-mini", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}).encode()
PIECES = [
    b'data: {"choices": [{"delta": {"content": "Hel',
    b'lo"}}]}\n\n',
    b'data: {"usage": {"prompt_tokens": 3, ',
    b'"completion_tokens": 2}}\n\n',
]
TOKENS = {"input": 3.0, "output": 2.0}


@pytest.fixture
def watch() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


def breaks() -> Iterator[bytes]:
    yield PIECES[0]
    raise httpx.ReadError("connection reset")


async def again(pieces: Any) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def client(content: Any, kind: str = "application/json", status: int = 200, **headers: str) -> httpx.Client:
    """A client whose every request gets this answer."""
    headers = {"content-type": kind, **headers}
    return httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(status, content=content, headers=headers)))


def test_a_whole_answer_is_counted_and_given_to_the_app(watch: AiWatch) -> None:
    with client(ANSWER) as http:
        answer = http.post(URL, json=ASKED)
    assert answer.content == ANSWER
    assert watch.counted(m.AI_RESPONSE_TIME) == {("openai", "gpt-4o-mini", None): 1.0}
    assert (watch.tokens(), watch.total(m.ERRORS)) == (TOKENS, 0.0)


def test_a_compressed_answer_that_is_read_in_pieces_is_read_along(watch: AiWatch) -> None:
    packed = gzip.compress(ANSWER)
    with (
        client(iter([packed[:9], packed[9:]]), **{"content-encoding": "gzip"}) as http,
        http.stream("POST", URL, json=ASKED) as got,
    ):
        assert got.read() == ANSWER
    assert (watch.total(m.AI_RESPONSE_TIME), watch.tokens()) == (1.0, TOKENS)


def test_a_streamed_answer_gives_the_same_pieces_and_ends_its_call_with_the_last(watch: AiWatch) -> None:
    with client(iter(PIECES), "text/event-stream") as http, http.stream("POST", URL, json=ASKED) as got:
        pieces = got.iter_raw()
        assert next(pieces) == PIECES[0]
        assert watch.total(m.AI_RESPONSE_TIME) == 0.0, "it goes on"
        assert [*pieces] == PIECES[1:]
        assert watch.total(m.AI_RESPONSE_TIME) == 1.0
    assert (watch.tokens(), watch.total(m.GEN_AI_FIRST_CHUNK)) == (TOKENS, 1.0)


@pytest.mark.parametrize("end", ["closed", "thrown away"])
def test_a_stream_that_is_left_is_one_call_and_no_error(watch: AiWatch, end: str) -> None:
    http = client(iter(PIECES), "text/event-stream")
    got = http.send(http.build_request("POST", URL, json=ASKED), stream=True)
    pieces = got.iter_raw()
    next(pieces)
    if end == "closed":
        got.close()
        assert watch.total(m.AI_RESPONSE_TIME) == 1.0
    gone = weakref.ref(got)
    del got, pieces
    gc.collect()  # a response and its stream refer to each other, also without us
    assert gone() is None, "nothing of ours holds it"
    http.close()
    assert (watch.total(m.AI_RESPONSE_TIME), watch.total(m.ERRORS)) == (1.0, 0.0)


def test_errors_are_the_librarys_own_and_counted_once(watch: AiWatch) -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there")

    with httpx.Client(transport=httpx.MockTransport(refuse)) as http, pytest.raises(httpx.ConnectError):
        http.post(URL, json=ASKED)
    with client(breaks(), "text/event-stream") as http:
        got = http.send(http.build_request("POST", URL, json=ASKED), stream=True)
        with pytest.raises(httpx.ReadError):
            got.read()
    with client(b"{}", status=503) as http:
        assert http.post(URL, json=ASKED).status_code == 503
    assert watch.counted(m.ERRORS) == {("ConnectError",): 1.0, ("ReadError",): 1.0, ("503",): 1.0}
    assert watch.total(m.AI_RESPONSE_TIME) == 3.0


def test_no_other_request_is_touched(watch: AiWatch) -> None:
    def sent() -> Iterator[bytes]:
        yield json.dumps(ASKED).encode()

    with client(iter(PIECES)) as http:
        for method, url, more in (
            ("GET", URL, {}), ("POST", "http://127.0.0.1/orders", {"json": ASKED}), ("POST", URL, {"json": {"question": 1}}),
            ("POST", URL, {"content": sent()}),
        ):  # fmt: skip
            got = http.send(http.build_request(method, url, **more), stream=True)
            assert type(got.stream).__module__.startswith("httpx")
            got.close()
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0


def test_the_asynchronous_client_is_followed_alike(watch: AiWatch) -> None:
    async def main() -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.headers.get("x-mode") == "whole":
                return httpx.Response(200, content=ANSWER, headers={"content-type": "application/json"})
            broken = request.headers.get("x-mode") == "broken"
            return httpx.Response(
                200, content=again(breaks() if broken else PIECES), headers={"content-type": "text/event-stream"}
            )

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            assert (await http.post(URL, json=ASKED, headers={"x-mode": "whole"})).content == ANSWER
            async with http.stream("POST", URL, json=ASKED) as got:
                assert [piece async for piece in got.aiter_raw()] == PIECES
            async with http.stream("POST", URL, json=ASKED) as got:
                await anext(got.aiter_raw())
            async with http.stream("POST", URL, json=ASKED, headers={"x-mode": "broken"}) as got:
                with pytest.raises(httpx.ReadError):
                    await got.aread()

    asyncio.run(main())
    assert watch.total(m.AI_RESPONSE_TIME) == 4.0
    assert watch.counted(m.ERRORS) == {("ReadError",): 1.0}
    assert watch.tokens()["input"] >= 6.0
