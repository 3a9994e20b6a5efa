"""A bad standard variable, or a package that does not import, never reaches the app: one line says it, and figures count on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.distro import App, instrumented, plant
from support.one_call import CALLS, FLASK, ONE_REQUEST, doctor, python
from support.process import clean_env

BAD = {
    "OTEL_PROPAGATORS": "tracecontext,b3nope",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "-1",
    "OTEL_PYTHON_CONTEXT": "nope",
    "OTEL_PYTHON_TRACER_PROVIDER": "nope",
    "OTEL_TRACES_SAMPLER": "nope",
    "OTEL_PYTHON_ID_GENERATOR": "nope",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "nope",
    "OTEL_TRACES_EXPORTER": "nope",
    "OTEL_BSP_MAX_QUEUE_SIZE": "x",
    "OTEL_METRICS_EXEMPLAR_FILTER": "x",
    "OTEL_PYTHON_FLASK_EXCLUDED_URLS": "(",
    "OTEL_CONFIG_FILE": "/nowhere.yaml",
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ["OTEL_PROPAGATORS", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"])
def test_what_opentelemetry_raises_at_import_does_not_reach_the_app(tmp_path: Path, name: str, call: str) -> None:
    env = {name: BAD[name], "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = python(tmp_path, env, f"{CALLS[call]}\nprint('alive')")
    assert done.stdout.endswith("alive\n"), done.stderr
    assert len([line for line in done.stderr.splitlines() if f"{name}='{BAD[name]}'" in line]) == 1, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", BAD)
def test_instrument_observes_beside_a_bad_value_and_the_doctor_names_it(tmp_path: Path, name: str) -> None:
    env = {name: BAD[name]}
    done = python(tmp_path, env, f"import otel_chatbot\notel_chatbot.instrument()\n{FLASK}")
    assert ONE_REQUEST in done.stdout, done.stderr
    [line] = [line for line in done.stderr.splitlines() if name in line]
    assert BAD[name] in line
    assert "Traceback" not in done.stderr
    found = doctor(tmp_path, env)
    assert found.returncode == 1, found.stdout
    assert f"{name}={BAD[name]}" in found.stdout.replace("'", "")
    assert "Traceback" not in found.stdout + found.stderr


@pytest.mark.parametrize("name", [name for name in BAD if name != "OTEL_PROPAGATORS"])
def test_opentelemetrys_command_observes_beside_a_bad_value(tmp_path: Path, name: str) -> None:
    with App(tmp_path, {name: BAD[name]}, path="/health/live") as app:
        assert app.get()[0] == 200
        assert 'http_response_status_code="200"} 1' in app.get("/metrics")[1]
        app.end()
    assert len([line for line in app.stderr.splitlines() if name in line]) == 1, app.stderr
    assert "Traceback" not in app.stderr or name == "OTEL_PYTHON_CONTEXT"  # read, and told of so, before we are loaded


def test_a_start_that_opentelemetry_itself_cannot_make_is_told_of_by_the_first_call(tmp_path: Path) -> None:
    import opentelemetry.instrumentation.auto_instrumentation as start

    env = {"OTEL_PROPAGATORS": "b3nope", "PYTHONPATH": str(Path(start.__file__).parent)}
    done = python(tmp_path, env, "import otel_chatbot; otel_chatbot.messages_sent.inc(); print('alive')")
    assert done.stdout == "alive\n"
    assert "OTEL_PROPAGATORS='b3nope' is not usable" in done.stderr
    assert "nothing is observed: opentelemetry-instrument could not begin" in done.stderr


def test_the_doctor_says_that_opentelemetrys_command_does_not_start_the_app(tmp_path: Path) -> None:
    command = instrumented(sys.executable, "-c", "print('alive')")
    env = clean_env({"OTEL_PROPAGATORS": "b3nope"})
    ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")  # before anything of ours is loaded
    assert "does not start the app" in doctor(tmp_path, {"OTEL_PROPAGATORS": "b3nope"}).stdout


@pytest.mark.parametrize(
    ("group", "variable"),
    [
        ("opentelemetry_propagator", "OTEL_PROPAGATORS"),
        ("opentelemetry_context", "OTEL_PYTHON_CONTEXT"),
        ("opentelemetry_traces_sampler", "OTEL_TRACES_SAMPLER"),
        ("opentelemetry_resource_detector", "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"),
        ("opentelemetry_traces_exporter", "OTEL_TRACES_EXPORTER"),
    ],
)
def test_a_package_that_does_not_import_costs_one_line(tmp_path: Path, group: str, variable: str) -> None:
    site = plant(
        tmp_path / "site", "broken", "raise RuntimeError('half installed\\nand more')", {group: "broken = broken:Thing"}
    )
    env = {variable: "broken", "PYTHONPATH": str(site)}
    done = python(tmp_path, env, f"import otel_chatbot\notel_chatbot.instrument()\n{FLASK}")
    assert ONE_REQUEST in done.stdout, done.stderr
    [line] = [line for line in done.stderr.splitlines() if "half installed" in line]
    assert variable in line
    assert "Traceback" not in done.stderr
    found = doctor(tmp_path, env)
    assert found.returncode == 1
    assert "half installed" in found.stdout
    assert "Traceback" not in found.stdout + found.stderr
