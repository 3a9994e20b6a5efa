"""OTEL_METRICS_EXPORTER=prometheus: its port shows the figures of the whole app, whichever server runs it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.distro import App, instrumented
from support.process import BIN, free_port, get, wait_for

SOURCE = """
import os
from flask import Flask
from opentelemetry import metrics
from otel_chatbot import messages_sent

app = Flask(__name__)
orders = metrics.get_meter("shop").create_counter("shop.orders")

@app.get("/")
def index():
    messages_sent.inc()
    orders.add(1)
    return "hello"

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), use_reloader=False)
"""
GUNICORN = [str(BIN / "gunicorn"), "-w", "2", "-b", "127.0.0.1:{port}"]
SERVERS = {
    "gunicorn": [*GUNICORN, "app:app"],
    "gunicorn with our configuration": [*GUNICORN, "-c", "python:otel_chatbot.gunicorn", "app:app"],
    "gunicorn with preload": [*GUNICORN, "--preload", "app:app"],
    "gunicorn with threads": [*GUNICORN, "--threads", "2", "app:app"],
    "werkzeug": [sys.executable, "app.py"],
}


@pytest.mark.parametrize("server", SERVERS)
def test_the_port_shows_what_all_workers_have_counted(tmp_path: Path, server: str) -> None:
    port = free_port()
    env = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": str(port)}
    with App(tmp_path, env, SOURCE, instrumented(*SERVERS[server]), path="/health/live") as app:
        for _ in range(20):
            assert app.get()[0] == 200
        wait_for(lambda: "shop_orders_total 20.0" in get(f"http://127.0.0.1:{port}/metrics")[1], "the app's own instrument")
        shown = get(f"http://127.0.0.1:{port}/metrics")[1]
        app.end()
    assert "chatbot_messages_sent_total 20.0" in shown
    assert 'chatbot_api_requests_total{http_request_method="GET",http_route="/",http_response_status_code="200"} 20.0' in shown
    assert "http_server_request_duration_seconds_bucket" in shown
    assert "Traceback" not in app.stderr


def test_a_port_that_is_taken_is_told_of_with_its_variable(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        env = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": str(port)}
        with App(tmp_path, env, SOURCE, instrumented(*SERVERS["werkzeug"])) as app:
            app.wait(lambda: "set OTEL_EXPORTER_PROMETHEUS_PORT to a free port" in app.stderr, "the line")
            app.end()
