"""Hostile requests, as a WSGI server hands them over: the app answers as it would without us, our routes with 4xx at worst."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, jsonify, request
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from support.flask_hooks import hooked
from support.fuzz import CASES, _tell_cases, cases  # noqa: F401
from support.health import fresh_health
from support.metrics import _fresh_metrics  # noqa: F401

from otel_chatbot.instrumentation.flask.probes import PATHS
from otel_chatbot.metrics import view
from otel_chatbot.semconv import metrics as m

LATIN = st.text(st.characters(max_codepoint=255), max_size=60)
METHODS = (
    st.sampled_from(
        ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "BREW", "get", "", "GET GET"]
    )
    | LATIN
)
PROBES = st.sampled_from(
    [
        *sorted(PATHS),
        "/metrics/",
        "//metrics",
        "/metrics//json",
        "metrics",
        "/metrics\0",
        "/METRICS",
        "/health/../metrics",
        "/metrics;a=b",
        "/health/ready/x",
    ]
)
PATH = PROBES | st.sampled_from(["/chat", "/c/1/m", "/boom", "/stream", "/"]) | LATIN.map("/{}".format) | LATIN
HEADERS = st.dictionaries(
    st.sampled_from([
        "HTTP_ACCEPT", "HTTP_AUTHORIZATION", "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_HOST", "HTTP_COOKIE", "HTTP_USER_AGENT",
        "HTTP_TRACEPARENT", "HTTP_TRACESTATE", "HTTP_BAGGAGE", "HTTP_X_USER_ID", "HTTP_TRANSFER_ENCODING", "HTTP_RANGE", "HTTP_IF_NONE_MATCH",
        "HTTP_CONTENT_ENCODING", "HTTP_EXPECT", "CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR", "SERVER_PROTOCOL", "SERVER_NAME",
        "SERVER_PORT", "wsgi.url_scheme", "SCRIPT_NAME", "QUERY_STRING",
    ]),
    LATIN | st.sampled_from([
        "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "-1", "1e9", "99999999999999999999",
        "application/openmetrics-text; version=1.0.0", "text/plain;q=nan", "*/*;q=1e400", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "Bearer x",
        "\r\nX: y", "[::1", "a:b:c", "127.0.0.1, 8.8.8.8", "chunked", "HTTP/9.9", "=?utf-8?q?x?=",
    ]),
    max_size=6,
)  # fmt: skip
BODY = st.binary(max_size=200) | st.sampled_from(
    [
        b'{"user_id": ' + b"[" * 5000,
        b'{"user_id": {"a": 1}, "conversation_id": 1e999}',
        b"null",
        b'"\\ud800"',
        b'{"user_id": "\\ud800"}',
    ]
)


def make_app() -> Flask:
    app = Flask("fuzzed")

    @app.route("/chat", methods=["GET", "POST"])
    def chat() -> Any:
        return jsonify(got=request.get_json(silent=True, force=True) is not None)

    @app.post("/c/<conversation_id>/m")
    def message(conversation_id: str) -> str:
        return str(len(conversation_id))

    @app.route("/boom")
    def boom() -> str:
        raise LookupError("the app's own")

    @app.route("/stream", methods=["GET", "POST"])
    def stream() -> Any:
        return (part for part in ("a", "b"))

    return app


BARE, OBSERVED = make_app(), make_app()


def environ_of(method: str, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "", "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False, **headers,
    }  # fmt: skip


def call(app: Flask, environ: dict[str, Any]) -> tuple[Any, ...]:
    """Status, content type and body; or the type of the exception that came out."""
    told: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        told[:] = [status, dict(headers).get("Content-Type", "")]
        return lambda _data: None

    try:
        body = app(environ, start_response)
        try:
            content = b"".join(body)
        finally:
            getattr(body, "close", lambda: None)()
    except Exception as error:
        return (type(error),)
    return (*told, content)


def matched(path: str) -> tuple[str, bool]:
    """The path that werkzeug looks for, which takes many slashes for one, and whether it redirects to it first."""
    begun = "/" + path.lstrip("/")
    whole = re.sub("/{2,}", "/", begun)
    return whole, whole != begun


@pytest.fixture(autouse=True)
def observed() -> Iterator[None]:
    with hooked():
        yield


def counted() -> float:
    """Requests of the app, as its metrics tell."""
    [family] = [family for family in view.read() if family.spec is m.API_REQUESTS]
    return sum(point.value for point in family.points)


@cases(0.2)
@given(method=METHODS, path=PATH, headers=HEADERS, body=BODY)
def test_the_app_answers_whatever_comes_as_it_would_without_us(
    method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    from otel_chatbot.instrumentation.flask import hooks

    CASES["requests to an app, with us and without"] += 1
    ours = call(OBSERVED, environ_of(method, path, headers, body))
    hooks.uninstrument()
    theirs = call(BARE, environ_of(method, path, headers, body))
    hooks.instrument()
    if ours != theirs:
        path, merged = matched(path)
        assert path in PATHS
        status, content_type, content = ours
        assert status[0] in "24" or (path == "/health/ready" and status[:3] == "503") or (merged and status[:3] == "308")
        if method == "HEAD" or not content or status[0] == "3":
            return
        assert status[0] == "4" or content_type.startswith("application/json") == (path != "/metrics")
        if content_type.startswith("application/json"):
            json.loads(content)


@cases(0.1)
@given(method=METHODS, path=st.sampled_from(sorted(PATHS)), headers=HEADERS, body=BODY, token=st.sampled_from(["", "x", "tök"]))
def test_our_routes_refuse_with_4xx_and_change_nothing(
    method: str, path: str, headers: dict[str, str], body: bytes, token: str
) -> None:
    CASES["requests to our routes"] += 1
    before = counted()
    with fresh_health(ENVIRONMENT="production", **({"CHATBOT_OTEL_ENDPOINT_TOKEN": token} if token else {})):
        answer = call(OBSERVED, {**environ_of(method, path, headers, body), "SCRIPT_NAME": ""})
    if len(answer) == 1:  # Flask itself could not make a request of it; the app without us says the same
        assert call(BARE, environ_of(method, path, headers, body)) == answer
        return
    status, content_type, content = answer
    assert status[0] in "24" or (path == "/health/ready" and status[:3] == "503")
    if method not in ("GET", "HEAD"):
        assert status[0] == "4"
    if token and path in ("/metrics", "/metrics/json", "/health/detailed") and method == "GET":
        sent = headers.get("HTTP_AUTHORIZATION", "")
        assert (status[:3] == "200") == (sent == f"Bearer {token}".encode().decode("latin-1")) or "HTTP_HOST" in headers
    if status[:3] == "200" and method == "GET":
        if path == "/metrics":
            parse = parse_openmetrics if "openmetrics" in content_type else parse_text
            assert list(parse(content.decode()))
        else:
            json.loads(content)
    assert counted() == before
