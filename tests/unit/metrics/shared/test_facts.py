"""Facts of a run: what one process notes, all know; where no folder is shared, each has its own."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otel_chatbot.metrics.shared.facts import MOST, Facts


def run_in(folder: Path | None) -> Any:
    return SimpleNamespace(directory=lambda: None if folder is None else SimpleNamespace(path=str(folder)))


def test_what_one_process_notes_all_of_the_run_know(tmp_path: Path) -> None:
    one, two = Facts(run_in(tmp_path)), Facts(run_in(tmp_path))
    one.note("unread", "stuff", "a", "b")
    two.note("unread", "things", "c")
    two.note("active", "users")
    assert one.of("unread") == two.of("unread") == [("stuff", "a", "b"), ("things", "c")]
    assert one.of("active") == [("users",)]


def test_a_fact_is_written_once_and_nothing_beyond_the_bound(tmp_path: Path) -> None:
    facts = Facts(run_in(tmp_path))
    for number in range(MOST + 20):
        facts.note("unread", f"c{number}")
        facts.note("unread", "c1")
    assert len(os.listdir(tmp_path)) == len(facts.of("unread")) == MOST


def test_of_several_processes_one_is_the_first(tmp_path: Path) -> None:
    one, two = Facts(run_in(tmp_path)), Facts(run_in(tmp_path))
    assert [one.first("told"), two.first("told"), one.first("told")] == [True, False, False]
    assert one.of("told") == []


def test_without_a_folder_each_process_has_its_own() -> None:
    one, two = Facts(run_in(None)), Facts(run_in(None))
    one.note("active", "users")
    assert (one.of("active"), two.of("active")) == ([("users",)], [])
    assert one.first("told") is two.first("told") is True


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff"])
def test_a_damaged_file_hides_no_other_fact(tmp_path: Path, damage: bytes) -> None:
    facts = Facts(run_in(tmp_path))
    facts.note("unread", "stuff")
    (tmp_path / "0.fact").write_bytes(damage)
    assert Facts(run_in(tmp_path)).of("unread") == [("stuff",)]


def test_a_folder_that_cannot_be_written_breaks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from otel_chatbot import _guard

    monkeypatch.setattr(_guard.Guard, "strict", False)
    facts = Facts(run_in(tmp_path / "gone"))
    facts.note("unread", "stuff")


def test_what_is_forgotten_is_gone_for_all(tmp_path: Path) -> None:
    facts = Facts(run_in(tmp_path))
    facts.note("unread", "stuff")
    facts.forget()
    assert facts.of("unread") == []
    assert os.listdir(tmp_path) == []
