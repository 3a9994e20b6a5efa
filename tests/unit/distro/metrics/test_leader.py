"""Which process of a run exports the metrics: it says when it ends, and whoever leads next takes that word back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from otel_chatbot.distro.metrics.leader import Leader
from otel_chatbot.metrics.shared import run


@pytest.fixture
def lead_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Says whether the run's lock can be had; the run's folder is the test's own."""
    monkeypatch.setattr(run, "RUN", SimpleNamespace(directory=lambda: SimpleNamespace(path=str(tmp_path))))

    def free(value: bool) -> None:
        monkeypatch.setattr(run, "try_lead", lambda: value)

    return free


def test_who_has_no_lock_does_not_lead_and_has_nothing_to_give_up(lead_is: Callable[[bool], None], tmp_path: Path) -> None:
    lead_is(False)
    leader = Leader()
    assert not leader.take()
    leader.give_up()
    assert not leader.is_given_up()
    assert list(tmp_path.iterdir()) == []


def test_a_leader_that_ends_says_so_to_all_and_the_next_one_takes_it_back_once(lead_is: Callable[[bool], None]) -> None:
    lead_is(True)
    first, second = Leader(), Leader()
    assert first.take()
    first.give_up()
    assert first.is_given_up()
    assert second.is_given_up()
    assert first.take()
    assert first.is_given_up(), "it has said it and still exports a last time"
    assert second.take()
    assert not second.is_given_up()


def test_a_forked_child_has_not_its_parents_lead_to_give_up(
    lead_is: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_is(True)
    leader = Leader()
    assert leader.take()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    leader.give_up()
    assert not leader.is_given_up()


def test_without_a_folder_a_process_leads_itself_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "RUN", SimpleNamespace(directory=lambda: None))
    monkeypatch.setattr(run, "try_lead", lambda: True)
    leader = Leader()
    assert leader.take()
    leader.give_up()
    assert not leader.is_given_up()
