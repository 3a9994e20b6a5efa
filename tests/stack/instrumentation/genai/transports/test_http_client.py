"""Calls of models through the standard library: however an answer is read, it is counted once, and nothing else is touched.

The scenarios `urlopen-…` and `http_client-…` of test_model_requests.py ask in every wire; here is what they do not do.
"""

from __future__ import annotations

import gc
import io
import json
import weakref
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import requests
import urllib3
from support.ai import AiWatch, watched
from support.clients.scenario import Prompt
from support.clients.shapes import SHAPES, Shape
from support.wires.server import WiresServer

from otel_chatbot.semconv import metrics as m

WHOLE = next(shape for shape in SHAPES if shape.name == "openai_chat")
LEAVES_SOCKETS = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
STREAM = next(shape for shape in SHAPES if shape.name == "openai_stream")


@pytest.fixture
def server() -> Iterator[WiresServer]:  # one for each test: an abandoned call is entered late, into the ledger of the next one
    made = WiresServer().start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def watch(server: WiresServer) -> Iterator[AiWatch]:
    server.ledger.begin()
    with watched() as made:
        yield made


def ask(server: WiresServer, shape: Shape = STREAM, mode: str = "plain") -> tuple[HTTPConnection, HTTPResponse]:
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    body = json.dumps(shape.body(Prompt(server.url, "", mode, "stdlib")))
    connection.request("POST", shape.path, body, {"Content-Type": "application/json"})
    return connection, connection.getresponse()


def into(answer: HTTPResponse) -> bytes:
    buffer, found = bytearray(100), b""
    while size := answer.readinto(buffer):
        found += buffer[:size]
    return found


def lines(answer: HTTPResponse) -> bytes:
    found = b""
    while line := answer.readline():
        found += line
    return found


READINGS: dict[str, Callable[[HTTPResponse], bytes]] = {
    "read": lambda answer: answer.read(),
    "pieces": lambda answer: b"".join(iter(lambda: answer.read(7), b"")),
    "read1": lambda answer: b"".join(iter(lambda: answer.read1(7), b"")),
    "readinto": into,
    "readline": lines,
    "iteration": b"".join,
    "readlines": lambda answer: b"".join(answer.readlines()),
    "text": lambda answer: io.TextIOWrapper(answer, "utf-8", newline="").read().encode(),
}


@pytest.mark.parametrize("shape", [WHOLE, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize("how", READINGS)
def test_however_an_answer_is_read_it_is_counted_once(server: WiresServer, watch: AiWatch, how: str, shape: Shape) -> None:
    connection, answer = ask(server, shape)
    assert not {"getresponse", "request"} & vars(connection).keys(), "the connection is as it was"
    data = READINGS[how](answer)
    connection.close()
    assert b"coffee" in data if shape is WHOLE else data.endswith(b"data: [DONE]\n\n")
    (record,) = server.ledger.records
    assert watch.total(m.AI_RESPONSE_TIME) == 1.0
    assert watch.tokens() == {"input": record.input, "output": record.output}
    assert watch.total(m.ERRORS) == 0.0


def test_what_others_build_on_it_is_not_counted_twice(server: WiresServer, watch: AiWatch) -> None:
    body = WHOLE.body(Prompt(server.url, "", "plain", "stdlib"))
    requests.post(server.url + WHOLE.path, json=body, timeout=60)
    with urllib3.PoolManager() as pool:
        pool.request("POST", server.url + WHOLE.path, json=body)
    assert watch.total(m.AI_RESPONSE_TIME) == 2.0
    assert len(watch.spans) == 2


def test_an_answer_without_a_name_can_be_read(server: WiresServer, watch: AiWatch) -> None:
    data = json.dumps(WHOLE.body(Prompt(server.url, "", "plain", "stdlib"))).encode()
    assert b"coffee" in urlopen(Request(server.url + WHOLE.path, data), timeout=60).read()
    with urllib3.PoolManager() as pool:
        assert b"coffee" in pool.request("POST", server.url + WHOLE.path, body=data, preload_content=False).read()
    assert watch.total(m.AI_RESPONSE_TIME) == 2.0


@pytest.mark.parametrize("mode", ["fails", "closed"])
def test_a_failure_is_the_librarys_own_and_counted(server: WiresServer, watch: AiWatch, mode: str) -> None:
    data = json.dumps(WHOLE.body(Prompt(server.url, "", mode, "stdlib"))).encode()
    with pytest.raises((HTTPError, OSError)), urlopen(Request(server.url + WHOLE.path, data), timeout=60) as answer:
        answer.read()
    assert watch.counted(m.ERRORS) == {("500" if mode == "fails" else "ConnectionResetError",): 1.0}


@LEAVES_SOCKETS
@pytest.mark.parametrize("end", ["closed", "thrown away", "never asked for"])
def test_an_answer_that_is_left_is_one_call_and_no_error(server: WiresServer, watch: AiWatch, end: str) -> None:
    gc.disable()
    try:
        if end == "never asked for":
            connection = HTTPConnection(server.url.removeprefix("http://"), timeout=60)
            connection.request("POST", STREAM.path, json.dumps(STREAM.body(Prompt(server.url, "", "plain", "stdlib"))))
        else:
            connection, answer = ask(server, mode="left")
            answer.readline()
            if end == "closed":
                answer.close()
            del answer
        gone = weakref.ref(connection)
        del connection
        assert gone() is None, "nothing of ours holds it"
    finally:
        gc.enable()
    assert watch.total(m.AI_RESPONSE_TIME) == 1.0
    assert watch.total(m.ERRORS) == 0.0


@LEAVES_SOCKETS
def test_a_connection_that_failed_goes_at_once_and_is_not_held_by_the_error(server: WiresServer, watch: AiWatch) -> None:
    def fail() -> Any:
        connection, answer = ask(server, WHOLE, "closed")
        try:
            answer.read()
        except OSError:
            return weakref.ref(connection)
        raise AssertionError("the server has closed the connection")

    gc.disable()
    try:
        assert fail()() is None
    finally:
        gc.enable()
    assert watch.total(m.ERRORS) == 1.0


def test_no_other_request_is_touched(server: WiresServer, watch: AiWatch) -> None:
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    for method, path in (("GET", WHOLE.path), ("POST", "/somewhere"), ("POST", "/api/chat")):
        connection.request(method, path, b'{"messages": 1}')
        assert vars(connection).keys() == vars(HTTPConnection("127.0.0.1")).keys()
        answer = connection.getresponse()
        assert "read" not in vars(answer)
        answer.read()
    connection.close()
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0
