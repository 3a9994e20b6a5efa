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


def test_doctor_finds_a_fresh_installation_well_and_says_what_it_did_not_look_at_and_leaves_no_file(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    first, *lines = done.stdout.splitlines()
    assert first.startswith("✓ no fault in ")
    assert first.endswith(" looked at; 5 not looked at")
    text = "\n".join(lines)
    for words in ("otel-chatbot doctor http://127.0.0.1:5000", "--app app.py", "MONGODB_URI", "REDIS_URL", "--collector"):
        assert words in text.partition("Not looked at")[2].partition("Looked at")[0]
    assert "no fault" not in text, "the verdict alone says it, of what it counts"
    assert "\x1b" not in done.stdout, "not a terminal"
    for library in ("click", "jinja2", "structlog"):
        assert f"opentelemetry-instrumentation-{library}" not in text, "its time or records say nothing more of a chatbot"
    assert "opentelemetry-instrumentation-asgi" in text
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


def test_what_a_terminal_cannot_write_is_written_out_and_ends_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "grüß"
    folder.mkdir()
    done = run(folder, "doctor", PYTHONIOENCODING="ascii", PYTHONUTF8="0", OTEL_SDK_DISABLED="true")
    assert done.returncode == 1
    assert done.stdout.startswith("x 1 fault in ")
    assert "gr\\xfc\\xdf" in done.stdout
