"""The figures of one request: each value under its own name, counted once beside what the application counts by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.trace import INVALID_SPAN_CONTEXT
from support.databases import Figures, undisturbed

from otel_chatbot import api_requests, response_time
from otel_chatbot.instrumentation.flask import figures as flask_figures
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.metrics.deduplication import Scope
from otel_chatbot.semconv import metrics as m


@pytest.fixture(autouse=True)
def scope() -> Iterator[Scope]:
    with undisturbed(), deduplication.request_scope() as found:
        record.activate(m.API_REQUESTS, m.RESPONSE_TIME, m.ERRORS)
        yield found


def count(scope: Scope, error: str | None = None) -> None:
    flask_figures.count(
        scope,
        0.2,
        INVALID_SPAN_CONTEXT,
        method="POST",
        route="/chat/<id>",
        status=503,
        error=error,
        scheme="https",
        protocol="1.1",
    )


def test_a_requests_figures_have_each_value_under_its_own_name(scope: Scope) -> None:
    seen = Figures()
    count(scope, "503")
    answer = {"http.request.method": "POST", "http.route": "/chat/<id>", "http.response.status_code": 503}
    assert seen.named(m.API_REQUESTS) == [(answer, 1)]
    assert seen.named(m.RESPONSE_TIME) == [(answer, 1)]
    more = {"error.type": "503", "url.scheme": "https", "network.protocol.version": "1.1"}
    assert seen.named(m.HTTP_SERVER_DURATION) == [({**answer, **more}, 1)]
    assert seen.named(m.ERRORS) == [({"error.type": "503"}, 1)]


def test_a_running_request_is_in_the_gauge_of_its_kind() -> None:
    seen = Figures()
    flask_figures.running(method="GET", scheme="http").move(1.0)
    flask_figures.running(method="GET", scheme="http").move(1.0)
    assert seen.named(m.HTTP_SERVER_ACTIVE) == [({"http.request.method": "GET", "url.scheme": "http"}, 2)]


def test_a_request_that_the_application_counts_too_counts_once(scope: Scope) -> None:
    seen = Figures()
    api_requests.inc()
    response_time.observe(7)
    count(scope)
    scope.close()
    assert [amount for _, amount in seen.named(m.API_REQUESTS)] == [1]
    assert [amount for _, amount in seen.named(m.RESPONSE_TIME)] == [1]


def test_a_failure_that_a_failed_call_of_a_model_has_counted_is_no_second_one(scope: Scope) -> None:
    seen = Figures()
    record.count(m.ERRORS, 1, {"error.type": "RateLimitError"})
    count(scope, "500")
    assert seen.named(m.ERRORS) == [({"error.type": "RateLimitError"}, 1)]
