from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_chatbot.config import Settings
from otel_chatbot.ui.runs import Figures, environment, runs

COUNTING = """
import os, sys
from otel_chatbot import messages_sent
messages_sent.inc(3)
child = os.fork()
if child == 0:
    messages_sent.inc(4)
    os._exit(0)
os.waitpid(child, 0)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of this test's own for runs."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_a_run_is_found_while_it_lives_and_its_figures_are_those_of_all_of_its_processes(private: Path) -> None:
    assert runs() == []
    env = {**os.environ, "CHATBOT_OTEL_LOG_DIR": str(private / "logs")}
    app = subprocess.Popen([sys.executable, "-c", COUNTING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    assert app.stdin is not None
    assert app.stdout is not None
    assert app.stdout.readline() == "ready\n"
    [run] = runs()
    assert run.pid == app.pid
    told = environment(run)
    assert told is not None
    assert told[0]["CHATBOT_OTEL_LOG_DIR"] == str(private / "logs")

    figures = Figures(run, Settings())
    before = sorted((path.name, path.stat().st_mtime_ns) for path in Path(run.path).iterdir())
    for _ in range(2):
        families = {family.spec.name: family for family in figures.read() or []}
        assert sum(point.value for point in families["chatbot.messages.sent"].points) == 7
        assert families["chatbot.active_users"].points[0].value == 0
        assert "chatbot.cache.size" not in families, "what only the app itself can ask for is unknown, not 0"
    assert sorted((path.name, path.stat().st_mtime_ns) for path in Path(run.path).iterdir()) == before, (
        "reading wrote something"
    )

    app.stdin.close()
    app.stdout.close()
    assert app.wait(60) == 0
    assert runs() == []


def test_a_run_whose_folder_goes_while_it_is_read_is_no_error(private: Path) -> None:
    from otel_chatbot.ui.runs import Run

    assert Figures(Run(str(private / "gone"), "id", 1, 1), Settings()).read() is None
    (private / "otel-chatbot-1").mkdir()
    assert runs() == []
