"""Runs of assistants, by hand: whoever asks how a run is, its call ends with it, and has the tokens that the answer tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.request import Request, urlopen

import httpx
import pytest
import requests
import urllib3
from support.ai import watched
from support.wires.server import WiresServer

from otel_chatbot.semconv import metrics as m

Ask = Callable[[str, "bytes | None"], Any]


@pytest.fixture(scope="module")
def server() -> Iterator[WiresServer]:
    made = WiresServer().start()
    yield made
    made.shutdown()
    made.server_close()


def by_urllib3(url: str, body: bytes | None) -> Any:
    with urllib3.PoolManager() as pool:
        return json.loads(pool.request("POST" if body else "GET", url, body=body).data)


def by_urllib3_in_pieces(url: str, body: bytes | None) -> Any:
    with urllib3.PoolManager() as pool:
        answer = pool.request("POST" if body else "GET", url, body=body, preload_content=False)
        return json.loads(b"".join(answer.stream(20)))


def by_http_client(url: str, body: bytes | None) -> Any:
    place, _, path = url.removeprefix("http://").partition("/")
    connection = HTTPConnection(place, timeout=60)
    connection.request("POST" if body else "GET", f"/{path}", body)
    found = json.loads(connection.getresponse().read())
    connection.close()
    return found


ASKS: dict[str, Ask] = {
    "httpx": lambda url, body: httpx.request("POST" if body else "GET", url, content=body, timeout=60).json(),
    "requests": lambda url, body: requests.request("POST" if body else "GET", url, data=body, timeout=60).json(),
    "urllib3": by_urllib3,
    "urllib3 in pieces": by_urllib3_in_pieces,
    "urlopen": lambda url, body: json.loads(urlopen(Request(url, body), timeout=60).read()),
    "http.client": by_http_client,
}
"""aiohttp asks in test_model_requests.py, in the clients' environment."""


@pytest.mark.parametrize("how", ASKS)
def test_a_run_that_is_polled_is_one_call_with_its_tokens(server: WiresServer, how: str) -> None:
    server.ledger.begin()
    ask = ASKS[how]
    body = json.dumps({"assistant_id": "asst_1", "instructions": "Say wires:plain:run", "model": "gpt-4o-mini"}).encode()
    with watched() as watch:
        run = ask(f"{server.url}/v1/threads/thread_1/runs", body)
        polls = 0
        while run["status"] != "completed":
            assert watch.total(m.AI_RESPONSE_TIME) == 0.0, "it goes on"
            run = ask(f"{server.url}/v1/threads/thread_1/runs/{run['id']}", None)
            polls += 1
        assert polls == 2
        assert watch.total(m.AI_RESPONSE_TIME) == 1.0
        assert watch.tokens() == {"input": run["usage"]["prompt_tokens"], "output": run["usage"]["completion_tokens"]}
        assert watch.total(m.ERRORS) == 0.0
