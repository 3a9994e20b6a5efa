"""Where the SDK cannot be imported, figures, log files and health go on, and one line says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.one_call import CALLS, FLASK, ONE_REQUEST, python


@pytest.mark.parametrize("module", ["opentelemetry.sdk", "opentelemetry.proto", "google.protobuf"])
@pytest.mark.parametrize(
    "begin",
    [
        "import otel_chatbot; otel_chatbot.instrument()",
        "from opentelemetry.instrumentation.auto_instrumentation import initialize; initialize()",
    ],
    ids=["instrument", "opentelemetry-instrument"],
)
def test_without_an_sdk_figures_count_on(tmp_path: Path, module: str, begin: str) -> None:
    code = f"import sys; sys.modules[{module!r}] = None\n{begin}\n{FLASK}"
    done = python(tmp_path, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, code)
    assert ONE_REQUEST in done.stdout, done.stderr
    [line] = [line for line in done.stderr.splitlines() if "OpenTelemetry" in line]
    assert "nothing is traced or exported, figures are on /metrics" in line
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["opentelemetry.sdk", "google.protobuf"])
def test_without_an_sdk_the_doctor_says_so_without_a_traceback(tmp_path: Path, module: str) -> None:
    code = f"import sys; sys.modules[{module!r}] = None\nfrom otel_chatbot.cli import main; sys.exit(main(['doctor']))"
    done = python(tmp_path, {}, code)
    assert done.returncode == 1
    assert "OpenTelemetry cannot be imported" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("call", CALLS)
def test_without_an_sdk_every_call_of_the_api_works(tmp_path: Path, call: str) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = python(tmp_path, env, f"import sys; sys.modules['opentelemetry.sdk'] = None\n{CALLS[call]}\nprint('alive')")
    assert done.stdout.endswith("alive\n"), done.stderr
    assert done.stderr.count("OpenTelemetry cannot be set up") == 1, done.stderr
    assert "Traceback" not in done.stderr
