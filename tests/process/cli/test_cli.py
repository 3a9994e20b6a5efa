"""The command `otel-chatbot doctor` on a fresh installation, on a broken one, and beside a running app."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.distro import App
from support.process import clean_env, free_port, program

from otel_chatbot.testing import OtlpSink


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [program("otel-chatbot", "install the package"), *arguments]
    return subprocess.run(command, cwd=folder, env=clean_env(env), capture_output=True, text=True, timeout=60)


def test_doctor_finds_a_fresh_installation_well_and_leaves_no_file(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "distro: otel_chatbot (installed: otel_chatbot)" in done.stdout
    assert "opentelemetry-sdk 1." in done.stdout
    assert "all at their defaults" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_doctor_names_what_is_wrong_and_masks_secrets(tmp_path: Path) -> None:
    env = {
        "CHATBOT_OTEL_LOGDIR": "x",
        "CHATBOT_OTEL_ENDPOINT_TOKEN": "hunter2",
        "MONGODB_URI": "mongodb://u:hunter3@h/",
        "OTEL_EXPORTER_OTLP_HEADERS": "key=hunter4",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://u:hunter5@127.0.0.1:{free_port()}",
    }
    done = run(tmp_path, "doctor", **env)
    assert done.returncode == 1
    assert "✗ CHATBOT_OTEL_LOGDIR is not a setting" in done.stdout
    assert "does not take traces: ConnectionError" in done.stdout
    assert "hunter" not in done.stdout + done.stderr


def test_doctor_makes_a_round_trip_for_every_signal_and_asks_the_routes(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    with App(tmp_path / "app") as app:
        url = f"http://127.0.0.1:{app.port}"
        done = run(tmp_path, "doctor", url, OTEL_EXPORTER_OTLP_ENDPOINT=otlp_sink.endpoint)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path for path, _ in otlp_sink.requests} == {"/v1/traces", "/v1/metrics", "/v1/logs"}
    assert "/health/ready: 200" in done.stdout


def test_doctor_says_what_to_do_about_a_route_that_is_not_there(tmp_path: Path) -> None:
    with App(tmp_path / "app", {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask"}) as app:
        done = run(tmp_path, "doctor", f"http://127.0.0.1:{app.port}")
    assert done.returncode == 1
    assert "✗ none of the six routes is there: the app runs without otel-chatbot" in done.stdout
