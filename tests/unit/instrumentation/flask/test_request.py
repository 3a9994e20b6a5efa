"""One request from its arrival to its last byte: told once, whoever ends it, and a probe among nobody's figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from support.flask_hooks import Watch, hooked
from werkzeug.test import EnvironBuilder

from otel_chatbot.instrumentation.flask.request import ServedRequest, finish_abandoned
from otel_chatbot.instrumentation.flask.server_span import ServerSpans
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def watch() -> Iterator[Watch]:
    with hooked() as found:
        yield found


def served(path: str = "/chat/7", *, probe: bool = False, provider: Any = None, sent: list[Any] | None = None) -> ServedRequest:
    """A request that has arrived."""
    environ = EnvironBuilder(path=path, headers={"X-User-Id": "u"}).get_environ()
    start = (sent if sent is not None else []).append
    spans = ServerSpans(provider or TracerProvider(shutdown_on_exit=False))
    made = ServedRequest(environ, lambda *told: start(told), spans, probe=probe)
    made.begin(environ, "/chat/<id>", "chat", adopts=False)
    made.tracing.leave()
    return made


def test_it_runs_until_it_is_finished_and_is_told_once(watch: Watch) -> None:
    request = served()
    assert watch.counted(m.HTTP_SERVER_ACTIVE) == {("GET", "http"): 1.0}
    request.start_response("201 CREATED", [("Content-Length", "5")])
    for _ in range(2):
        request.finish()
    assert watch.counted(m.API_REQUESTS) == {("GET", "/chat/<id>", 201): 1.0}
    assert watch.counted(m.HTTP_SERVER_ACTIVE) == {}
    [line] = watch.access
    assert (line.status, line.__dict__["endpoint"], "aborted" in vars(line)) == (201, "/chat/<id>", False)  # type: ignore[attr-defined]


def test_the_server_hears_status_headers_and_what_else_there_is_as_the_app_said_them(watch: Watch) -> None:
    sent: list[Any] = []
    request = served(sent=sent)
    request.start_response("500 OOPS", [("X-A", "1")], None)
    assert sent == [("500 OOPS", [("X-A", "1")], None)]
    request.finish()
    assert watch.counted(m.ERRORS) == {("500",): 1.0}


def test_a_request_that_turns_out_to_be_a_probe_leaves_the_figures_of_the_app(watch: Watch) -> None:
    request = served()
    request.become_probe()
    assert watch.counted(m.HTTP_SERVER_ACTIVE) == {}
    request.start_response("200 OK", [])
    request.finish()
    assert (watch.counted(m.API_REQUESTS), watch.access) == ({}, [])


def test_a_client_that_went_away_is_on_the_span_and_in_the_access_record_and_is_no_error(watch: Watch) -> None:
    request = served()
    request.start_response("200 OK", [])
    request.disconnect()
    request.finish()
    assert request.tracing.span.attributes["chatbot.client_disconnected"] is True  # type: ignore[attr-defined]
    assert watch.access[0].aborted is True  # type: ignore[attr-defined]
    assert watch.counted(m.ERRORS) == {}


def test_what_is_thrown_away_waits_for_the_next_request_to_finish_it(watch: Watch) -> None:
    request = served()
    request.start_response("200 OK", [])
    request.abandon()
    assert watch.counted(m.API_REQUESTS) == {}
    finish_abandoned()
    assert watch.counted(m.API_REQUESTS) == {("GET", "/chat/<id>", 200): 1.0}


def test_the_first_route_that_a_request_is_matched_with_is_the_one(watch: Watch) -> None:
    request = served()
    request.begin(EnvironBuilder().get_environ(), "/other", "other", adopts=False)
    request.start_response("200 OK", [])
    request.finish()
    assert list(watch.counted(m.API_REQUESTS)) == [("GET", "/chat/<id>", 200)]
    assert request.tracing.span.name == "GET /chat/<id>"  # type: ignore[attr-defined]
