"""A series: what each kind adds, keeps and forgets, in the cells that readers see."""

from __future__ import annotations

import threading

import pytest
from opentelemetry.trace import SpanContext, TraceFlags
from support.alone import Alone

from otel_chatbot.metrics import series as series_module
from otel_chatbot.metrics.series import EXEMPLAR_SECONDS, Exemplar, cell_count
from otel_chatbot.metrics.store import HistogramSeries
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def alone() -> Alone:
    return Alone()


def test_an_observation_on_an_edge_belongs_to_the_bucket_below(alone):
    series = alone.store.instrument(m.RESPONSE_TIME).bare()
    assert isinstance(series, HistogramSeries)
    for value in (0.005, 0.0050001, 120.0, 121.0, 0.0):
        series.observe(value)
    counts = alone.families()[m.RESPONSE_TIME.name].histograms[0].counts
    assert counts == [2, 1, *[0] * 11, 1, 1]


def test_threads_lose_no_count(alone):
    series = alone.counter(m.MESSAGES_SENT)
    times = alone.store.instrument(m.RESPONSE_TIME)

    def work() -> None:
        for n in range(5000):
            series.add(1)
            times.labels({a.HTTP_ROUTE: f"/{n % 7}"}).observe(0.5)  # type: ignore[attr-defined]

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    families = alone.families()
    assert families[m.MESSAGES_SENT.name].points[0].value == 20_000
    assert sum(p.count for p in families[m.RESPONSE_TIME.name].histograms) == 20_000


def test_a_finalizer_that_counts_in_the_middle_of_a_count_does_not_hang(alone):
    series = alone.counter(m.MESSAGES_SENT)
    with series._lock:
        series.add(1)
    assert series.read() == [1.0]


def test_reset_sets_back_to_zero(alone):
    series = alone.store.instrument(m.RESPONSE_TIME).bare()
    series.observe(0.3, SpanContext(1, 2, False, TraceFlags(1)))
    series.reset()
    assert set(series.read()) == {0.0}
    assert alone.families()[m.RESPONSE_TIME.name].histograms[0].exemplars == [None] * 15


def test_an_exemplar_stays_for_a_while_in_its_bucket_and_every_measurement_counts(alone, monkeypatch):
    now = 100.0
    monkeypatch.setattr(series_module, "_monotonic", lambda: now)
    series = alone.store.instrument(m.RESPONSE_TIME).labels({})

    def observe(value: float, span_id: int) -> list[int]:
        series.observe(value, SpanContext(7, span_id, False, TraceFlags(1)))
        (point,) = alone.families()[m.RESPONSE_TIME.name].histograms
        return [exemplar.span_id for exemplar in point.exemplars if exemplar is not None]

    assert observe(0.3, 1) == [1]
    assert observe(0.3, 2) == [1]
    assert observe(30.0, 3) == [1, 3], "each bucket by itself"
    now += EXEMPLAR_SECONDS
    assert observe(0.3, 4) == [4, 3]
    series.reset()
    assert observe(0.3, 5) == [5]
    for _ in range(9):
        assert observe(0.3, 6) == [5]
    assert alone.families()[m.RESPONSE_TIME.name].histograms[0].count == 10
    series.detach()
    assert observe(0.3, 7) == [7], "in a forked child"


def test_a_negative_time_is_none_and_an_unsampled_span_no_exemplar(alone):
    series = alone.store.histogram(m.RESPONSE_TIME).bare()
    series.observe(-5.0, SpanContext(1, 2, False, TraceFlags(0)))
    [point] = alone.families()[m.RESPONSE_TIME.name].histograms
    assert (point.sum, point.counts[0], point.exemplars[0]) == (0.0, 1, None)


def test_the_cells_of_an_exemplar_are_those_that_readers_unpack(alone, monkeypatch):
    monkeypatch.setattr(series_module, "_now", lambda: 1000.5)
    series = alone.store.histogram(m.RESPONSE_TIME).bare()
    series.observe(0.001, SpanContext((7 << 64) | 8, 9, False, TraceFlags(1)))
    [point] = alone.families()[m.RESPONSE_TIME.name].histograms
    assert point.exemplars[0] == Exemplar(0.001, (7 << 64) | 8, 9, 1000.5)


@pytest.mark.parametrize(("spec", "cells"), [(m.ERRORS, 1), (m.DB_CONNECTIONS, 3), (m.RESPONSE_TIME, 1 + 6 * 15)])
def test_a_series_takes_as_many_cells_as_its_kind_needs_and_reads_zeros_before(alone, spec, cells):
    assert cell_count(spec) == cells
    assert alone.store.instrument(spec).bare().read() == [0.0] * cells
