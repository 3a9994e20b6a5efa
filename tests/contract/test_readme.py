"""The README's commands are what the tests run, in its own words."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.process import BIN, COMPILED_ONCE, Process, clean_env, free_port, get

from otel_chatbot.testing import OtlpSink

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]

ELSEWHERE = {
    "make demo": "tests/stack/test_demo.py runs it from a fresh clone",
    "make test": "is what runs this test",
}
HERE = [
    "python3 -m venv .venv",
    '.venv/bin/pip install ".[genai]"',
    ".venv/bin/opentelemetry-instrument .venv/bin/python app.py",
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 .venv/bin/opentelemetry-instrument .venv/bin/python app.py",
    ".venv/bin/otel-chatbot doctor",
]
APP = """
import os
from flask import Flask
app = Flask(__name__)
@app.get("/")
def hello():
    return "hello"
app.run(port=int(os.environ["PORT"]))
"""


def test_every_command_of_the_readme_is_run_by_a_test() -> None:
    assert set(COMMANDS) == {*ELSEWHERE, *HERE}
    assert '"demo", f"PORT=' in (ROOT / "tests/stack/test_demo.py").read_text()


def test_every_file_that_the_readme_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def own_shell(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A newcomer's environment: no program of this virtual environment is on the PATH."""
    # Compiling all that is installed takes half of the time.
    env = clean_env({"PIP_NO_COMPILE": "1", **COMPILED_ONCE, **(extra or {})})
    return {**env, "PATH": os.pathsep.join(path for path in env["PATH"].split(os.pathsep) if Path(path) != BIN)}


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a newcomer's app, in which the README's install commands have run, with a copy of the project elsewhere."""
    project = tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "README.md", "LICENSE", "otel_chatbot"):
        source = ROOT / name
        shutil.copytree(source, project / name) if source.is_dir() else shutil.copy(source, project / name)
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / "app.py").write_text(APP)
    base = Path(getattr(sys, "_base_executable", sys.executable))
    make, install = HERE[:2]
    for line in (make.replace("python3", str(base), 1), install.replace('".[', f'"{project}[')):
        subprocess.run(["bash", "-c", line], cwd=folder, env=own_shell(), check=True, timeout=280)
    return folder


@pytest.mark.timeout(600)
def test_the_commands_for_an_app_of_ones_own_work_as_they_stand(newcomer: Path) -> None:
    port = free_port()
    with Process(["bash", "-c", f"exec {HERE[2]}"], newcomer, own_shell({"PORT": str(port)}), "app") as process:
        process.wait(lambda: get(f"http://127.0.0.1:{port}/health/live")[0] == 200, "the app", 60)
        assert get(f"http://127.0.0.1:{port}/")[1] == "hello"
        assert 'chatbot_api_requests_total{http_request_method="GET"' in get(f"http://127.0.0.1:{port}/metrics")[1]
        for line in (HERE[4], f"{HERE[4]} http://127.0.0.1:{port}"):  # the second is the quick start's
            doctor = subprocess.run(
                ["bash", "-c", line], cwd=newcomer, env=own_shell(), capture_output=True, text=True, timeout=120
            )
            assert doctor.stdout.startswith("✓ no fault in "), doctor.stdout
    assert (newcomer / "logs/chatbot.json.log").exists()


@pytest.mark.timeout(600)
def test_the_command_with_an_endpoint_sends_there(newcomer: Path) -> None:
    port = free_port()
    with OtlpSink() as sink:
        line = HERE[3].replace("http://127.0.0.1:4318", sink.endpoint)
        name, _, rest = line.partition(" ")
        with Process(["bash", "-c", f"{name} exec {rest}"], newcomer, own_shell({"PORT": str(port)}), "sending") as process:
            process.wait(lambda: get(f"http://127.0.0.1:{port}/")[0] == 200, "the app", 60)
        assert sink.wait(lambda found: any(span.name == "GET /" for span in found.spans()), 60)
