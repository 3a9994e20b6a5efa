"""What measures does not follow the time of day: one test for each place where that would show."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest
from freezegun import freeze_time
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.metrics import unused

from otel_chatbot import Histogram, _clock
from otel_chatbot.distro import state
from otel_chatbot.distro.providers.redacting_exporters import RedactingSpanExporter, redact_span
from otel_chatbot.instrumentation.active.ids import ActiveIds
from otel_chatbot.logs.redaction import Redactor
from otel_chatbot.metrics import view
from otel_chatbot.metrics.store import STORE, HistogramSeries
from otel_chatbot.semconv import metrics as m

PACKAGE = Path(_clock.__file__).parent


@pytest.mark.parametrize("clock", [_clock.monotonic, _clock.perf_counter])
def test_a_frozen_clock_stops_none_of_ours(clock) -> None:
    before = clock()
    with freeze_time("2012-01-01"):
        assert time.monotonic() > 1e9, "the application's own calls see the frozen clock"
        inside = clock()
    assert before < inside < clock() < before + 60


def test_clocks_that_are_first_asked_for_under_a_frozen_clock_go_on_too() -> None:
    code = """
from freezegun import freeze_time
with freeze_time("2012-01-01"):
    from otel_chatbot import _clock
    first = _clock.monotonic(), _clock.perf_counter()
    assert first < (_clock.monotonic(), _clock.perf_counter())
assert first[0] < _clock.monotonic() < first[0] + 60
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_package_measures_by_these_clocks_alone() -> None:
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) and node.module == "time" else set()
            )
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time":
                names = {node.attr}
            if names & {"monotonic", "perf_counter", "monotonic_ns", "perf_counter_ns"} and path.name != "_clock.py":
                found.append(f"{path.relative_to(PACKAGE)}: take it from _clock")
    assert found == []


def test_an_end_is_never_before_its_start() -> None:
    assert _clock.after(10, 1.5) == 1_500_000_010
    assert _clock.after(10, -1.5) == 10


def test_a_negative_duration_of_a_library_is_none() -> None:
    histogram = Histogram(unused(), unit="s")
    series = STORE.instrument(histogram.spec).labels({})
    assert isinstance(series, HistogramSeries)
    series.observe(-5.0)
    assert (histogram.get()["sum"], histogram.get()["count"]) == (0.0, 1)


@pytest.mark.parametrize("attributes", [{}, {"mail": "jane@example.com"}])
def test_a_span_that_the_clock_ended_before_its_start_leaves_without_duration(attributes: dict) -> None:
    exporter, raw = InMemorySpanExporter(), InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(RedactingSpanExporter(exporter, Redactor())))
    provider.add_span_processor(SimpleSpanProcessor(raw))
    provider.get_tracer("t").start_span("s", attributes=attributes, start_time=2_000).end(1_000)
    [seen], [original] = exporter.get_finished_spans(), raw.get_finished_spans()
    assert (seen.start_time, seen.end_time) == (2_000, 2_000)
    assert (original.start_time, original.end_time) == (2_000, 1_000), "other processors see what the application did"
    assert redact_span(seen, Redactor()).end_time == 2_000


def test_points_end_after_the_run_began_where_the_clock_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = time.time_ns() + 3_600 * _clock.NANO
    monkeypatch.setattr(state.shared, "run_identity", lambda: ("run", ahead))
    data = state.SETUP._data(view.read())
    points = [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]
    assert points
    assert {point.time_unix_nano - (point.start_time_unix_nano or 0) for point in points} == {0}


def test_the_window_of_active_ids_goes_on_while_the_clock_jumps() -> None:
    ids = ActiveIds("users", 300.0, lambda: None)
    with freeze_time("2040-01-01"):
        ids.see("early")
    with freeze_time("1980-01-01"):
        ids.see("late")
        assert ids.count() == 2
    assert ids.count() == 2
    assert ids.count(now=_clock.monotonic() + 301) == 0


def test_an_id_of_the_first_minutes_after_a_boot_is_counted_once(tmp_path: Path) -> None:
    one, two = (ActiveIds("users", 300.0, lambda: tmp_path) for _ in range(2))
    for number in range(3):
        one.see(f"u{number}", now=5.0)
    assert (one.count(now=6.0), two.count(now=6.0)) == (3, 3)
    assert m.ACTIVE_USERS.name
