"""What has been set up in a process: each step once, a fault in one is reported and the next one runs."""

from __future__ import annotations

import threading
import time

import pytest

from otel_chatbot import _guard
from otel_chatbot.distro import state
from otel_chatbot.distro.state import DistroState
from otel_chatbot.metrics import view
from otel_chatbot.metrics.shared import run as shared


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> DistroState:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=chat,service.instance.id=pod-1,team=a")
    return DistroState()


def test_a_step_runs_once_whoever_asks_for_it_and_in_the_order_of_the_list(setup: DistroState) -> None:
    ran: list[str] = []

    def first(_: DistroState) -> None:
        ran.append("first")

    def second(given: DistroState) -> None:
        assert given is setup
        ran.append("second")

    setup.run(second)
    setup.run(first, second)
    assert ran == ["second", "first"]


def test_a_step_that_breaks_is_reported_and_not_tried_again(
    setup: DistroState, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_guard.Guard, "strict", False)
    monkeypatch.setattr(_guard, "_seen", set())
    ran: list[str] = []

    def breaks(_: DistroState) -> None:
        ran.append("breaks")
        raise ValueError

    def follows(_: DistroState) -> None:
        ran.append("follows")

    setup.run(breaks, follows)
    setup.run(breaks)
    assert ran == ["breaks", "follows"]
    assert "breaks: ValueError" in caplog.text


def test_a_second_thread_waits_for_a_set_up_that_is_under_way_and_a_step_may_ask_for_another(setup: DistroState) -> None:
    going, ended = threading.Event(), threading.Event()

    def inner(_: DistroState) -> None:
        """Nothing more."""

    def slow(given: DistroState) -> None:
        given.run(inner)
        going.set()
        ended.wait(60)

    threads = [threading.Thread(target=setup.run, args=(slow,), daemon=True) for _ in range(2)]
    threads[0].start()
    assert going.wait(60)
    threads[1].start()
    assert threads[1].is_alive()
    ended.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_who_the_app_is_does_not_say_which_process_or_run_it_is(setup: DistroState) -> None:
    attributes = setup.app_attributes()
    assert (attributes["service.name"], attributes["team"]) == ("chat", "a")
    assert not [name for name in attributes if name.startswith("process.pid") or name == "service.instance.id"]


def test_the_merged_view_never_ends_before_it_began(setup: DistroState, monkeypatch: pytest.MonkeyPatch) -> None:
    start = time.time_ns() + 10**12  # the clock was set back since
    monkeypatch.setattr(shared, "run_identity", lambda: ("run-1", start))
    seen: list[tuple[int, int, object]] = []

    def kept(families: list[view.Family], resource: object, scope: object, began: int, now: int) -> str:
        seen.append((began, now, resource))
        return "data"

    monkeypatch.setattr(state, "metrics_data", kept)
    assert setup.collect() == "data"
    [(began, now, resource)] = seen
    assert began == now == start
    assert resource.attributes["service.instance.id"] == "pod-1"  # type: ignore[attr-defined]


def test_for_an_exporter_that_has_others_figures_from_where_they_were_measured_they_are_left_out(
    setup: DistroState, monkeypatch: pytest.MonkeyPatch
) -> None:
    families = view.read()
    assert families
    mirrored = {families[0].spec.name}
    kept: list[set[str]] = []
    monkeypatch.setattr(state, "mirrored_names", lambda: mirrored)
    monkeypatch.setattr(state, "metrics_data", lambda found, *_: kept.append({family.spec.name for family in found}))
    setup.collect()
    setup.collect_ours()
    assert kept[0] - kept[1] == mirrored


def test_a_disabled_sdk_has_no_exporter_of_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "console")
    assert len(DistroState().metric_exporters) == 1
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert DistroState().metric_exporters == []
