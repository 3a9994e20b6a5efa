"""The doctor finds each planted fault by its name, and nothing else; what is well, it calls well."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.distro import App, plant
from support.process import Process, clean_env, free_port, port_open, program
from support.servers import MongoServer
from support.stack import Stack

from otel_chatbot.testing import OtlpSink

Faults = set[tuple[str, str]]


class Report:
    """What the doctor said."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.text = done.stdout + done.stderr
        assert done.stdout.startswith("{"), self.text
        self.well = json.loads(done.stdout)["well"]
        self.findings = json.loads(done.stdout)["findings"]

    @property
    def faults(self) -> Faults:
        """Name and status of what is not well."""
        return {(one["name"], one["status"]) for one in self.findings if one["status"] != "well"}

    def says(self, name: str) -> str:
        """Messages and remedies of a name."""
        return "\n".join(f"{one['message']} {one['remedy']}" for one in self.findings if one["name"] == name)


def doctor(folder: Path, *arguments: str, **env: str) -> Report:
    command = [program("otel-chatbot", "install the package"), "doctor", "--json", *arguments]
    report = Report(
        subprocess.run(command, cwd=folder, env=clean_env(env), capture_output=True, text=True, timeout=120, check=False)
    )
    assert report.code == (0 if report.well else 1)
    assert report.well == all(status != "failed" for _, status in report.faults)
    return report


@contextmanager
def held(*, listening: bool) -> Iterator[int]:
    """A port that somebody else has; who does not listen refuses every connection."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        if listening:
            other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port on which nothing answers, and which nobody can take meanwhile."""
    with held(listening=False) as port:
        yield port


def test_eleven_faults_of_the_environment_are_found_by_name(tmp_path: Path, nobody: int) -> None:
    (tmp_path / "a-file").touch()
    planted = {
        "CHATBOT_OTEL_LOGDIR": "elsewhere",
        "CHATBOT_OTEL_HEALTH_TIMEOUT": "soon",
        "OTEL_EXPORTER_OTLP_ENPOINT": "http://127.0.0.1:4318",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "redis",
        "OTEL_TRACES_SAMPLER": "always_off",
        "OTEL_TRACES_EXPORTER": "jaeger",
        "FLASK_DEBUG": "1",
        "MONGODB_URI": f"mongodb://ann:hunter2@127.0.0.1:{nobody}/chat?serverSelectionTimeoutMS=300",
        "REDIS_URL": f"redis://:hunter3@127.0.0.1:{nobody}/0",
        "CHATBOT_OTEL_LOG_DIR": str(tmp_path / "a-file" / "logs"),
    }
    with held(listening=True) as port:
        found = doctor(tmp_path, "--port", str(port), **planted)
    assert found.faults == {
        ("setting-unknown", "failed"),
        ("setting-value", "failed"),
        ("otel-name", "failed"),
        ("instrumentation-disabled", "warning"),
        ("sampler", "warning"),
        ("exporter", "failed"),
        ("reloader", "warning"),
        ("mongodb", "failed"),
        ("redis", "failed"),
        ("log-dir", "failed"),
        ("port", "failed"),
    }
    assert "did you mean CHATBOT_OTEL_LOG_DIR?" in found.says("setting-unknown")
    assert "did you mean OTEL_EXPORTER_OTLP_ENDPOINT?" in found.says("otel-name")
    assert "jaeger" in found.says("exporter")
    assert "hunter" not in found.text
    assert [path.name for path in tmp_path.iterdir()] == ["a-file"]


def test_faults_of_the_way_out_are_found_by_name(tmp_path: Path, nobody: int) -> None:
    (tmp_path / "a-file").touch()
    planted = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{nobody}",
        "CHATBOT_OTEL_SPOOL_DIR": str(tmp_path / "a-file" / "spool"),
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
    }
    found = doctor(tmp_path, **planted)
    assert found.faults == {("endpoint", "failed"), ("spool", "failed"), ("temporality", "warning")}
    assert found.says("endpoint").count("ConnectionError") == 3


def test_a_configuration_file_that_is_not_there_is_found_by_name_also_where_all_is_off(tmp_path: Path) -> None:
    found = doctor(tmp_path, OTEL_SDK_DISABLED="true", OTEL_CONFIG_FILE="nowhere.yaml")
    assert found.faults >= {("sdk-disabled", "failed"), ("config-file", "failed")}, found.text
    assert "nowhere.yaml" in found.says("config-file")


def test_a_version_that_is_not_supported_and_a_configurator_that_is_not_there_are_found_by_name(tmp_path: Path) -> None:
    info = tmp_path / "planted" / "flask-2.0.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flask\nVersion: 2.0.0\n")
    found = doctor(tmp_path, PYTHONPATH=str(info.parent), OTEL_PYTHON_CONFIGURATOR="missing")
    assert found.faults >= {("version", "failed"), ("configurator", "failed")}, found.text
    assert "flask 2.0.0 is not supported" in found.says("version")
    assert "pip install 'flask" in found.says("version")


def test_a_second_distro_is_found_by_name(tmp_path: Path) -> None:
    there = plant(
        tmp_path / "planted",
        "other_distro",
        "from opentelemetry.instrumentation.distro import BaseDistro\nclass Distro(BaseDistro):\n    def _configure(self, **_): pass\n",
        {"opentelemetry_distro": "other = other_distro:Distro"},
    )
    found = doctor(tmp_path, PYTHONPATH=str(there))
    assert found.faults == {("second-distro", "warning")}
    assert "OTEL_PYTHON_DISTRO=otel_chatbot, or pip uninstall other_distro" in found.says("second-distro")


HIDE = """
import importlib.util
real = importlib.util.find_spec
def find_spec(name, package=None):
    return None if name == "genai_prices" else real(name, package)
importlib.util.find_spec = find_spec
"""
OWN_PROVIDER = """
from flask import Flask
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
app = Flask(__name__)
if __name__ == "__main__":
    raise SystemExit("it was started, and not imported")
"""


def test_providers_of_the_app_and_missing_prices_are_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(HIDE)
    (tmp_path / "app.py").write_text(OWN_PROVIDER)
    one = doctor(tmp_path, "--app", "app.py", PYTHONPATH=str(tmp_path / "hidden"))
    assert one.faults == {("own-provider", "warning"), ("prices-missing", "warning")}, one.text
    assert "a provider of traces after ours" in one.says("own-provider")
    assert "traces: opentelemetry.sdk.trace.TracerProvider, TraceFileExporter" in one.says("provider")
    assert "pip install 'otel-chatbot[genai]'" in one.says("prices-missing")
    assert not (tmp_path / "logs").exists()

    (tmp_path / "app.py").write_text(OWN_PROVIDER + "trace.set_tracer_provider(TracerProvider())\n")
    two = doctor(tmp_path, "--app", "app.py")
    assert two.faults == {("own-provider", "warning"), ("duplicate-provider", "failed")}, two.text
    assert "TracerProvider" in two.says("duplicate-provider")


LIMITED = """
import os

from flask import Flask, redirect, request
from otel_chatbot import Counter

app = Flask(__name__)
many = Counter("own.many", attributes=("name",))

@app.before_request
def log_in():
    if request.path == "/metrics/json":
        return redirect("/login")

@app.get("/")
def index():
    for number in range(30):
        many.inc(name=str(number))
    return "hello"

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), use_reloader=False)
"""


def test_faults_of_a_running_app_are_found_by_name(tmp_path: Path) -> None:
    env = {"CHATBOT_OTEL_SERIES_LIMIT": "10", "CHATBOT_OTEL_ENDPOINT_TOKEN": "right"}
    with App(tmp_path / "app", env, LIMITED) as app:
        url = f"http://127.0.0.1:{app.port}"
        wrong = doctor(tmp_path, url, CHATBOT_OTEL_ENDPOINT_TOKEN="wrong")
        right = doctor(tmp_path, url, CHATBOT_OTEL_ENDPOINT_TOKEN="right")
    assert wrong.faults == {("token", "failed"), ("route", "failed")}
    assert right.faults == {("route", "failed"), ("series-limit", "failed")}, right.text
    assert "/metrics/json: 302: the app's own hooks send it elsewhere" in right.says("route")
    assert "own_many" in right.says("series-limit")
    gone = doctor(tmp_path, url)
    assert gone.faults == {("app", "failed")}
    assert "ConnectionRefusedError" in gone.says("app")


def test_an_app_that_is_not_observed_is_found_by_name(tmp_path: Path) -> None:
    """Started without the command in front, or by another Python than the one that has the package."""
    port = free_port()
    (tmp_path / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    with Process([sys.executable, "-m", "flask", "run", "--port", str(port)], tmp_path, name="bare") as bare:
        bare.wait(lambda: port_open(port), "the app")
        found = doctor(tmp_path, f"http://127.0.0.1:{port}")
    assert found.faults == {("not-observed", "failed")}, found.text
    assert "opentelemetry-instrument" in found.says("not-observed")


LIMITER = """
import os
from flask import Flask, abort, request
app = Flask(__name__)

@app.before_request
def limit():
    if request.path == "/metrics":
        abort(int(os.environ["ANSWER"]))

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), use_reloader=False)
"""


def test_a_scrape_that_a_hook_refuses_is_found_by_name_in_doctor_and_log(tmp_path: Path) -> None:
    with App(tmp_path / "app", {"ANSWER": "429"}, LIMITER, path="/health/live") as app:
        found = doctor(tmp_path, f"http://127.0.0.1:{app.port}")
        app.wait(lambda: "/metrics answers 429" in app.stderr, "the log line")
    assert found.faults == {("route", "failed")}, found.text
    assert "/metrics: 429: " in found.says("route")
    assert "limiter.request_filter" in found.says("route")


def test_an_app_that_is_not_healthy_says_which_check_fails(tmp_path: Path) -> None:
    source = "from otel_chatbot import get_health_checker\n" + LIMITED.replace(
        "app = Flask", ("get_health_checker().register_check('model', lambda: False, readiness=True)\napp = Flask")
    ).replace('request.path == "/metrics/json"', "False")
    with App(tmp_path / "app", {}, source, path="/health/live") as app:
        found = doctor(tmp_path, f"http://127.0.0.1:{app.port}")
    assert found.faults == {("unhealthy", "warning")}, found.text
    assert "/health/ready: 503" in found.says("unhealthy")
    assert "model" in found.says("unhealthy")


def test_on_the_demo_all_is_well(tmp_path: Path, mongo_server: MongoServer, otlp_sink: OtlpSink) -> None:
    with Stack(tmp_path / "demo", mongo=mongo_server, env={"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint}) as stack:
        stack.chat("hello")
        found = doctor(tmp_path, f"http://127.0.0.1:{stack.port}", "--app", str(stack.app_path), **stack.environment())
    assert found.faults == set(), found.text
    assert {"mongodb", "redis", "endpoint", "route", "provider", "spool", "log-dir"} <= {one["name"] for one in found.findings}
