"""What asks no model costs a look at its path: no body is read, and of the requests' own calls of functions ours are under 1 %.

In instructions it is measured by benchmarks/other_requests.py.
"""

from __future__ import annotations

import gc
import http.client
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

import httpx
import pytest
import requests
import urllib3
from support.ai import watched
from support.calls import PACKAGE

from otel_chatbot import config

BODY = b'{"order": 1}'


class Handler(BaseHTTPRequestHandler):
    """Answers anything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    do_GET = do_POST  # noqa: N815 - the base class names it so

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No address is named: where one is, each POST is compared with it."""
    monkeypatch.setenv("CHATBOT_OTEL_AI_ADDRESSES", "")
    config.current.cache_clear()
    yield
    monkeypatch.undo()
    config.current.cache_clear()


def counted(work: Callable[[], object]) -> tuple[int, int]:
    """Calls of functions that `work` makes on this thread: ours, and those of others."""
    for _ in range(6):  # an address is looked at a few times, then let go
        work()
    ours = others = 0

    def count(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal ours, others
        if event in ("call", "c_call"):
            if frame.f_code.co_filename.startswith(PACKAGE):
                ours += 1
            else:
                others += 1

    gc.disable()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return ours, others


@pytest.mark.parametrize("client", ["httpx", "requests", "urllib3", "http.client"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_request_to_no_model_pays_under_a_hundredth(port: int, client: str, method: str) -> None:
    url = f"http://127.0.0.1:{port}/v1/orders"
    body = BODY if method == "POST" else None
    plain = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def by_hand() -> None:
        plain.request(method, "/v1/orders", body)
        plain.getresponse().read()

    with httpx.Client(trust_env=False) as one, requests.Session() as two, urllib3.PoolManager() as three, watched() as watch:
        two.trust_env = False
        work: dict[str, Callable[[], object]] = {
            "httpx": lambda: one.request(method, url, content=body), "requests": lambda: two.request(method, url, data=body),
            "urllib3": lambda: three.request(method, url, body=body), "http.client": by_hand,
        }  # fmt: skip
        ours, others = counted(work[client])
        assert watch.spans == []
    plain.close()
    assert 0 < ours <= max(3, others / 100)  # 3 of 270 in http.client, whose calls are few; in instructions it is less
