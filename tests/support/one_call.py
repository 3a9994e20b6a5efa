"""Each way into the package as one call, and a Flask app that prints its figure of one request: for processes with something bad.

Fed by the tests of bad variables and of a missing SDK, which run them in a process of their own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from .process import BIN, clean_env

CALLS = {
    "messages_sent.inc": "from otel_chatbot import messages_sent; messages_sent.inc()",
    "Counter": "from otel_chatbot import Counter; Counter('own_things', 'Own').inc()",
    "setup_logger": "from otel_chatbot import setup_logger; setup_logger()",
    "get_logger": "from otel_chatbot import get_logger; get_logger('x').info('a')",
    "create_metrics_blueprint": "from otel_chatbot import create_metrics_blueprint; create_metrics_blueprint()",
    "create_health_blueprint": "from otel_chatbot import create_health_blueprint; create_health_blueprint()",
    "check": "from otel_chatbot import get_health_checker; get_health_checker().detailed()",
    "decorators": "from otel_chatbot import count_calls, messages_sent; count_calls(messages_sent)(print)()",
    "instrument": "import otel_chatbot; otel_chatbot.instrument()",
}
FLASK = """
from flask import Flask
app = Flask("app")
app.get("/hello")(lambda: "hello")
client = app.test_client()
client.get("/hello")
print([line for line in client.get("/metrics").text.splitlines() if line.startswith("chatbot_api_requests_total{")], flush=True)
"""
ONE_REQUEST = 'http_route="/hello",http_response_status_code="200"} 1'


def python(folder: Path, env: Mapping[str, str], code: str) -> subprocess.CompletedProcess[str]:
    short = {"CHATBOT_OTEL_SHUTDOWN_TIMEOUT": "1", **env}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=clean_env(short), capture_output=True, text=True, timeout=60)


def doctor(folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "otel-chatbot"), "doctor"]
    return subprocess.run(command, cwd=folder, env=clean_env(env), capture_output=True, text=True, timeout=60)
