"""Calls of models through urllib3: however an answer is read it is counted once, and nothing else is touched."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3
from support.ai import AiWatch, watched
from support.clients.scenario import Prompt
from support.clients.shapes import SHAPES, Shape
from support.wires.server import WiresServer

from otel_chatbot.semconv import metrics as m

WHOLE = next(shape for shape in SHAPES if shape.name == "openai_chat")
STREAM = next(shape for shape in SHAPES if shape.name == "openai_stream")


@pytest.fixture
def server() -> Iterator[WiresServer]:  # one for each test: an abandoned call is entered late, into the ledger of the next one
    made = WiresServer().start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def watch() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=60) as made:
        yield made


def ask(pool: urllib3.PoolManager, server: WiresServer, shape: Shape, mode: str = "plain", **more: Any) -> Any:
    body = json.dumps(shape.body(Prompt(server.url, "", mode, "urllib3"))).encode()
    headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}
    return pool.request("POST", server.url + shape.path, body=body, headers=headers, **more)


READINGS: dict[str, Callable[[Any], bytes]] = {
    "read": lambda answer: answer.read(),
    "read without decoding": lambda answer: answer.read(decode_content=False),
    "pieces": lambda answer: b"".join(iter(lambda: answer.read(7), b"")),
    "read1": lambda answer: b"".join(iter(lambda: answer.read1(7), b"")),
    "stream": lambda answer: b"".join(answer.stream(7)),
    "read_chunked": lambda answer: b"".join(answer.read_chunked(7)) if answer.chunked else answer.read(),
    "iteration": b"".join,
    "data": lambda answer: answer.data,
}


@pytest.mark.parametrize("mode", ["plain", "gzip"])
@pytest.mark.parametrize("shape", [WHOLE, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize("how", READINGS)
def test_however_an_answer_is_read_it_is_counted_once(
    server: WiresServer, watch: AiWatch, pool: urllib3.PoolManager, how: str, shape: Shape, mode: str
) -> None:
    answer = ask(pool, server, shape, mode, preload_content=False)
    assert READINGS[how](answer)
    answer.release_conn()
    (record,) = server.ledger.records
    assert watch.total(m.AI_RESPONSE_TIME) == 1.0
    assert watch.tokens() == {"input": record.input, "output": record.output}
    assert watch.total(m.ERRORS) == 0.0


def test_an_answer_that_is_read_before_it_is_given_keeps_its_class(
    server: WiresServer, watch: AiWatch, pool: urllib3.PoolManager
) -> None:
    answer = ask(pool, server, WHOLE)
    assert type(answer) is urllib3.HTTPResponse
    assert b"coffee" in answer.data
    assert (watch.total(m.AI_RESPONSE_TIME), watch.total(m.ERRORS)) == (1.0, 0.0)


@pytest.mark.parametrize("mode", ["fails", "closed"])
def test_a_failure_is_the_librarys_own_and_counted(
    server: WiresServer, watch: AiWatch, pool: urllib3.PoolManager, mode: str
) -> None:
    if mode == "fails":
        assert ask(pool, server, WHOLE, mode).status == 500
        assert watch.counted(m.ERRORS) == {("500",): 1.0}
        return
    with pytest.raises(urllib3.exceptions.HTTPError) as caught:
        ask(pool, server, WHOLE, mode, preload_content=False).read()
    assert watch.counted(m.ERRORS) == {(type(caught.value).__qualname__,): 1.0}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("end", ["closed", "thrown away"])
def test_an_answer_that_is_left_is_one_call_and_no_error(
    server: WiresServer, watch: AiWatch, pool: urllib3.PoolManager, end: str
) -> None:
    answer = ask(pool, server, STREAM, "left", preload_content=False)
    next(answer.stream(7))
    if end == "closed":
        answer.close()
    gone = weakref.ref(answer)
    del answer
    gc.collect()
    assert gone() is None, "nothing of ours holds it"
    assert (watch.total(m.AI_RESPONSE_TIME), watch.total(m.ERRORS)) == (1.0, 0.0)


def test_no_other_request_is_touched(server: WiresServer, watch: AiWatch, pool: urllib3.PoolManager) -> None:
    for method, path, body in (
        ("GET", WHOLE.path, None), ("POST", "/somewhere", b"{}"), ("POST", "/api/chat", b'{"messages": 1}'),
    ):  # fmt: skip
        answer = pool.request(method, server.url + path, body=body, preload_content=False)
        assert type(answer) is urllib3.HTTPResponse
        answer.read()
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0
