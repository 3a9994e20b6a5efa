"""A Flask app whose answers can be rated, in this process: its key, its ledger in a file, the events that it tells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otel_chatbot import config
from otel_chatbot.logs import sink
from otel_chatbot.quality import answer_ids, feedback, ledger

from . import ledgers

KEY = "the key of these tests"


class Events:
    """The events of ratings since this object was made: fields of their lines, and the spans that they belong to."""

    def __init__(self) -> None:
        self.entries: list[sink.Entry] = []

    def __call__(self, entry: sink.Entry) -> None:
        if entry.fields is not None and entry.fields.get("event") == "gen_ai.evaluation.result":
            self.entries.append(entry)

    @property
    def fields(self) -> list[dict[str, object]]:
        return [entry.fields or {} for entry in self.entries]


@contextmanager
def rated(monkeypatch: pytest.MonkeyPatch, folder: Path, **settings: object) -> Iterator[Events]:
    """Ratings go into a ledger of their own; settings as given, with a key."""
    given = config.Settings(**{"feedback_key": KEY, "log_files": False, **settings})  # type: ignore[arg-type]
    monkeypatch.setattr(config, "current", lambda: given)
    monkeypatch.setattr(answer_ids._State, "key", None)
    monkeypatch.setattr(answer_ids._State, "hinted", False)
    monkeypatch.setattr(feedback._Shown, "last", {})
    monkeypatch.setattr(feedback._Shown, "installed", False)
    own = ledgers.ledger("sqlite", str(folder / "ledger.sqlite"))
    for module in (feedback, ledger):
        monkeypatch.setattr(module, "PATIENT", own)
    events = Events()
    monkeypatch.setattr(sink.SINK, "takers", (events,))
    monkeypatch.setattr(sink.SINK, "files", None)
    try:
        yield events
    finally:
        own.close()
