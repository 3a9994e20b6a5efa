"""`/metrics` and `/metrics/json` over HTTP: formats, methods, who may see them."""

from __future__ import annotations

import json
import logging
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from support.health import fresh_health
from support.metrics import _fresh_metrics, unused  # noqa: F401 - one of them is an autouse fixture
from werkzeug.middleware.proxy_fix import ProxyFix

import otel_chatbot as o
from otel_chatbot import _wiring
from otel_chatbot.metrics.blueprint import prometheus_view
from otel_chatbot.semconv import metrics as m

SIXTEEN = [spec.prometheus for spec in m.CHATBOT]
FAR = {"REMOTE_ADDR": "203.0.113.9"}


def client(url_prefix: str | None = None) -> FlaskClient:
    app = Flask(__name__)
    app.register_blueprint(o.create_metrics_blueprint(), url_prefix=url_prefix)
    return app.test_client()


def test_metrics_is_prometheus_text_with_the_sixteen_first() -> None:
    o.errors_total.inc(2, {"error.type": "KeyError"})
    answer = client().get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    families = list(parse_text(answer.text))
    assert [re.sub("_total$", "", name) for name in SIXTEEN] == [family.name for family in families][:16]
    assert 'chatbot_errors_total{error_type="KeyError"} 2.0\n' in answer.text
    assert "chatbot_errors_total 0.0\n" in answer.text
    assert "otel_scope" not in answer.text
    for name in SIXTEEN:
        assert answer.text.count(f"# HELP {name} ") == answer.text.count(f"# TYPE {name} ") == 1


def test_metrics_is_openmetrics_with_exemplars_for_a_scraper_that_asks() -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("request") as span:
        o.response_time.observe(0.3)
        trace_id = trace.format_trace_id(span.get_span_context().trace_id)
    answer = client().get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.content_type.startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in parse_openmetrics(answer.text)}
    exemplars = [sample.exemplar for sample in families["chatbot_response_time_seconds"].samples if sample.exemplar]
    assert [(exemplar.labels["trace_id"], exemplar.value) for exemplar in exemplars] == [(trace_id, 0.3)]


def test_metrics_json_is_strict_and_shaped_like_the_old_utilities() -> None:
    o.conversations_created.inc()
    o.response_time.observe(0.5)
    answer = client().get("/metrics/json")
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    payload = json.loads(answer.text, parse_constant=pytest.fail)
    assert list(payload) == ["timestamp", "metrics"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", payload["timestamp"])
    assert list(payload["metrics"])[:16] == SIXTEEN
    assert payload["metrics"]["chatbot_conversations_created_total"] == {"type": "counter", "value": 1}
    seen = payload["metrics"]["chatbot_response_time_seconds"]
    assert list(seen) == ["type", "count", "sum", "avg", "buckets"]
    assert (seen["count"], seen["avg"]) == (1, 0.5)
    assert list(seen["buckets"])[-1] == "+Inf"


@pytest.mark.parametrize("path", ["/metrics", "/metrics/json"])
def test_head_answers_without_a_body_and_other_methods_get_405(path: str) -> None:
    browser = client()
    head = browser.head(path)
    assert (head.status_code, head.get_data()) == (200, b"")
    assert head.headers["Cache-Control"] == "no-store"
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert browser.open(path, method=method).status_code == 405


def test_the_blueprint_takes_a_prefix_and_sets_the_package_up(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(_wiring.Configured, "done", False)
    monkeypatch.setattr(_wiring, "SET_UP", lambda: calls.append("set up"))
    browser = client("/internal")
    assert calls == ["set up"]
    assert browser.get("/internal/metrics").status_code == 200
    assert browser.get("/internal/metrics/json").status_code == 200
    assert browser.get("/metrics").status_code == 404


@pytest.mark.parametrize("path", ["/metrics", "/metrics/json"])
def test_in_production_far_peers_and_proxied_requests_are_refused_and_one_line_says_the_remedy(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with fresh_health(ENVIRONMENT="production"):
        browser = client()
        assert browser.get(path).status_code == 200
        assert browser.get(path, environ_overrides={"REMOTE_ADDR": "::ffff:10.1.2.3"}).status_code == 200
        assert caplog.records == []
        for refused in (
            browser.get(path, environ_overrides=FAR),
            browser.get(path, environ_overrides={"REMOTE_ADDR": "::ffff:8.8.8.8"}),
            browser.get(path, headers={"X-Forwarded-For": "127.0.0.1"}),
            browser.get(path, headers={"Forwarded": "for=127.0.0.1"}),
            browser.get(path, headers={"X-Real-IP": "127.0.0.1"}),
        ):
            assert refused.status_code == 403
            assert "CHATBOT_OTEL_ENDPOINT_TOKEN" in refused.get_json()["error"]
            assert refused.headers["Cache-Control"] == "no-store"
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "CHATBOT_OTEL_ENDPOINT_TOKEN" in caplog.text


def test_proxy_fix_does_not_let_a_header_pass_for_a_close_peer() -> None:
    with fresh_health(ENVIRONMENT="production"):
        app = Flask(__name__)
        app.register_blueprint(o.create_metrics_blueprint())
        app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
        far = app.test_client().get("/metrics", headers={"X-Forwarded-For": "10.0.0.1"}, environ_overrides=FAR)
        assert far.status_code == 403
        original = {"werkzeug.proxy_fix.orig": {"REMOTE_ADDR": "203.0.113.9"}, "REMOTE_ADDR": "10.0.0.1"}
        assert prometheus_view({"REQUEST_METHOD": "GET", **original}).status_code == 403


@pytest.mark.parametrize("path", ["/metrics", "/metrics/json"])
@pytest.mark.parametrize("environment", ["development", "production"])
def test_with_a_token_set_everybody_needs_it(path: str, environment: str) -> None:
    with fresh_health(ENVIRONMENT=environment, CHATBOT_OTEL_ENDPOINT_TOKEN="tok-ä-12345"):
        browser = client()
        right = "Bearer tok-ä-12345".encode().decode("latin-1")
        assert browser.get(path, headers={"Authorization": right}, environ_overrides=FAR).status_code == 200
        for sent in ("", "Bearer", "Bearer tok-12345", "Basic dG9rOg==", right + "6", right[:-1]):
            refused = browser.get(path, headers={"Authorization": sent})
            assert refused.status_code == 401
            assert refused.headers["WWW-Authenticate"].startswith("Bearer")
            assert "tok-" not in refused.text


HEADERS = st.dictionaries(
    st.sampled_from(["HTTP_ACCEPT", "HTTP_AUTHORIZATION", "HTTP_X_FORWARDED_FOR", "REMOTE_ADDR", "QUERY_STRING", "HTTP_HOST"]),
    st.text(st.characters(max_codepoint=255), max_size=200),
)


@settings(max_examples=200, deadline=None)
@given(method=st.sampled_from(["GET", "HEAD", "POST", "BREW", ""]) | st.text(max_size=9), headers=HEADERS, token=st.booleans())
def test_no_request_makes_the_view_fail(method: str, headers: dict[str, str], token: bool) -> None:
    with fresh_health(ENVIRONMENT="production", **({"CHATBOT_OTEL_ENDPOINT_TOKEN": "t"} if token else {})):
        answer = prometheus_view({"REQUEST_METHOD": method, **headers})
        assert answer.status_code in (200, 401, 403, 405)


def test_a_metric_defined_while_serving_appears_with_the_next_scrape() -> None:
    browser = client()
    name = o.Counter(unused(), "Late").name
    assert f"# HELP {name} Late\n" in browser.get("/metrics").text
