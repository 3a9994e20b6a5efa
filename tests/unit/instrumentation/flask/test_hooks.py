"""The Flask hooks by test clients: what a request leaves behind, in every shape of answer and of app."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import flask
import pytest
from flask import Flask, Response, send_file, session
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.trace import SpanKind, StatusCode
from support.flask_hooks import Watch, hooked
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from otel_chatbot.metrics import record
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
