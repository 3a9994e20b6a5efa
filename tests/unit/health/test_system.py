"""The block about process and machine in `/health/detailed`."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.health import fresh_health

from otel_chatbot import _wiring
from otel_chatbot.health import HealthChecker, system


@pytest.fixture
def checker(monkeypatch: pytest.MonkeyPatch) -> Iterator[HealthChecker]:
    monkeypatch.setattr(system._Cached, "at", float("-inf"))
    with fresh_health(CHATBOT_OTEL_HEALTH_TIMEOUT="0.3") as fresh:
        yield fresh


def test_the_system_block_tells_of_this_process_and_is_kept_for_five_seconds(checker: HealthChecker) -> None:
    system = checker.detailed()["system"]
    assert system["pid"] == os.getpid()
    assert system["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"platform", "hostname", "threads", "memory"} <= set(system)
    assert 1_000_000 < system["memory"]["rss_bytes"] <= system["memory"]["peak_rss_bytes"] * 2
    assert system["memory"]["rss_bytes"] < system["memory"]["total_bytes"]
    assert checker.detailed()["system"] is system


def test_the_block_is_read_anew_when_it_is_old_or_another_process_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = system.system()
    monkeypatch.setattr(system._Cached, "at", system._Cached.at - system.KEPT)
    renewed = system.system()
    assert renewed is not kept
    monkeypatch.setattr(system._Cached, "pid", os.getpid() + 1)
    assert system.system() is not renewed


def test_the_block_says_who_this_is() -> None:
    block = system.system()
    assert (block["hostname"], block["cpus"]) == (socket.gethostname(), os.cpu_count())
    assert block["implementation"].lower() == sys.implementation.name
    assert 1 <= block["threads"] <= threading.active_count() + 5


def test_which_figures_are_empty_is_asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [[{"name": "cost"}], None]
    monkeypatch.setattr(_wiring, "EMPTY_FIGURES", lambda: answers.pop(0))
    assert system.system()["empty_figures"] == [{"name": "cost"}]
    assert system.system()["empty_figures"] == []


def test_a_machine_that_does_not_tell_its_memory_has_none(tmp_path: Path) -> None:
    file = tmp_path / "status"
    file.write_text("Name:\tVmRSS 5 kB\nVmRSS:\t     512 kB\n")
    assert system._proc_kib(str(file), "VmRSS") == 512 * 1024
    assert system._proc_kib(str(file), "VmHWM") is None
    assert system._proc_kib(str(tmp_path / "nowhere"), "VmRSS") is None
