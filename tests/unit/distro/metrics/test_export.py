"""The metrics of the app leave from the process that leads, every interval and a last time, whatever an exporter does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from support.process import wait_for

from otel_chatbot import _guard
from otel_chatbot._clock import monotonic
from otel_chatbot.distro.metrics import export as module
from otel_chatbot.distro.metrics.export import MetricsExport
from otel_chatbot.distro.metrics.leader import Leader
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m

POINTS = [NumberDataPoint({}, 0, 1, value) for value in (1, 2)]
METRIC = Metric("m", "", "", Sum(POINTS, AggregationTemporality.CUMULATIVE, True))
DATA = MetricsData([ResourceMetrics(Resource({}), [ScopeMetrics(InstrumentationScope("s"), [METRIC], "")], "")])
NEVER = 3600.0


class Kept(MetricExporter):
    """Keeps what it is given, and answers as it is told."""

    def __init__(self, result: MetricExportResult | Exception = MetricExportResult.SUCCESS) -> None:
        super().__init__()
        self.got: list[MetricsData] = []
        self.threads: set[str] = set()
        self.result = result

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: object) -> MetricExportResult:
        self.got.append(metrics_data)
        self.threads.add(threading.current_thread().name)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: object) -> None:
        """Nothing."""


class Lead(Leader):
    """The lead of a run, given and taken by the test."""

    def __init__(self, leads: Callable[[], bool]) -> None:
        super().__init__()
        self.leads = leads
        self.given_up = False

    def take(self) -> bool:
        return self.leads()

    def give_up(self) -> None:
        self.given_up = True

    def is_given_up(self) -> bool:
        return self.given_up


@pytest.fixture(autouse=True)
def in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_guard.Guard, "strict", False)
    monkeypatch.setattr(_guard, "_seen", set())


def export_to(*exporters: Kept, leads: Callable[[], bool] = lambda: True, interval: float = NEVER) -> MetricsExport:
    return MetricsExport(exporters, lambda: DATA, Lead(leads), interval)


def lost() -> float:
    return STORE.instrument(m.TELEMETRY_DROPPED).at(("metrics", "export_failed")).read()[0]


def test_the_leader_exports_to_all_and_another_process_to_none() -> None:
    one, two = Kept(), Kept()
    assert export_to(one, two).export()
    assert not export_to(one, two, leads=lambda: False).export()
    assert one.got == two.got == [DATA]
    assert export_to(leads=lambda: False).export(), "where nobody is to be told, the lead is not asked for"


def test_each_exporter_has_what_is_collected_for_it() -> None:
    ours, theirs = Kept(), Kept()
    export = export_to(ours)
    export.also(theirs, lambda: MetricsData([]))
    assert export.export()
    assert (ours.got, theirs.got) == ([DATA], []), "nothing is nothing to export"


def test_data_points_that_an_exporter_refuses_are_counted_and_one_that_raises_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = lost()
    export_to(Kept(MetricExportResult.FAILURE)).export()
    assert lost() - before == 2
    assert export_to(Kept(ValueError("broken"))).export()
    assert "telemetry fault in exporting metrics: ValueError" in caplog.text


def test_the_thread_mirrors_and_exports_every_interval_and_a_last_time_and_starts_once() -> None:
    kept, called, refreshed = Kept(), [], threading.Event()
    export = export_to(kept, interval=0.01)
    export.mirror(type("Mirror", (), {"refresh": lambda _: refreshed.set()})())
    export.at_start += [lambda: called.append("first"), lambda: 1 / 0, lambda: called.append("second")]
    export.start()
    export.start()
    wait_for(lambda: len(kept.got) >= 2, "exports", timeout=60)
    export.begin_shutdown()
    export.finish_shutdown(monotonic() + 60)
    assert called == ["first", "second"], "what breaks at the start does not keep the rest from it"
    assert kept.threads == {"otel-chatbot-metrics"}
    assert refreshed.is_set()


@pytest.mark.parametrize(("others", "pause"), [(False, 5.0), (True, 1.0)], ids=["nobody else counts", "others count"])
def test_the_mirror_is_asked_each_second_and_less_often_once_nobody_else_has_counted_for_a_minute(
    others: bool, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, waits = [1000.0], []
    monkeypatch.setattr("otel_chatbot.distro.metrics.export.monotonic", lambda: now[0])
    monkeypatch.setattr("otel_chatbot.distro.metrics.export.await_imports", lambda: None)

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            now[0] += timeout or 0.0
            return now[0] > 1100.0

    export = export_to(Kept())
    export.mirror(type("Mirror", (), {"refresh": lambda _: others})())
    export._run(Stop(), threading.Event())
    assert waits[:60] == [1.0] * 60
    assert set(waits[62:]) == {pause}


def test_what_becomes_due_is_looked_for_each_look_also_in_a_process_that_does_not_lead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MIRROR_SECONDS", 0.01)
    exporter, looks = Kept(), threading.Event()
    exports = export_to(exporter, leads=lambda: False)
    exports.each_look.append(looks.set)
    exports.start()
    assert looks.wait(60)
    exports.begin_shutdown()
    assert exporter.got == []


def test_what_has_ended_before_it_began_does_not_begin() -> None:
    export = export_to(Kept())
    export.begin_shutdown()
    export.start()
    assert export._thread is None


def test_an_end_before_the_interval_exports_once_on_the_thread_and_the_lead_is_given_up() -> None:
    kept = Kept()
    export = export_to(kept)
    export.start()
    export.begin_shutdown()
    export.finish_shutdown(monotonic() + 60)
    assert len(kept.got) == 1
    assert export._lead.is_given_up()


def test_who_ends_while_the_leader_ends_takes_the_lead_and_tells_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HANDOVER_SECONDS", 60.0)
    kept, answers = Kept(), iter([False, False, True])
    export = export_to(kept, leads=lambda: next(answers))
    export.start()
    export.begin_shutdown()
    export.finish_shutdown(monotonic() + 60)
    assert len(kept.got) == 1


def test_a_flush_exports_on_the_callers_thread_once_there_are_figures() -> None:
    kept = Kept()
    export = export_to(kept)
    export.flush(0.0)
    assert kept.got == [], "the process has counted nothing"
    export.start()
    export.flush(0.0)
    assert threading.current_thread().name in kept.threads
    export.abandon()
    export.finish_shutdown(monotonic() + 60)
    assert len(kept.got) == 1, "who is abandoned says nothing more"


def test_a_child_of_a_process_that_exported_exports_too_with_a_thread_of_its_own() -> None:
    export = export_to(Kept())
    export._after_fork()
    assert export._thread is None, "the first figure starts it"
    export.start()
    parents, stop = export._thread, export._stop
    export._after_fork()
    assert export._thread not in (None, parents)
    assert stop is not None
    stop.set()
    export.begin_shutdown()
    export.finish_shutdown(monotonic() + 60)
