"""`/health*` over HTTP: statuses, shapes, methods, and who may see the details."""

from __future__ import annotations

import json
from collections.abc import Iterator

import flask
import pytest
from flask.testing import FlaskClient
from support.health import fresh_health
from werkzeug.test import Client

from otel_chatbot.health import HealthChecker, HealthStatus, create_health_blueprint
from otel_chatbot.health.views import VIEWS

PATHS = ["/health", "/health/live", "/health/ready", "/health/detailed"]
HEAD = {"status", "timestamp", "uptime_seconds", "version"}


@pytest.fixture
def checker() -> Iterator[HealthChecker]:
    with fresh_health() as fresh:
        yield fresh


@pytest.fixture
def browser(checker: HealthChecker) -> FlaskClient:
    return _browser()


def _browser() -> FlaskClient:
    app = flask.Flask("shop")
    app.register_blueprint(create_health_blueprint())
    return app.test_client()


def test_the_four_paths_answer_json_that_nobody_may_keep(browser: FlaskClient) -> None:
    for path, names in zip(PATHS, [HEAD, HEAD, HEAD | {"checks"}, HEAD | {"checks", "system"}], strict=True):
        answer = browser.get(path)
        assert (answer.status_code, answer.mimetype) == (200, "application/json")
        assert answer.headers["Cache-Control"] == "no-store"
        assert set(answer.get_json()) == names


def test_head_answers_as_get_without_a_body(browser: FlaskClient) -> None:
    for path in PATHS:
        answer = browser.head(path)
        assert (answer.status_code, answer.data) == (200, b"")
        assert answer.mimetype == "application/json"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(browser: FlaskClient, method: str) -> None:
    for path in PATHS:
        assert browser.open(path, method=method).status_code == 405


def test_a_view_is_a_wsgi_answer_of_its_own_and_refuses_other_methods(checker: HealthChecker) -> None:
    for path, view in VIEWS.items():
        client = Client(lambda environ, start, view=view: view(environ)(environ, start))
        assert set(client.get(path).get_json()) >= HEAD
        assert client.head(path).data == b""
        refused = client.post(path, data=b"{")
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(("status", "code"), [("healthy", 200), ("degraded", 200), ("unhealthy", 503)])
def test_only_unhealthy_answers_503_and_names_the_check(
    browser: FlaskClient, checker: HealthChecker, status: str, code: int
) -> None:
    checker.register_check("database", lambda: HealthStatus(status))
    for path in ("/health/ready", "/health/detailed"):
        answer = browser.get(path)
        assert answer.status_code == code
        assert answer.get_json()["status"] == status
        assert answer.get_json()["checks"]["database"]["status"] == status
    assert browser.get("/health").status_code == browser.get("/health/live").status_code == 200


def test_whatever_a_check_returns_the_answer_is_strict_json(browser: FlaskClient, checker: HealthChecker) -> None:
    deep: dict[str, object] = {}
    deep["self"] = deep
    checker.register_check(
        "odd", lambda: {"nan": float("nan"), "bytes": b"\xff", "lone": "\ud800", "deep": deep, "set": {1}, 5: object()}
    )
    answer = browser.get("/health/detailed")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(answer.data, parse_constant=refuse)["checks"]["odd"]["status"] == "healthy"


def test_in_production_the_details_are_for_private_peers_without_a_proxy() -> None:
    with fresh_health(ENVIRONMENT="production"):
        browser = _browser()
        near, far = {"REMOTE_ADDR": "10.1.2.3"}, {"REMOTE_ADDR": "203.0.113.9"}
        assert browser.get("/health/detailed", environ_base=near).status_code == 200
        refused = browser.get("/health/detailed", environ_base=far)
        assert refused.status_code == 403
        assert "CHATBOT_OTEL_ENDPOINT_TOKEN" in refused.get_json()["error"]
        forwarded = browser.get("/health/detailed", environ_base=near, headers={"X-Forwarded-For": "203.0.113.9"})
        assert forwarded.status_code == 403
        assert browser.get("/health/ready", environ_base=far).status_code == 200


def test_a_token_opens_the_details_and_nothing_else_needs_it() -> None:
    with fresh_health(CHATBOT_OTEL_ENDPOINT_TOKEN="open sesame"):
        browser = _browser()
        assert browser.get("/health/detailed").status_code == 401
        assert browser.get("/health/detailed", headers={"Authorization": "Bearer open"}).status_code == 401
        assert browser.get("/health/detailed", headers={"Authorization": "Bearer open sesame"}).status_code == 200
        assert browser.get("/health/ready").status_code == 200
