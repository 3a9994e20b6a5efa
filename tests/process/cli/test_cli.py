"""The command `otel-chatbot`: doctor, probe, spool."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.distro import App
from support.process import clean_env, free_port, program

from otel_chatbot.distro.delivery.spool import Payload, Spool
from otel_chatbot.semconv.attributes import Signal
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


def test_probe_tells_by_its_exit_status_whether_the_app_is_ready(tmp_path: Path) -> None:
    with App(tmp_path / "app") as app:
        well = run(tmp_path, "probe", f"http://127.0.0.1:{app.port}")
        absent = run(tmp_path, "probe", f"http://127.0.0.1:{app.port}/nowhere")
    gone = run(tmp_path, "probe", f"http://127.0.0.1:{app.port}")
    assert (well.returncode, absent.returncode, gone.returncode) == (0, 1, 1)
    assert '"status"' in well.stdout
    assert "ConnectionRefusedError" in gone.stderr
    assert run(tmp_path, "probe", "ftp://x").returncode == 1


def test_spool_is_counted_replayed_and_purged(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    spool = Spool(tmp_path / "logs" / "spool", 1_000_000, lambda _: None)
    for signal in (Signal.TRACES, Signal.LOGS, Signal.LOGS):
        spool.put(Payload(signal, b""))
    status = run(tmp_path, "spool", "status")
    assert "3 payloads" in status.stdout
    assert "logs: 2" in status.stdout
    dead = run(tmp_path, "spool", "replay", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    assert (dead.returncode, len(spool.files())) == (1, 3)
    sent = run(tmp_path, "spool", "replay", OTEL_EXPORTER_OTLP_ENDPOINT=otlp_sink.endpoint)
    assert (sent.returncode, spool.files()) == (0, [])
    assert "3 payloads sent" in sent.stdout
    spool.put(Payload(Signal.TRACES, b""))
    assert "1 payloads deleted" in run(tmp_path, "spool", "purge").stdout
    assert spool.files() == []
