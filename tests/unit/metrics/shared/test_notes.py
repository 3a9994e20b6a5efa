"""Notes: the latest word of each name, for every process of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_chatbot.metrics.shared import notes
from otel_chatbot.metrics.shared.notes import Notes
from otel_chatbot.metrics.shared.run import Run
from otel_chatbot.metrics.shared.run_folder import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> Run:
    directory = RunDirectory(str(tmp_path / "run"), "key")
    return Run(lambda: directory)


class Alone(Run):
    def directory(self) -> None:
        return None


@pytest.mark.parametrize("name", ["plain", "a/b\n", "\ud800", "x" * 5000])
def test_a_note_of_any_name_is_read_by_others_of_the_run_and_the_latest_holds(run: Run, name: str) -> None:
    one, other = Notes(run), Notes(run)
    assert other.get(name) is None
    one.put(name, "first")
    other.put(name, "the latest \ud800")
    assert (one.get(name), one.get(name + "x")) == ("the latest \ud800", None)


def test_nothing_but_the_notes_is_left_in_the_folder(run: Run, tmp_path: Path) -> None:
    Notes(run).put("a", "1")
    Notes(run).put("a", "2")
    assert [path.suffix for path in (tmp_path / "run").iterdir() if path.name not in ("lock", "run")] == [".note"]


def test_where_nothing_is_shared_each_has_its_own() -> None:
    one, other = Notes(Alone()), Notes(Alone())
    one.put("a", "1")
    assert (one.get("a"), other.get("a")) == ("1", None)


def test_beyond_the_limit_a_new_name_is_not_kept_and_a_known_one_still_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "_MOST", 2)
    kept = Notes(Alone())
    for name in "abc":
        kept.put(name, "1")
    kept.put("a", "2")
    assert [kept.get(name) for name in "abc"] == ["2", "1", None]
