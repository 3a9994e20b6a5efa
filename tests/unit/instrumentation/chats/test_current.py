"""The recogniser follows the settings, its findings feed three metrics, and what cannot be counted is said once."""

from __future__ import annotations

import pytest
from support.databases import Figures, undisturbed

from otel_chatbot import config
from otel_chatbot.instrumentation.chats import current
from otel_chatbot.instrumentation.chats.counts import NOTHING, Counts
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.semconv import metrics as m


def test_the_recogniser_is_one_until_the_settings_change(monkeypatch: pytest.MonkeyPatch) -> None:
    first = current.current()
    assert current.current() is first
    settings = config.Settings(messages_collection="notes")
    monkeypatch.setattr(config, "current", lambda: settings)
    second = current.current()
    assert second is not first
    assert second.document({"role": "user"}, "notes").counts.sent == 1
    monkeypatch.undo()
    assert current.current().document({"role": "user"}, "notes").counts == NOTHING


def test_what_was_written_is_counted_by_its_kind() -> None:
    with undisturbed(), deduplication.request_scope():
        specs = (m.CONVERSATIONS_CREATED, m.MESSAGES_SENT, m.MESSAGES_RECEIVED)
        record.activate(*specs)
        figures = Figures()
        current.count(Counts(1, 2, 3))
        current.count(NOTHING)
        counted = [figures(spec) for spec in specs]
    assert counted == [1, 2, 3]


def test_each_kind_of_trouble_is_said_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "WARNED", set())
    for text in ("one", "two", "one"):
        current.warn_once(text)
    assert [record.message for record in caplog.records] == ["one (said once)", "two (said once)"]
