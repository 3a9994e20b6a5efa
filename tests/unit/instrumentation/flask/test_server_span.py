"""The span of a request: upstream's name, attributes and parent, less what may be personal, and ended as the answer ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from opentelemetry import baggage, trace
from opentelemetry.instrumentation._semconv import _StabilityMode
from opentelemetry.instrumentation.wsgi import collect_request_attributes
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.textmap import default_getter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pymongo.errors import DuplicateKeyError
from support.flask_hooks import Watch, hooked
from werkzeug.test import EnvironBuilder

from otel_chatbot import config
from otel_chatbot.instrumentation.flask import server_span
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def watch() -> Iterator[Watch]:
    with hooked() as found:
        yield found


def make_app() -> Flask:
    app = Flask("spans")
    app.add_url_rule("/hello/<name>", "hello", lambda name: f"hello {name}")
    app.add_url_rule("/teapot", "teapot", lambda: ("no", 418))
    return app


def test_a_request_belongs_to_its_callers_trace_and_carries_its_baggage(watch: Watch) -> None:
    app, seen = make_app(), []
    app.before_request(lambda: seen.append(baggage.get_baggage("k")))
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    app.test_client().get("/hello/x", headers={"traceparent": parent, "baggage": "k=v"})
    (span,) = watch.spans
    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert seen == ["v"]


def test_a_propagator_of_other_headers_is_asked_whatever_headers_there_are(watch: Watch) -> None:
    class Own(TraceContextTextMapPropagator):
        """Takes the trace from a header of its own, as Jaeger's and B3's do."""

        @property
        def fields(self) -> set[str]:
            return {"x-trace"}

        def extract(self, carrier, context=None, getter=default_getter):
            sent = {"traceparent": "".join(getter.get(carrier, "x-trace") or ())}
            return super().extract(sent, context, default_getter)

    before = get_global_textmap()
    client = make_app().test_client()
    try:
        client.get("/hello/x")  # the usual propagators have been seen
        set_global_textmap(Own())
        client.get("/hello/x", headers={"x-trace": f"00-{'3' * 32}-{'2' * 16}-01"})
    finally:
        set_global_textmap(before)
    first, second = watch.spans
    assert first.parent is None
    assert second.parent is not None
    assert second.parent.trace_id == int("3" * 32, 16)


@pytest.mark.parametrize("headers", [{}, {"User-Agent": "Googlebot/2.1"}, {"User-Agent": "curl/8"}])
def test_a_span_has_upstreams_attributes_less_the_query_string_and_the_port_in_the_address(headers: dict[str, str]) -> None:
    environ = EnvironBuilder(path="/chat", query_string={"token": "secret"}, method="PUT", headers=headers).get_environ()
    environ["RAW_URI"] = "/chat?token=secret"
    environ["REMOTE_PORT"] = "5050"
    environ["REMOTE_ADDR"] = "192.0.2.7"
    environ["HTTP_HOST"] = "chat.example:8080"
    upstream = collect_request_attributes(environ, _StabilityMode.HTTP)
    assert upstream.pop("url.query") == "token=secret"
    assert (upstream.pop("server.address"), upstream.pop("server.port")) == ("chat.example:8080", 80)
    found = server_span.request_attributes(environ, "PUT", None)
    assert (found.pop("server.address"), found.pop("server.port")) == ("chat.example", 8080)
    assert found == upstream


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        ("chat.example", "chat.example", 80),
        ("chat.example:443", "chat.example", 443),
        ("192.0.2.7:5000", "192.0.2.7", 5000),
        ("[2001:db8::1]:5000", "2001:db8::1", 5000),
        ("[2001:db8::1]", "2001:db8::1", 80),
        ("2001:db8::1", "2001:db8::1", 80),
        ("chat.example:", "chat.example", 80),
        ("chat.example:99999", "chat.example", 80),
        ("chat.example:\u0661", "chat.example:\u0661", 80),
        ("a:b:c", "a:b:c", 80),
        ("[::1", "[::1", 80),
        ("[::1]5", "[::1]5", 80),
    ],
)
def test_a_span_has_the_host_and_the_port_that_the_client_has_asked_apart(host: str, address: str, port: int) -> None:
    environ = {**EnvironBuilder(path="/chat").get_environ(), "HTTP_HOST": host}
    found = server_span.request_attributes(environ, "GET", None)
    assert (found["server.address"], found["server.port"]) == (address, port)


def test_a_span_behind_a_unix_socket_has_no_port() -> None:
    environ = {**EnvironBuilder(path="/chat").get_environ(), "HTTP_HOST": "chat", "SERVER_PORT": "/run/app.sock"}
    found = server_span.request_attributes(environ, "GET", None)
    assert found["server.address"] == "chat"
    assert "server.port" not in found


def test_strange_servers_give_no_strange_labels(watch: Watch) -> None:
    environ = EnvironBuilder(path="/teapot").get_environ()
    environ.update({"wsgi.url_scheme": "gopher", "SERVER_PROTOCOL": "HTTP/7.3", "SERVER_PORT": "", "REMOTE_PORT": "-1"})
    b"".join(make_app()(environ, lambda *_: None))
    assert watch.counted(m.HTTP_SERVER_DURATION) == {("GET", "/teapot", 418, None, None, None): 1}


@pytest.mark.parametrize(
    ("method", "known"),
    [("GET", "GET"), ("get", "GET"), (" post ", "POST"), ("BREW", "_OTHER"), ("", "_OTHER"), ("QUERY", "QUERY")],
)
def test_a_method_that_http_does_not_know_is_another_one(method: str, known: str) -> None:
    assert server_span.known_method({"REQUEST_METHOD": method}) == known
    found = server_span.request_attributes({"REQUEST_METHOD": method}, known, None)
    assert found.get("http.request.method_original") == (None if method == known else method)


@pytest.mark.parametrize(
    ("method", "route", "shown", "name"),
    [
        ("GET", "/chat/<id>", "/chat/<id>", "GET /chat/<id>"),
        ("GET", None, "/no/such", "GET /no/such"),
        ("GET", None, "", "GET"),
        ("_OTHER", "/chat", "/chat", "HTTP /chat"),
        ("_OTHER", None, "/scan", "HTTP"),
    ],
)
def test_a_span_is_named_by_its_route_else_by_the_path_that_is_shown(
    method: str, route: str | None, shown: str, name: str
) -> None:
    assert server_span.span_name(method, route, shown) == name


def test_the_query_is_told_only_where_content_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = EnvironBuilder(path="/chat", query_string={"token": "secret"}).get_environ()
    assert "url.query" not in server_span.request_attributes(environ, "GET", None)
    monkeypatch.setattr(server_span.config, "current", lambda: config.Settings(capture_content=True))
    assert server_span.request_attributes(environ, "GET", None)["url.query"] == "token=secret"


@pytest.mark.parametrize("on", [True, False])
def test_a_browser_is_told_the_trace_only_where_the_setting_says_so(monkeypatch: pytest.MonkeyPatch, on: bool) -> None:
    monkeypatch.setattr(server_span.config, "current", lambda: config.Settings(server_timing=on))
    headers: list[tuple[str, str]] = []
    server_span.tell_browser(trace.NonRecordingSpan(trace.SpanContext(1, 2, False, trace.TraceFlags(1))), headers)
    server_span.tell_browser(trace.INVALID_SPAN, headers)
    told = f'traceparent;desc="00-{1:032x}-{2:016x}-01"'
    assert headers == ([("Server-Timing", told)] if on else [])


def test_the_span_of_a_failure_has_the_exception_without_the_data_in_its_message() -> None:
    span = TracerProvider(shutdown_on_exit=False).get_tracer("x").start_span("GET /")
    error = DuplicateKeyError('E11000 duplicate key error dup key: { text: "a secret" }')
    server_span.end_span(span, 500, "DuplicateKeyError", error, {"chatbot.client_disconnected": True})
    [event] = span.events  # type: ignore[attr-defined]
    assert event.attributes["exception.type"] == "pymongo.errors.DuplicateKeyError"
    assert span.status.status_code is trace.StatusCode.ERROR  # type: ignore[attr-defined]
    assert dict(span.attributes) == {  # type: ignore[attr-defined]
        "http.response.status_code": 500, "chatbot.client_disconnected": True, "error.type": "DuplicateKeyError",
    }  # fmt: skip
    assert "secret" not in span.to_json()  # type: ignore[attr-defined]
