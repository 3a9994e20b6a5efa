"""The server in this process, asked over real connections."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.viewer import chat, log_request, store, trace_request

from otel_chatbot.ui.api import Api
from otel_chatbot.ui.figures import Recorder
from otel_chatbot.ui.guard import Guard
from otel_chatbot.ui.ingest import LIMIT, Ingest
from otel_chatbot.ui.server import Server

OTLP = {"Content-Type": "application/x-protobuf"}


@pytest.fixture(params=["", "the-token"])
def token(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def port(tmp_path: Path, token: str) -> Iterator[int]:
    kept = store(tmp_path)
    server = Server(("127.0.0.1", 0), Api(kept, dict, dict), Ingest(kept, Recorder()), Guard(token))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()
    kept.close()


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("token", [""], indirect=True)
def test_what_is_posted_is_what_the_page_is_told(port: int) -> None:
    for path, message in (("/v1/traces", trace_request(*chat(7))), ("/v1/logs", log_request({"body": "hello", "trace": 7}))):
        assert ask(port, "POST", path, message.SerializeToString(), **OTLP)[0] == 200
    [found] = json.loads(ask(port, "GET", "/api/conversations")[2])["conversations"]
    assert {name: found[name] for name in ("id", "turns", "calls", "tokens_in", "tokens_out", "cost", "errors", "models")} == {
        "id": "talk", "turns": 1, "calls": 1, "tokens_in": 30, "tokens_out": 12, "cost": 0.001, "errors": 0, "models": ["gpt-4o-mini"],
    }  # fmt: skip
    trace = json.loads(ask(port, "GET", f"/api/traces/{7:032x}")[2])
    assert [span["name"] for span in trace["spans"]] == ["POST /chat", "shop.find", "chat gpt-4o-mini"]
    assert [log["body"] for log in trace["logs"]] == ["hello"]


@pytest.mark.parametrize("token", [""], indirect=True)
@pytest.mark.parametrize("path", ["/", "/now", "/conversations/a%2Fb", "/traces/123", "/static/main.js", "/static/style.css"])
def test_every_page_comes_with_a_policy_that_runs_no_other_script(port: int, path: str) -> None:
    status, headers, body = ask(port, "GET", path)
    assert status == 200
    assert body
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("token", [""], indirect=True)
@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/static/../server.py", "/static/%2e%2e/server.py", "/static//etc/passwd", "/static/", "/nothing", "/api/nothing", "/api/traces/zz"]
)  # fmt: skip
def test_a_path_that_is_no_page_is_nothing_wherever_it_leads(port: int, path: str) -> None:
    status, _, body = ask(port, "GET", path)
    assert status == 404
    assert "error" in json.loads(body)


@pytest.mark.parametrize("token", [""], indirect=True)
def test_a_foreign_host_and_a_foreign_origin_are_refused_for_pages_questions_and_posts(port: int) -> None:
    body = trace_request(*chat(7)).SerializeToString()
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        for method, path, sent in (("GET", "/", None), ("GET", "/api/state", None), ("POST", "/v1/traces", body)):
            assert ask(port, method, path, sent, **OTLP, **headers)[0] == 403
    assert json.loads(ask(port, "GET", "/api/state")[2])["spans"] == 0


@pytest.mark.parametrize("token", [""], indirect=True)
def test_bodies_that_are_too_large_or_of_no_length_are_refused_unread(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 30) as raw:
        raw.sendall(f"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode())
        assert raw.recv(1000).startswith(b"HTTP/1.1 413 ")
    with socket.create_connection(("127.0.0.1", port), 30) as raw:
        raw.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 411 ")
    assert ask(port, "POST", "/v1/nothing", b"x", **OTLP)[0] == 404
    assert ask(port, "PUT", "/v1/traces", b"x")[0] == 501
    status, _, body = ask(port, "POST", "/v1/traces", b"\xff\xff", **OTLP)
    assert status == 400
    assert "not the protobuf" in json.loads(body)["error"]


@pytest.mark.parametrize("token", ["the-token"], indirect=True)
def test_with_a_token_the_address_that_was_printed_opens_the_page_and_moves_the_token_into_a_cookie(port: int) -> None:
    assert ask(port, "GET", "/")[0] == 401
    assert ask(port, "GET", "/?token=wrong")[0] == 401
    status, headers, _ = ask(port, "GET", "/logs?token=the-token")
    assert (status, headers["Location"]) == (303, "/logs")
    assert headers["Set-Cookie"].startswith("otel_chatbot_ui=the-token; HttpOnly; SameSite=Strict")
    assert ask(port, "GET", "/logs", Cookie="otel_chatbot_ui=the-token")[0] == 200
    body = trace_request(*chat(7)).SerializeToString()
    assert ask(port, "POST", "/v1/traces", body, **OTLP)[0] == 401
    assert ask(port, "POST", "/v1/traces", body, **OTLP, Authorization="Bearer the-token")[0] == 200
