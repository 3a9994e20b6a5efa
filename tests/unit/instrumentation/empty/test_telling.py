"""After ten requests that look like a chat, one line says which figures are empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_chatbot.instrumentation.common import chat_turn
from otel_chatbot.instrumentation.empty import figures, telling
from otel_chatbot.instrumentation.empty.telling import AFTER, LineState, tell
from otel_chatbot.logs import sink
from otel_chatbot.metrics import deduplication
from otel_chatbot.metrics.shared.facts import FACTS


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    FACTS.forget()
    written: list[str] = []
    monkeypatch.setattr(sink.SINK, "accept", lambda record: written.append(record.getMessage()))
    yield written
    FACTS.forget()


def empty(figure: str, why: str, remedy: str) -> dict[str, str]:
    return {"figure": figure, "status": "lost", "why": why, "remedy": remedy}


def test_the_line_names_figures_with_one_reason_together_and_is_written_once(
    monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    found = [
        empty("a", "no cache", "none"),
        empty("b", "no user", "set it"),
        empty("c", "no cache", "none"),
        empty("d", "well", ""),
    ]
    monkeypatch.setattr(figures, "empty_figures", lambda: found)
    tell()
    tell()
    assert lines == [f"after {AFTER} chat requests these figures are empty: a, c: no cache (none); b: no user (set it)"]


def test_where_everything_fills_nothing_is_said(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    monkeypatch.setattr(figures, "empty_figures", lambda: [empty("chatbot_errors_total", "nothing has failed", "")])
    tell()
    assert lines == []


def test_only_requests_that_look_like_a_chat_are_counted(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    monkeypatch.setattr(telling.threading, "Thread", lambda **_: pytest.fail("tests of applications stay silent"))
    with deduplication.request_scope() as scope:
        found = LineState()
        for _ in range(2 * AFTER):
            for method, route in (("GET", "/chat"), ("POST", "/login"), ("POST", None)):
                found.ended(scope, method, route)
        assert not found.over
        turn = chat_turn.running()
        assert turn is not None
        turn.calls = 1
        for _ in range(AFTER):
            assert not found.over
            found.ended(scope, "POST", "/login")
        assert found.over
    assert lines == []
