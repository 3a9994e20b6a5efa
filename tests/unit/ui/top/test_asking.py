"""Who answers `otel-chatbot top`: a viewer with or without a token, or nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.process import free_port
from support.viewer import batch_of, chat, store, trace_request

from otel_chatbot.ui.api import Api
from otel_chatbot.ui.figures import Recorder
from otel_chatbot.ui.guard import Guard
from otel_chatbot.ui.ingest import Ingest
from otel_chatbot.ui.server import Server
from otel_chatbot.ui.top.asking import Local, Remote, is_address, seen
from otel_chatbot.ui.top.state import Seen, State


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    kept = store(tmp_path)
    kept.write(batch_of(trace_request(*chat(7, 1))))
    server = Server(("127.0.0.1", free_port()), Api(kept, dict, dict), Ingest(kept, Recorder()), Guard("sesame"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()
    kept.close()


def test_a_viewer_answers_who_has_its_token(url: str) -> None:
    ask = Remote(url, "sesame")
    found = seen(ask, State(), Seen())
    assert [turn["trace"] for turn in found.turns] == [f"{7:032x}"]
    assert found.trouble == ""
    opened = seen(ask, State(trace=f"{7:032x}"), found)
    assert opened.trace is not None
    assert len(opened.trace["spans"]) == 3
    assert seen(ask, State(trace="no such"), found).trace is None


def test_what_was_seen_stays_when_nobody_answers_any_more(url: str) -> None:
    found = seen(Remote(url, "sesame"), State(), Seen())
    refused = seen(Remote(url, "guess"), State(), found)
    assert refused.turns == found.turns
    assert "answers 401: a token is needed" in refused.trouble
    away = seen(Remote(f"http://127.0.0.1:{free_port()}"), State(), found)
    assert away.turns == found.turns
    assert "does not answer" in away.trouble


def test_this_process_answers_by_itself_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    local = Local(str(tmp_path / "nowhere"), lambda _text: None)
    found = seen(local, State(), Seen())
    assert ([one["title"] for one in found.figures][:2], found.turns) == (["Requests", "Errors"], [])
    local.close()
    assert list(tmp_path.iterdir()) == []


def test_only_an_address_of_http_is_one() -> None:
    assert is_address("http://127.0.0.1:4390")
    for text in ("127.0.0.1:4390", "file:///etc/passwd", "http://", ""):
        assert not is_address(text)
