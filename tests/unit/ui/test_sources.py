from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest
from support.viewer import store

from otel_chatbot.ui.figures import Recorder
from otel_chatbot.ui.sources import _ROUND_SECONDS, Sources, _sends_here

from .test_files import log_line


@pytest.fixture(autouse=True)
def no_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "runs"))


def test_the_folder_that_is_named_is_followed_without_any_app(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    kept = store(tmp_path)
    sources = Sources(kept, Recorder(), str(logs), 4390, lambda _text: None)
    sources.look()
    (logs / "chatbot.json.log").write_text(log_line("one"))
    sources.look()
    with kept.reading() as db:
        assert db.execute("SELECT body FROM log").fetchall() == [("one",)]
    assert sources.about() == {"folders": [str(logs)], "runs": [], "broken": 0}
    kept.close()


def test_the_waits_from_the_demo_to_the_page_are_less_than_two_seconds_together() -> None:
    """Each is a bound, and one round and one question are enough: the other tests, and test_live_page.py, show that."""
    root = Path(__file__).parents[3]
    [spans] = re.findall(r'"OTEL_BSP_SCHEDULE_DELAY", "(\d+)"', (root / "scripts/demo.py").read_text())
    [page] = re.findall(r"setTimeout\(look, .* : (\d+)\)", (root / "otel_chatbot/ui/static/main.js").read_text())
    assert int(spans) / 1000 + _ROUND_SECONDS + int(page) / 1000 <= 1.5


def test_the_thread_that_looks_lets_the_apps_go_first(tmp_path: Path) -> None:
    kept = store(tmp_path)
    sources = Sources(kept, Recorder(), str(tmp_path), 4390, lambda _text: None)
    looked: list[int] = []

    def look() -> None:
        looked.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        sources._stop.set()

    sources.look = look  # type: ignore[method-assign]
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    sources.start()
    sources._thread.join(60)
    assert looked[0] >= 10
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before, "what is posted is taken as before"
    kept.close()


def test_what_goes_wrong_again_and_again_is_said_once_and_looking_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    kept = store(tmp_path)
    sources = Sources(kept, Recorder(), "", 4390, said.append)
    looked = 0

    def look() -> None:
        nonlocal looked
        looked += 1
        if looked == 3:
            sources._stop.set()
        raise OSError("no such luck")

    sources.look = look  # type: ignore[method-assign]
    sources._stop.wait = lambda _seconds=None: False  # type: ignore[assignment,method-assign]
    sources.start()
    sources.close()
    assert looked == 3
    assert said == ["looking at the apps of this machine: OSError: no such luck"]
    kept.close()


def test_an_app_that_sends_here_is_known_by_its_endpoint() -> None:
    endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
    assert _sends_here({endpoint: "http://127.0.0.1:4390"}, 4390)
    assert _sends_here({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4390/v1/traces"}, 4390)
    assert not _sends_here({endpoint: "http://127.0.0.1:4318"}, 4390)
    assert not _sends_here({}, 4390)
