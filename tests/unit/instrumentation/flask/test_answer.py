"""A failure is what the client got: each app is served by a real server, and its figures are what the client saw."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, got_request_exception
from support.chat import ChatClient
from support.flask_hooks import Watch, hooked
from support.process import wait_for
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.serving import make_server
from werkzeug.test import create_environ, run_wsgi_app

from otel_chatbot.instrumentation.flask.answer import Answer
from otel_chatbot.instrumentation.flask.upgrade import Upgrade
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def watch() -> Iterator[Watch]:
    with hooked() as found:
        yield found


def make_app(**config: Any) -> Flask:
    app = Flask("failing")
    app.logger.disabled = True
    app.config.update(config)
    app.add_url_rule("/", "home", lambda: "home")
    return app


@contextmanager
def by_werkzeug(app: Flask) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.log = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def seen(watch: Watch, app: Flask, path: str = "/") -> tuple[int, str | None]:
    """What a client got, and the error that was counted; all figures must agree with both."""
    with by_werkzeug(app) as port:
        status = ChatClient(port, timeout=20).get(path).status
        wait_for(lambda: len(watch.access) == 1, "the request to end")
    assert [key[2] for key in watch.counted(m.API_REQUESTS)] == [status]
    assert [record.status for record in watch.access] == [status]  # type: ignore[attr-defined]
    (span,) = watch.spans
    assert span.attributes["http.response.status_code"] == status
    [(duration, _)] = watch.counted(m.HTTP_SERVER_DURATION).items()
    errors = [key[0] for key in watch.counted(m.ERRORS)]
    error = errors[0] if errors else None
    assert duration[2:4] == (status, error)
    assert span.status.is_ok == (error is None)
    assert span.attributes.get("error.type") == error
    assert len(span.events) == (error is not None and not error.isdecimal())
    return status, error


# below 500


def handled_as_500(app: Flask) -> None:
    app.register_error_handler(500, lambda _: ("fallen back", 200))
    app.add_url_rule("/x", "x", lambda: 1 / 0)


def handled_by_its_class(app: Flask) -> None:
    app.register_error_handler(ZeroDivisionError, lambda _: ("not there", 404))
    app.add_url_rule("/x", "x", lambda: 1 / 0)


def told_by_an_extension(app: Flask) -> None:
    @app.get("/x")
    def x() -> tuple[str, int]:
        try:
            abort(404)
        except HTTPException as error:
            got_request_exception.send(app, exception=error)
            return "no such chat", 404


def aborted_in_a_nested_blueprint(app: Flask) -> None:
    inner, outer = Blueprint("inner", "inner"), Blueprint("outer", "outer")
    inner.add_url_rule("/x", "x", lambda: abort(409))
    inner.register_error_handler(409, lambda error: ("conflict", error.code))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)


def of_a_class_of_its_own(app: Flask) -> None:
    class Gone(NotFound):
        code = 410

    def x() -> str:
        raise Gone("no longer")

    app.add_url_rule("/x", "x", x)


def caught_by_a_middleware(app: Flask) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.add_url_rule("/x", "x", lambda: 1 / 0)
    inner: Any = app.wsgi_app

    def middleware(environ: Any, start_response: Any) -> Any:
        try:
            return inner(environ, start_response)
        except ZeroDivisionError:
            return Response("fallen back", 203)(environ, start_response)

    app.wsgi_app = middleware  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("prepare", "status"),
    [
        (handled_as_500, 200), (handled_by_its_class, 404), (told_by_an_extension, 404),
        (aborted_in_a_nested_blueprint, 409), (of_a_class_of_its_own, 410), (caught_by_a_middleware, 203),
    ],
)  # fmt: skip
def test_an_answer_below_500_is_no_error_whatever_was_raised_inside(
    watch: Watch, prepare: Callable[[Flask], None], status: int
) -> None:
    app = make_app()
    prepare(app)
    assert seen(watch, app, "/x") == (status, None)


# 500, although Flask had an answer


class GoneError(Exception):
    """What went wrong."""


def fail(*_: object) -> Any:
    raise GoneError


def teardown_request(app: Flask) -> None:
    app.teardown_request(fail)


def teardown_of_the_app_context(app: Flask) -> None:
    app.teardown_appcontext(fail)


def after_request(app: Flask) -> None:
    app.after_request(fail)


def streamed(app: Flask) -> None:
    app.view_functions["home"] = lambda: Response(iter(["one", "two"]))
    app.teardown_request(fail)


def first_chunk(app: Flask) -> None:
    app.view_functions["home"] = lambda: Response(map(fail, ["one"]))


def start_response(app: Flask) -> None:
    """A header that the server refuses."""
    inner: Any = app.wsgi_app
    app.wsgi_app = lambda environ, start: inner(environ, lambda *_: fail())  # type: ignore[method-assign]


def teardown_after_a_5xx(app: Flask) -> None:
    app.view_functions["home"] = lambda: ("down", 503)
    app.teardown_request(fail)


@pytest.mark.parametrize(
    "prepare",
    [
        teardown_request, teardown_of_the_app_context, after_request, streamed, first_chunk, start_response,
        teardown_after_a_5xx,
    ],
)  # fmt: skip
def test_what_raises_before_a_byte_was_sent_is_a_500(watch: Watch, prepare: Callable[[Flask], None]) -> None:
    app = make_app()
    prepare(app)
    assert seen(watch, app) == (500, "GoneError")


def test_a_view_and_a_teardown_that_both_raise_are_one_error_of_the_first(watch: Watch) -> None:
    app = make_app()
    app.view_functions["home"] = lambda: 1 / 0
    app.teardown_request(fail)
    assert seen(watch, app) == (500, "ZeroDivisionError")


# what comes too late for the client


@pytest.mark.parametrize("body", ["whole", ["in ", "two"]], ids=["whole", "streamed"])
def test_a_close_that_raises_after_the_last_byte_leaves_the_status_that_the_client_got(watch: Watch, body: Any) -> None:
    app = make_app()

    def home() -> Response:
        response = Response(body if isinstance(body, str) else iter(body))
        response.call_on_close(fail)
        return response

    app.view_functions["home"] = home
    assert seen(watch, app) == (200, None)


# connections that leave HTTP, as libraries end them


UPGRADE = {"HTTP_UPGRADE": "WebSocket", "HTTP_CONNECTION": "Upgrade"}


def call(app: Flask, environ: dict[str, str], *, fails: type[BaseException] | None = None) -> None:
    made = create_environ("/ws", environ_overrides=environ)
    if fails is not None:
        with pytest.raises(fails):
            run_wsgi_app(app, made)
    else:
        body = app(made, lambda *_: None)
        if hasattr(body, "close"):
            body.close()


def with_socket(ends: Callable[[Any, Any], Any]) -> Flask:
    """An app in which a middleware takes websockets over, as Flask-SocketIO does."""
    app = make_app()
    app.wsgi_app = ends  # type: ignore[method-assign]
    return app


def raising(error: BaseException) -> Callable[[Any, Any], Any]:
    def ends(_environ: Any, _start: Any) -> Any:
        raise error

    return ends


class ResetError(ConnectionResetError):
    """Not what a library raises to say the end."""


@pytest.mark.parametrize(
    ("ends", "fails"),
    [
        (raising(StopIteration()), StopIteration),
        (raising(ConnectionError()), ConnectionError),
        (lambda *_: [], None),
    ],
    ids=["gunicorn's way", "werkzeug's way", "gevent's way"],
)
def test_a_connection_that_was_upgraded_and_ended_well_is_a_101(
    watch: Watch, ends: Callable[[Any, Any], Any], fails: type[BaseException] | None
) -> None:
    call(with_socket(ends), UPGRADE, fails=fails)
    assert watch.counted(m.API_REQUESTS) == {("GET", None, 101): 1.0}
    assert list(watch.counted(m.HTTP_SERVER_DURATION)) == [("GET", None, 101, None, "http", "1.1")]
    assert watch.counted(m.RESPONSE_TIME) == watch.counted(m.ERRORS) == watch.counted(m.HTTP_SERVER_ACTIVE) == {}


@pytest.mark.parametrize(
    ("environ", "error"),
    [
        ({}, StopIteration()), ({}, ConnectionError()), (UPGRADE, ResetError()), (UPGRADE, LookupError()),
        ({"HTTP_UPGRADE": "h2c"}, StopIteration()),
    ],
    ids=["not asked for", "not asked for, werkzeug", "a reset", "a failure", "another protocol"],
)  # fmt: skip
def test_what_no_library_raises_to_end_a_websocket_is_an_error(
    watch: Watch, environ: dict[str, str], error: BaseException
) -> None:
    call(with_socket(raising(error)), environ, fails=type(error))
    assert watch.counted(m.ERRORS) == {(type(error).__qualname__,): 1.0}
    assert [key[2] for key in watch.counted(m.API_REQUESTS)] == [500]


def test_a_plain_answer_to_an_upgrade_that_was_not_taken_is_a_plain_answer(watch: Watch) -> None:
    call(with_socket(Response("not here")), UPGRADE)
    call(with_socket(Response("no", 403)), UPGRADE)
    assert sorted(key[2] for key in watch.counted(m.RESPONSE_TIME)) == [200, 403]


def test_a_refused_websocket_has_its_status(watch: Watch) -> None:
    app = make_app()
    app.add_url_rule("/ws", "ws", lambda: abort(403), websocket=True)
    with by_werkzeug(app) as port:
        reply = ChatClient(port).request("GET", "/ws", headers={"Upgrade": "websocket", "Connection": "Upgrade"})
        assert reply.status == 403
    assert watch.counted(m.RESPONSE_TIME) == {("GET", "/ws", 403): 1.0}
    assert watch.counted(m.ERRORS) == {}


# the answer alone


@pytest.mark.parametrize(
    ("method", "status", "has"),
    [("GET", 200, True), ("HEAD", 200, False), ("GET", 204, False), ("GET", 304, False), ("POST", 500, True)],
)
def test_an_answer_has_a_body_where_http_lets_it_have_one(method: str, status: int, has: bool) -> None:
    answer = Answer(method, Upgrade.NONE)
    answer.begin(f"{status} SOMETHING", [("Content-Length", "7"), ("content-length", "many")])
    assert (answer.has_body(), answer.expected, answer.end()) == (has, 7, status)


def test_the_first_exception_is_the_one_and_an_app_that_answers_nothing_has_answered_500() -> None:
    answer = Answer("GET", Upgrade.NONE)
    answer.note_exception(LookupError())
    answer.note_exception(OSError())
    assert (answer.end(), answer.error_type) == (500, "LookupError")
    failed = Answer("GET", Upgrade.NONE)
    failed.fail(LookupError())
    failed.fail_unsent(OSError())
    assert (failed.end(), failed.error_type) == (500, "LookupError")
