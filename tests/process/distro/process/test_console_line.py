"""The line at start: on a developer's terminal alone unless it is asked for, once for all processes, and never elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from support.distro import APP, App
from support.process import BIN, free_port, get, program, wait_for

from otel_chatbot.config import Settings
from otel_chatbot.distro.environment import SignalPlan
from otel_chatbot.distro.process.console_line import console_line, wanted

MARK = "observes this app"


class Console:
    def __init__(self, terminal: bool) -> None:
        self.isatty = lambda: terminal


@pytest.mark.parametrize(
    ("env", "terminal", "printed"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"ENVIRONMENT": "production"}, True, False),
        ({"CHATBOT_OTEL_START_LINE": "false"}, True, False),
        ({"CHATBOT_OTEL_START_LINE": "0"}, True, False),
        ({"CHATBOT_OTEL_START_LINE": "true"}, False, True),
        ({"CHATBOT_OTEL_START_LINE": "TRUE", "ENVIRONMENT": "production"}, False, True),
        ({"CHATBOT_OTEL_START_LINE": "perhaps"}, False, False),
    ],
)
def test_who_sees_the_line(env: dict[str, str], terminal: bool, printed: bool) -> None:
    settings = Settings.from_env(env)
    assert wanted(settings, Console(terminal)) is printed
    assert wanted(settings, None) is False
    assert bool(settings.warnings) is ("perhaps" in env.values())


def test_it_names_what_one_can_open() -> None:
    line = console_line(SignalPlan.from_env({}), Settings(), {})
    assert "/metrics and /health on the app's port" in line
    assert f"logs in logs{os.sep}" in line
    assert "traces in " in line
    assert "otel-chatbot ui" in line
    assert "CHATBOT_OTEL_START_LINE=false" in line
    assert "\n" not in line
    apart = Settings(endpoint_port=9000, log_files=False)
    line = console_line(SignalPlan.from_env({}), apart, {})
    assert "/metrics on 127.0.0.1:9000" in line
    assert "no log files" in line


RELOADED = APP.replace("use_reloader=False", "debug=True")
CHILDREN = APP.replace(
    "if __name__", 'import subprocess, sys\nsubprocess.run([sys.executable, "-c", "print()"], check=True)\nif __name__'
)
WAYS = {
    "python": (APP, []),
    "flask run": (APP, [str(BIN / "opentelemetry-instrument"), sys.executable, "-m", "flask", "run", "--port", "{port}"]),
    "the reloader": (RELOADED, []),
    "two workers": (
        APP,
        [str(BIN / "opentelemetry-instrument"), str(BIN / "gunicorn"), "-w", "2", "-b", "127.0.0.1:{port}", "app:app"],
    ),
    "a program that the app runs": (CHILDREN, []),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_printed_once_for_all_processes(way: str, tmp_path: Path) -> None:
    source, command = WAYS[way]
    with App(tmp_path, {"CHATBOT_OTEL_START_LINE": "true"}, source, command) as app:
        app.get("/")
        app.end()
        assert app.stderr.count(MARK) == 1, app.stderr
        assert MARK not in app.stdout


@pytest.mark.parametrize("way", ["python", "two workers"])
def test_by_default_what_a_supervisor_reads_has_no_such_line(way: str, tmp_path: Path) -> None:
    source, command = WAYS[way]
    with App(tmp_path, {}, source, command) as app:
        app.get("/")
        app.end()
        assert MARK not in app.stderr + app.stdout


def test_on_a_terminal_it_is_there(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "app.py").write_text(APP)
    leader, follower = pty.openpty()
    command = [program("opentelemetry-instrument", "run `make setup`"), sys.executable, "app.py"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "CHATBOT_", "ENVIRONMENT"))}
    with subprocess.Popen(command, cwd=tmp_path, env={**env, "PORT": str(port)}, stdout=follower, stderr=follower) as process:
        os.close(follower)
        try:
            wait_for(lambda: get(f"http://127.0.0.1:{port}/health/live")[0] == 200, "the app")
            shown = os.read(leader, 65536).decode()
        finally:
            process.terminate()
            process.wait(15)
    os.close(leader)
    assert shown.count(MARK) == 1
