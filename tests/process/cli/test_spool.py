"""`otel-chatbot spool` shows, sends and deletes what waits on disk."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.process import clean_env, free_port, program

from otel_chatbot.distro.delivery.spool import Payload, Spool
from otel_chatbot.semconv.attributes import Signal
from otel_chatbot.testing import OtlpSink


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [program("otel-chatbot", "install the package"), *arguments]
    return subprocess.run(command, cwd=folder, env=clean_env(env), capture_output=True, text=True, timeout=60)


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
