"""A five-line Flask app, started in every usual way under `opentelemetry-instrument`: routes, metrics, one trace id."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.distro import App
from support.process import BIN, program, wait_for

from otel_chatbot.semconv import metrics as m

FIVE_LINES = """
import logging
from flask import Flask
app = Flask(__name__)
@app.get("/")
def hello():
    logging.getLogger("shop").warning("an order")
    return "hello"
"""
RUN = """
if __name__ == "__main__":
    import os
    app.run(port=int(os.environ["PORT"]))
"""
ROUTES = ("/health", "/health/live", "/health/ready", "/health/detailed", "/metrics", "/metrics/json")
LINT_FIXED_BY_CONVENTION = {
    "db_client_connection_count": "the database convention's name; promlint takes `_count` for a histogram's"
}
INSTRUMENT = str(BIN / "opentelemetry-instrument")
WAYS = {
    "python": [INSTRUMENT, sys.executable, "app.py"],
    "module": [INSTRUMENT, sys.executable, "-m", "app"],
    "flask": [INSTRUMENT, str(BIN / "flask"), "run", "--port", "{port}"],
    "gunicorn": [INSTRUMENT, str(BIN / "gunicorn"), "-b", "127.0.0.1:{port}", "-w", "2", "app:app"],
}


def spans_of(folder: Path) -> list[dict[str, object]]:
    return [
        span
        for path in (folder / "logs").glob("traces*.jsonl")
        for line in path.read_text().splitlines()
        for group in json.loads(line)["resourceSpans"]
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    ]


@pytest.mark.parametrize("way", WAYS)
def test_six_routes_answer_and_a_request_leaves_one_trace_id_in_span_access_record_and_log_line(
    way: str, tmp_path: Path
) -> None:
    with App(tmp_path, source=FIVE_LINES + RUN, command=WAYS[way], path="/health/live") as app:
        assert app.get("/") == (200, "hello")
        answers = {route: app.get(route) for route in ROUTES}
        assert {route: answer[0] for route, answer in answers.items()} == dict.fromkeys(ROUTES, 200)
        families = {family.name: family for family in text_string_to_metric_families(answers["/metrics"][1])}
        samples = {sample.name for family in families.values() for sample in family.samples}
        for spec in m.CHATBOT:
            assert spec.prometheus in samples or f"{spec.prometheus}_bucket" in samples, spec
        assert not [sample for family in families.values() for sample in family.samples if "otel_scope_name" in sample.labels]
        lint = subprocess.run(
            [program("promtool", "run `make setup`"), "check", "metrics"],
            input=answers["/metrics"][1], capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert {line.split()[0] for line in (lint.stdout + lint.stderr).splitlines()} <= set(LINT_FIXED_BY_CONVENTION)
        figures = json.loads(answers["/metrics/json"][1])
        assert figures["metrics"]["chatbot_api_requests_total"] == {"type": "counter", "value": 1}
        assert set(json.loads(answers["/health"][1])) == {"status", "timestamp", "uptime_seconds", "version"}
        assert set(json.loads(answers["/health/ready"][1])["checks"]) == {"database", "cache"}
        assert "system" in json.loads(answers["/health/detailed"][1])

    wait_for(lambda: spans_of(tmp_path), "the span")
    (span,) = [span for span in spans_of(tmp_path) if span["name"] == "GET /"]
    lines = app.log_lines()
    (own,) = [line for line in lines if line["logger"] == "shop"]
    (access,) = [line for line in lines if line["logger"] == "chatbot.access"]
    assert own["trace_id"] == access["trace_id"] == span["traceId"]
    assert own["span_id"] == access["span_id"] == span["spanId"]
    assert (access["event"], access["endpoint"], access["method"], access["status"], access["bytes"]) == (
        "api_request", "/", "GET", 200, 5,
    )  # fmt: skip
