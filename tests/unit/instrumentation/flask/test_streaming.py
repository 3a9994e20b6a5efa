"""Streamed answers, followed to their last byte, their failure or their client's disconnect, in the context of their request."""

from __future__ import annotations

import contextvars
import io
from collections.abc import Iterator

import pytest
from flask import Flask, Response, request, send_file, stream_with_context
from opentelemetry import context, trace
from opentelemetry.trace import StatusCode
from support.flask_hooks import Watch, hooked
from werkzeug.test import EnvironBuilder

from otel_chatbot.instrumentation.flask.request import finish_abandoned
from otel_chatbot.metrics import deduplication
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def watch() -> Iterator[Watch]:
    with hooked() as found:
        yield found


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
    app = Flask("streams")
    app.add_url_rule("/stream", "stream", lambda: Response(str(number) for number in range(3)))
    answer = app.test_client().get("/stream", buffered=False)
    assert watch.counted(m.API_REQUESTS) == {}
    del answer
    finish_abandoned()
    assert watch.counted(m.API_REQUESTS) == {("GET", "/stream", 200): 1}
    assert len(watch.spans) == 1


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


def test_a_stream_inside_a_test_clients_block_runs_in_the_readers_context_and_keeps_the_span_that_it_made(watch: Watch) -> None:
    app, seen = Flask("streams"), []
    readers = contextvars.ContextVar("readers", default=0)

    @app.route("/deep")
    def deep() -> Response:
        def chunks() -> Iterator[str]:
            seen.append((trace.get_current_span().get_span_context().span_id, readers.get()))
            context.attach(trace.set_span_in_context(trace.NonRecordingSpan(trace.SpanContext(1, 2, False))))
            yield "0"
            seen.append((trace.get_current_span().get_span_context().span_id, readers.get()))
            yield "1"

        return Response(chunks())

    with app.test_client() as client:
        answer = client.get("/deep", buffered=False)
        assert next(iter(answer.response)) == b"0"
        assert trace.get_current_span() is trace.INVALID_SPAN, "between two chunks the reader's own is back"
        readers.set(7)
        assert b"".join(answer.response) == b"1"
    assert seen == [(watch.spans[0].context.span_id, 0), (2, 7)]


def test_a_file_whose_client_went_away_is_a_disconnect(watch: Watch) -> None:
    class FileWrapper:
        def __init__(self, file, size: int = 8192) -> None:
            self.file = file

    app = Flask("files")
    app.add_url_rule("/file", "file", lambda: send_file(io.BytesIO(b"content"), mimetype="text/plain"))
    environ = EnvironBuilder(path="/file").get_environ()
    environ["wsgi.file_wrapper"] = FileWrapper
    body = app(environ, lambda *_: None)
    try:
        raise BrokenPipeError
    except BrokenPipeError:
        body.close()
    assert watch.access[0].aborted is True
    assert watch.access[0].bytes == 0
