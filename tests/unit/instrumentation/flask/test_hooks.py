"""The Flask hooks by test clients: what a request leaves behind, in every shape of answer and of app."""

from __future__ import annotations

import asyncio
import contextvars
import io
import logging
from collections.abc import Iterator

import flask
import pytest
from flask import Flask, Response, request, send_file, session, stream_with_context
from opentelemetry import baggage, trace
from opentelemetry.instrumentation._semconv import _StabilityMode
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.wsgi import collect_request_attributes
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.textmap import default_getter
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from support.flask_hooks import Watch, hooked
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, EnvironBuilder

from otel_chatbot.instrumentation.flask import server_span
from otel_chatbot.instrumentation.flask.request import finish_abandoned
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def watch() -> Iterator[Watch]:
    with hooked() as found:
        yield found


def make_app(name: str = "app") -> Flask:
    app = Flask(name)
    app.logger.disabled = True

    @app.route("/hello/<name>", methods=["GET", "POST"])
    def hello(name: str) -> str:
        return f"hello {name}"

    @app.route("/crash")
    def crash() -> str:
        raise LookupError("nothing there")

    @app.route("/teapot")
    def teapot() -> tuple[str, int]:
        return "no", 418

    @app.route("/down")
    def down() -> tuple[str, int]:
        return "no", 503

    @app.route("/stream")
    def stream() -> Response:
        def chunks() -> Iterator[bytes]:
            for number in range(3):
                yield b"%d" % number

        return Response(chunks())

    return app


def test_a_request_counts_once_in_every_figure_and_leaves_one_span_and_one_access_record(watch: Watch) -> None:
    answer = make_app().test_client().get("/hello/you", headers={"User-Agent": "test"})
    assert answer.data == b"hello you"
    key = ("GET", "/hello/<name>", 200)
    assert watch.counted(m.API_REQUESTS) == {key: 1}
    assert watch.counted(m.RESPONSE_TIME) == {key: 1}
    assert watch.counted(m.HTTP_SERVER_DURATION) == {(*key, None, "http", "1.1"): 1}
    assert watch.counted(m.ERRORS) == {}
    assert watch.counted(m.HTTP_SERVER_ACTIVE) == {}
    (span,) = watch.spans
    assert (span.name, span.kind, span.status.status_code) == ("GET /hello/<name>", SpanKind.SERVER, StatusCode.UNSET)
    assert span.attributes["http.route"] == "/hello/<name>"
    assert span.attributes["http.response.status_code"] == 200
    (line,) = watch.access
    assert (line.endpoint, line.method, line.status, line.bytes) == ("/hello/<name>", "GET", 200, 9)


@pytest.mark.parametrize(
    ("method", "path", "status", "route", "known"),
    [
        ("GET", "/none/of/that", 404, None, "GET"),
        ("DELETE", "/hello/x", 405, None, "DELETE"),
        ("OPTIONS", "/hello/x", 200, "/hello/<name>", "OPTIONS"),
        ("HEAD", "/hello/x", 200, "/hello/<name>", "HEAD"),
        ("GET", "/teapot", 418, "/teapot", "GET"),
        ("BREW", "/hello/x", 405, None, "_OTHER"),
    ],
)
def test_every_request_counts_whatever_its_answer(
    watch: Watch, method: str, path: str, status: int, route: str | None, known: str
) -> None:
    assert make_app().test_client().open(path, method=method).status_code == status
    assert watch.counted(m.API_REQUESTS) == {(known, route, status): 1}
    assert watch.counted(m.ERRORS) == {}
    assert len(watch.spans) == 1


def test_a_static_file_counts(watch: Watch, tmp_path) -> None:
    (tmp_path / "a.txt").write_text("content")
    app = Flask("static_app", static_folder=str(tmp_path), static_url_path="/static")
    with app.test_client().get("/static/a.txt") as answer:
        assert answer.data == b"content"
    assert watch.counted(m.API_REQUESTS) == {("GET", "/static/<path:filename>", 200): 1}
    assert watch.access[0].bytes == 7


def test_a_crash_is_one_error_by_its_class_and_is_on_the_span(watch: Watch) -> None:
    assert make_app().test_client().get("/crash").status_code == 500
    assert watch.counted(m.ERRORS) == {("LookupError",): 1}
    assert watch.counted(m.HTTP_SERVER_DURATION) == {("GET", "/crash", 500, "LookupError", "http", "1.1"): 1}
    (span,) = watch.spans
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]
    assert span.events[0].attributes["exception.message"] == "nothing there"


def test_a_crash_that_is_propagated_reaches_the_server_and_counts_once(watch: Watch) -> None:
    app = make_app()
    app.testing = True
    with pytest.raises(LookupError):
        app.test_client().get("/crash")
    assert watch.counted(m.ERRORS) == {("LookupError",): 1}
    assert watch.counted(m.API_REQUESTS) == {("GET", "/crash", 500): 1}
    assert watch.counted(m.HTTP_SERVER_ACTIVE) == {}
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_5xx_answer_is_one_error_by_its_status(watch: Watch) -> None:
    make_app().test_client().get("/down")
    assert watch.counted(m.ERRORS) == {("503",): 1}
    assert watch.spans[0].status.status_code is StatusCode.ERROR


def test_a_failed_ai_call_and_the_5xx_that_it_causes_are_one_error(watch: Watch) -> None:
    app = make_app()

    @app.route("/chat")
    def chat() -> tuple[str, int]:
        record.count(m.ERRORS, 1.0, {"error.type": "RateLimitError"})
        return "sorry", 502

    app.test_client().get("/chat")
    assert watch.counted(m.ERRORS) == {("RateLimitError",): 1}


def test_all_figures_are_the_same_when_nothing_is_sampled() -> None:
    with hooked(sampled=False) as watch:
        client = make_app().test_client()
        client.get("/hello/you")
        client.get("/crash")
        assert client.get("/stream").data == b"012"
        assert watch.counted(m.API_REQUESTS) == {
            ("GET", "/hello/<name>", 200): 1, ("GET", "/crash", 500): 1, ("GET", "/stream", 200): 1,
        }  # fmt: skip
        assert watch.counted(m.ERRORS) == {("LookupError",): 1}
        assert sum(watch.counted(m.RESPONSE_TIME).values()) == 3
        assert watch.spans == []
        assert [line.status for line in watch.access] == [200, 500, 200]


def test_the_context_stays_valid_in_a_generator_and_is_gone_after_it(watch: Watch) -> None:
    app, seen = Flask("streams"), []
    own = contextvars.ContextVar("own", default=0)
    tracer = trace.get_tracer("test")

    @app.route("/deep")
    def deep() -> Response:
        scope = deduplication.current()

        def chunks() -> Iterator[str]:
            with trace.use_span(trace.NonRecordingSpan(trace.SpanContext(1, 2, False))):
                for number in range(3):
                    own.set(own.get() + 1)
                    seen.append(
                        (trace.get_current_span().get_span_context().span_id, own.get(), deduplication.current() is scope)
                    )
                    yield str(number)
            seen.append(trace.get_current_span())

        return Response(chunks())

    assert tracer is not None
    assert app.test_client().get("/deep").data == b"012"
    assert seen[:3] == [(2, 1, True), (2, 2, True), (2, 3, True)]
    assert seen[3].get_span_context() == watch.spans[0].context
    assert own.get() == 0
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_stream_with_context_has_its_request_and_ends_once(watch: Watch) -> None:
    app = Flask("streams")

    @app.route("/with")
    def with_context() -> Response:
        return Response(stream_with_context(f"{request.path}{number}" for number in range(2)))

    assert app.test_client().get("/with").data == b"/with0/with1"
    assert watch.counted(m.API_REQUESTS) == {("GET", "/with", 200): 1}
    assert watch.access[0].bytes == 12


def test_an_exception_in_mid_stream_passes_through_and_is_one_error(watch: Watch) -> None:
    app = Flask("streams")

    @app.route("/half")
    def half() -> Response:
        def chunks() -> Iterator[str]:
            yield "half"
            raise OverflowError("too much")

        return Response(chunks())

    answer = app.test_client().get("/half", buffered=False)
    chunks = answer.response
    assert next(iter(chunks)) == b"half"
    with pytest.raises(OverflowError):
        next(chunks)
    assert watch.counted(m.ERRORS) == {("OverflowError",): 1}
    assert watch.counted(m.API_REQUESTS) == {("GET", "/half", 200): 1}
    assert watch.spans[0].status.status_code is StatusCode.ERROR


def test_a_body_closed_before_its_end_is_a_disconnect_and_no_error(watch: Watch) -> None:
    app, closed = Flask("streams"), []

    @app.route("/long")
    def long() -> Response:
        def chunks() -> Iterator[str]:
            try:
                while True:
                    yield "more"
            finally:
                closed.append(trace.get_current_span().get_span_context())

        answer = Response(chunks())
        answer.call_on_close(lambda: closed.append(trace.get_current_span().get_span_context()))
        return answer

    answer = app.test_client().get("/long", buffered=False)
    next(iter(answer.response))
    answer.close()
    (span,) = watch.spans
    assert closed == [span.context, span.context]
    assert span.attributes["chatbot.client_disconnected"] is True
    assert span.status.status_code is StatusCode.UNSET
    assert watch.counted(m.ERRORS) == {}
    assert watch.access[0].aborted is True
    assert watch.counted(m.HTTP_SERVER_ACTIVE) == {}


def test_a_streamed_answer_that_nobody_reads_or_closes_is_finished_when_it_is_thrown_away(watch: Watch) -> None:
    answer = make_app().test_client().get("/stream", buffered=False)
    assert watch.counted(m.API_REQUESTS) == {}
    del answer
    finish_abandoned()
    assert watch.counted(m.API_REQUESTS) == {("GET", "/stream", 200): 1}
    assert len(watch.spans) == 1


def test_a_head_request_for_a_stream_and_an_unmodified_file_end_at_once(watch: Watch, tmp_path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(b"x" * 1000)
    app = make_app()
    app.add_url_rule("/file", "file", lambda: send_file(file, conditional=True))
    client = app.test_client()
    client.head("/stream")
    with client.get("/file") as whole:
        assert len(whole.data) == 1000
    with client.get("/file", headers={"If-None-Match": whole.headers["ETag"]}):
        pass
    assert watch.counted(m.API_REQUESTS) == {
        ("HEAD", "/stream", 200): 1, ("GET", "/file", 200): 1, ("GET", "/file", 304): 1,
    }  # fmt: skip
    assert [line.bytes for line in watch.access] == [0, 1000, 0]


def test_a_servers_file_wrapper_stays_what_it_is_and_ends_the_request_when_closed(watch: Watch) -> None:
    class FileWrapper:
        def __init__(self, file, size: int = 8192) -> None:
            self.file = file

        def __iter__(self):
            return iter(self.file)

        def close(self) -> None:
            self.file.close()

    file = io.BytesIO(b"content")
    app = Flask("files")
    app.add_url_rule("/file", "file", lambda: send_file(file, mimetype="text/plain"))
    environ = EnvironBuilder(path="/file").get_environ()
    environ["wsgi.file_wrapper"] = FileWrapper
    body = app(environ, lambda *_: None)
    assert type(body) is FileWrapper
    assert watch.counted(m.API_REQUESTS) == {}
    assert b"".join(body) == b"content"
    body.close()
    assert file.closed
    assert watch.counted(m.API_REQUESTS) == {("GET", "/file", 200): 1}
    assert watch.counted(m.HTTP_SERVER_ACTIVE) == {}


def test_a_callback_at_the_close_of_a_whole_answer_runs_in_its_trace(watch: Watch) -> None:
    app, seen = Flask("closing"), []

    @app.route("/whole")
    def whole() -> Response:
        answer = Response("whole")
        answer.call_on_close(lambda: seen.append(trace.get_current_span().get_span_context()))
        return answer

    environ = EnvironBuilder(path="/whole").get_environ()
    body = app(environ, lambda *_: None)
    assert watch.counted(m.API_REQUESTS) == {("GET", "/whole", 200): 1}, "counted before the server sends it"
    assert b"".join(body) == b"whole"
    body.close()
    assert seen == [watch.spans[0].context]
    assert len(watch.access) == 1


def test_a_login_hook_that_answers_itself_is_counted_with_its_route(watch: Watch) -> None:
    app = make_app()
    app.before_request(lambda: flask.redirect("/login"))
    app.test_client().get("/hello/x")
    assert watch.counted(m.API_REQUESTS) == {("GET", "/hello/<name>", 302): 1}


def test_a_session_that_cannot_be_opened_is_one_error_inside_a_span(watch: Watch) -> None:
    class Broken(flask.sessions.SecureCookieSessionInterface):
        def open_session(self, app: Flask, request: flask.Request) -> None:
            raise ConnectionError("no session store")

    app = make_app()
    app.session_interface = Broken()
    assert app.test_client().get("/hello/x").status_code == 500
    assert watch.counted(m.ERRORS) == {("ConnectionError",): 1}
    assert watch.spans[0].status.status_code is StatusCode.ERROR


def test_a_host_that_the_app_does_not_trust_gets_the_400_it_gets_without_us(watch: Watch) -> None:
    app = make_app()
    app.config["TRUSTED_HOSTS"] = ["chat.example"]
    assert app.test_client().get("/hello/x").status_code == 400
    assert sum(watch.counted(m.API_REQUESTS).values()) == 1


def test_a_middleware_that_answers_itself_counts_without_a_route(watch: Watch) -> None:
    app = make_app()

    def middleware(environ, start_response):
        start_response("401 UNAUTHORIZED", [])
        return [b"no"]

    app.wsgi_app = middleware
    assert Client(app).get("/hello/x").status_code == 401
    assert watch.counted(m.API_REQUESTS) == {("GET", None, 401): 1}
    assert watch.spans == []


def test_a_middleware_that_is_a_generator_still_has_one_request_with_its_span(watch: Watch) -> None:
    app = make_app()
    inner = app.wsgi_app

    def middleware(environ, start_response):
        yield from inner(environ, start_response)

    app.wsgi_app = middleware
    assert Client(app).get("/hello/x").data == b"hello x"
    assert watch.counted(m.API_REQUESTS) == {("GET", "/hello/<name>", 200): 1}
    assert len(watch.spans) == 1
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_several_apps_behind_one_entrance_count_each_request_once(watch: Watch) -> None:
    front, back = make_app("front"), make_app("back")
    front.wsgi_app = DispatcherMiddleware(front.wsgi_app, {"/back": back})
    client = Client(front)
    assert client.get("/back/teapot").status_code == 418
    assert client.get("/teapot").status_code == 418
    assert watch.counted(m.API_REQUESTS) == {("GET", "/teapot", 418): 2}
    assert len(watch.spans) == 2


def test_an_app_mounted_by_its_wsgi_app_is_watched_as_any_other(watch: Watch) -> None:
    outside = DispatcherMiddleware(make_app().wsgi_app, {})
    assert Client(outside).get("/teapot").status_code == 418
    assert watch.counted(m.API_REQUESTS) == {("GET", "/teapot", 418): 1}


def test_an_app_made_and_used_before_the_hooks_is_watched_from_then_on() -> None:
    app = make_app()
    app.test_client().get("/teapot")
    with hooked() as watch:
        assert app.test_client().get("/teapot").status_code == 418
        assert watch.counted(m.API_REQUESTS) == {("GET", "/teapot", 418): 1}
        assert len(watch.spans) == 1
    app.test_client().get("/teapot")
    assert watch.counted(m.API_REQUESTS) == {("GET", "/teapot", 418): 1}, "nothing after uninstrument"


def test_an_app_that_upstream_has_instrumented_keeps_its_span_which_ends_with_the_stream(watch: Watch) -> None:
    app, exporter_provider = make_app(), trace.get_tracer_provider()
    assert exporter_provider is not None
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(watch.exporter))
    FlaskInstrumentor().instrument_app(app, tracer_provider=provider)
    client = app.test_client()
    answer = client.get("/stream", buffered=False)
    assert watch.spans == []
    assert answer.data == b"012"
    client.get("/teapot")
    client.get("/crash")
    assert [span.name for span in watch.spans] == ["GET /stream", "GET /teapot", "GET /crash"]
    assert sum(watch.counted(m.API_REQUESTS).values()) == 3
    assert watch.counted(m.ERRORS) == {("LookupError",): 1}


def test_an_async_view_runs_inside_its_span(watch: Watch) -> None:
    class AsyncFlask(Flask):
        def async_to_sync(self, func):  # Flask's own needs asgiref
            return lambda *args, **kwargs: asyncio.run(func(*args, **kwargs))

    app, seen = AsyncFlask("async"), []

    @app.route("/async")
    async def view() -> str:
        await asyncio.sleep(0)
        seen.append(trace.get_current_span().get_span_context())
        return "done"

    assert app.test_client().get("/async").data == b"done"
    assert seen == [watch.spans[0].context]


def test_excluded_urls_are_neither_counted_nor_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_FLASK_EXCLUDED_URLS", "teapot,ping")
    with hooked() as watch:
        client = make_app().test_client()
        assert client.get("/teapot").status_code == 418
        client.get("/hello/x")
        assert watch.counted(m.API_REQUESTS) == {("GET", "/hello/<name>", 200): 1}
        assert len(watch.spans) == len(watch.access) == 1


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


def test_the_access_record_and_the_apps_own_lines_are_inside_the_requests_trace(watch: Watch) -> None:
    app, seen = make_app(), []

    class Catch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(trace.get_current_span().get_span_context())

    logger = logging.getLogger("chatbot.access")
    handler = Catch()
    logger.addHandler(handler)
    try:
        client = app.test_client()
        client.get("/hello/x")
        assert client.get("/stream").data == b"012"
    finally:
        logger.removeHandler(handler)
    assert seen == [span.context for span in watch.spans]


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


def test_random_paths_methods_and_ids_leave_a_handful_of_series(watch: Watch) -> None:
    client = make_app().test_client()
    for number in range(200):
        client.open(f"/random/{number}", method=f"M{number}")
        client.get(f"/hello/{number}?q={number}", headers={"X-User-Id": str(number)})
    assert watch.counted(m.API_REQUESTS) == {("_OTHER", None, 404): 200, ("GET", "/hello/<name>", 200): 200}


def test_the_session_cookie_header_is_the_same_with_and_without_us(watch: Watch) -> None:
    app = make_app()
    app.secret_key = "k"
    app.add_url_rule("/in", "in", lambda: session.update(user_id="u") or "in")
    client = app.test_client()
    client.get("/in")
    assert "Vary" not in client.get("/hello/x").headers
