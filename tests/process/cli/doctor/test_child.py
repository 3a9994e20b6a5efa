"""The process in which the doctor sets OpenTelemetry up tells who owns the providers, and writes and sends nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from support.process import clean_env

from otel_chatbot.cli.doctor import child

OWN = """
import os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
assert __name__ == "chat"
trace.set_tracer_provider(TracerProvider())
trace.set_tracer_provider(TracerProvider())
print("the app prints too", end="")
"""


def told(folder: Path, *words: str, **env: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "otel_chatbot.cli.doctor.child", *words]
    given = clean_env({"CHATBOT_OTEL_LOG_DIR": str(folder / "logs"), **env})
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_without_an_app_all_three_providers_are_ours_and_nothing_is_wrong(tmp_path: Path) -> None:
    found = told(tmp_path)
    assert found["theirs"] == found["refused"] == found["errors"] == found["warnings"] == []
    assert {signal: one["otlp"] for signal, one in found["providers"].items()} == {"traces": 0, "metrics": 0, "logs": 0}
    assert found["providers"]["traces"]["exporters"] == ["TraceFileExporter"], "what is at the end, and not what is around it"
    assert list(tmp_path.iterdir()) == []


def test_an_app_that_sets_providers_of_its_own_is_told_of_and_its_file_is_no_main_program(tmp_path: Path) -> None:
    (tmp_path / "chat.py").write_text(OWN)
    found = told(tmp_path, "chat.py", CHATBOT_OTEL_SERIES_LIMIT="many", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert found["theirs"] == ["traces"]
    [refused] = found["refused"]
    assert "Overriding of current" in refused
    assert found["warnings"] == [], "the doctor says itself what is wrong in the settings"
    assert found["providers"]["logs"]["otlp"] == 1


def test_what_is_around_an_exporter_of_ours_is_taken_off_and_others_are_left() -> None:
    foreign = SimpleNamespace(inner="not ours to look into")
    assert child._inner(foreign) is foreign
    around = type("Around", (), {"__module__": "otel_chatbot.distro.x"})()
    around.exporter = foreign
    assert child._inner(around) is foreign
    alone = type("Alone", (), {"__module__": "otel_chatbot.distro.x"})()
    assert child._inner(alone) is alone
