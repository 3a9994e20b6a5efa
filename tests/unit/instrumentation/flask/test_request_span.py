"""The span of one request: current while the app runs, ended once with the answer, whoever has made it."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from werkzeug.test import EnvironBuilder

from otel_chatbot.instrumentation.flask.request_span import RequestSpan
from otel_chatbot.instrumentation.flask.server_span import ServerSpans

PROVIDER = TracerProvider(shutdown_on_exit=False)
THEIRS = PROVIDER.get_tracer("theirs")


def started(provider: TracerProvider = PROVIDER) -> RequestSpan:
    span = RequestSpan(ServerSpans(provider))
    span.start(EnvironBuilder(path="/chat/7").get_environ(), "GET", "/chat/<id>", "chat", shown="/chat/<id>", probe=False)
    return span


def test_it_is_the_current_one_until_it_is_left_and_ends_after_the_time_that_the_request_took(
    caplog: pytest.LogCaptureFixture,
) -> None:
    request = started()
    span: Any = request.span
    assert trace.get_current_span() is span
    for _ in range(2):
        request.leave()
        assert trace.get_current_span() is trace.INVALID_SPAN
    assert caplog.records == [], "OpenTelemetry has nothing to say against it"
    request.attributes["chatbot.client_disconnected"] = True
    request.end(200, None, None, 1.5)
    assert (span.name, span.end_time - span.start_time) == ("GET /chat/<id>", 1_500_000_000)
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["chatbot.client_disconnected"] is True
    assert span.attributes["url.path"] == "/chat/<id>"


def test_a_failure_is_on_it() -> None:
    request = started()
    request.leave()
    request.end(500, "LookupError", LookupError("nothing there"), 0.1)
    span: Any = request.span
    assert (span.status.is_ok, span.attributes["error.type"]) == (False, "LookupError")
    assert [event.name for event in span.events] == ["exception"]


def test_without_a_span_nothing_ends_and_no_header_is_added() -> None:
    request = RequestSpan(ServerSpans(PROVIDER))
    headers: list[tuple[str, str]] = []
    request.answer(headers)
    request.leave()
    request.end(200, None, None, 0.1)
    assert (request.span, headers) == (trace.INVALID_SPAN, [])


def test_a_span_that_is_not_sampled_is_current_all_the_same() -> None:
    request = started(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False))
    assert trace.get_current_span() is request.span
    assert not request.span.is_recording()
    request.leave()
    request.end(200, None, None, 0.1)


@pytest.mark.parametrize("streamed", [True, False])
def test_another_instrumentations_span_ends_with_the_stream_else_where_that_ends_it(streamed: bool) -> None:
    theirs: Any = THEIRS.start_span("GET", attributes={"url.path": "/chat/7", "url.query": "token=secret"})
    request = RequestSpan(ServerSpans(PROVIDER))
    request.adopts = True
    request.adopt(theirs, "/chat/<id>", streamed=streamed)
    assert (theirs.attributes["url.path"], "secret" in theirs.to_json()) == ("/chat/<id>", False)
    theirs.end()  # as they do, before the stream
    assert (theirs.end_time is None) is streamed
    request.end(200, None, None, 0.1)
    assert theirs.end_time is not None
    assert theirs.attributes.get("http.response.status_code") == (200 if streamed else None)
