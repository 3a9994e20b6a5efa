"""`target_info` on /metrics: who the figures are of, on either text format, and in nobody's way."""

from __future__ import annotations

import subprocess

import pytest
from flask import Flask
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families
from support.process import program

from otel_chatbot import _wiring
from otel_chatbot.metrics.blueprint import create_metrics_blueprint

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
KNOWN = {"service.name": "chatbot", "service.version": "1.2.3", "deployment.environment.name": "production"}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch):
    app = Flask(__name__)
    app.register_blueprint(create_metrics_blueprint())
    monkeypatch.setattr(_wiring, "APP", lambda: KNOWN)
    return app.test_client()


@pytest.mark.parametrize(("accept", "parse"), [("text/plain", text_families), (OPENMETRICS, openmetrics_families)])
def test_metrics_say_which_version_of_which_service_they_are_of(client, accept, parse) -> None:
    text = client.get("/metrics", headers={"Accept": accept}).text
    [sample] = [sample for family in parse(text) for sample in family.samples if sample.name == "target_info"]
    assert sample.value == 1.0
    assert sample.labels == {
        "service_name": "chatbot",
        "service_version": "1.2.3",
        "deployment_environment_name": "production",
    }


def test_promtool_accepts_it(client) -> None:
    text = client.get("/metrics").text
    lines = "".join(line + "\n" for line in text.splitlines() if "target_info" in line)
    checked = subprocess.run(
        [program("promtool", "install Debian's prometheus"), "check", "metrics"], input=lines, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_it_is_no_figure_of_the_app(client) -> None:
    assert "target_info" not in client.get("/metrics/json").json["metrics"]


def test_without_a_set_up_there_is_none(client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wiring, "APP", lambda: None)
    assert "target_info" not in client.get("/metrics").text
