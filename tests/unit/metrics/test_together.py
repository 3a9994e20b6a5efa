"""Figures of one event, added together: each as if it had been added alone."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanContext, TraceFlags
from support.alone import Alone

from otel_chatbot.metrics import deduplication, record
from otel_chatbot.metrics import series as series_module
from otel_chatbot.metrics.record import AutomaticCounter, AutomaticHistogram
from otel_chatbot.metrics.store import OVERFLOW_KEY, STORE
from otel_chatbot.metrics.together import TimedEvents, Together
from otel_chatbot.semconv import metrics as m

SAMPLED = SpanContext(1 << 100 | 5, 7, False, TraceFlags(1))
UNSAMPLED = SpanContext(1 << 100 | 5, 7, False, TraceFlags(0))


@pytest.fixture
def alone() -> Alone:
    return Alone()


@given(values=st.lists(st.floats(-1, 100), max_size=8), context=st.sampled_from([SAMPLED, UNSAMPLED]))
def test_each_figure_is_what_it_would_be_alone(values: list[float], context: SpanContext) -> None:
    specs = m.RESPONSE_TIME, m.DB_CLIENT_DURATION  # their edges differ
    one, other = Alone(), Alone()
    histograms = [one.store.instrument(spec).bare() for spec in specs]
    counter, gauge = one.counter(m.MESSAGES_SENT), one.store.gauge(m.DB_CONNECTIONS).bare()
    together = Together(((counter, 2.0), (gauge, -1.0)), *histograms)
    for value in values:
        together.add(value, context)
        other.counter(m.MESSAGES_SENT).add(2.0)
        other.store.gauge(m.DB_CONNECTIONS).bare().move(-1.0)
        for spec in specs:
            other.store.instrument(spec).bare().observe(value, context)
    figures = [alone.store.instrument(spec).bare() for alone in (one, other) for spec in specs]
    times = [cells[: 2 + len(series.spec.buckets)] for series, cells in ((each, each.read()) for each in figures)]
    assert times[:2] == times[2:]
    exemplars = [[e and e[:3] for e in one.families()[spec.name].histograms[0].exemplars] for spec in specs if values]
    assert exemplars == [[e and e[:3] for e in other.families()[spec.name].histograms[0].exemplars] for spec in specs if values]
    assert counter.read() == other.counter(m.MESSAGES_SENT).read()
    assert gauge.read() == other.store.gauge(m.DB_CONNECTIONS).bare().read()


def test_nothing_takes_cells_before_the_first_event(alone: Alone) -> None:
    gauge = alone.store.gauge(m.DB_CONNECTIONS).bare()
    together = Together(((gauge, 1.0),))
    assert gauge.cells is None
    together.add(0.0, UNSAMPLED)
    assert gauge.read()[0] == 1.0


def test_a_gauge_that_was_withdrawn_is_back_with_the_next_event(alone: Alone) -> None:
    gauge = alone.store.gauge(m.DB_CONNECTIONS).bare()
    together = Together(((gauge, 1.0),))
    together.add(0.0, UNSAMPLED)
    gauge.reset()
    together.add(0.0, UNSAMPLED)
    assert gauge.read() == [1.0, 0.0, 0.0]


def test_in_a_forked_child_figures_begin_anew_and_no_lock_of_the_parents_is_waited_for(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series_module.Shared, "lock", threading.RLock())  # this process's own series keep theirs
    monkeypatch.setattr(series_module.Shared, "generation", series_module.Shared.generation)
    gauge, histogram = alone.store.gauge(m.DB_CONNECTIONS).bare(), alone.store.instrument(m.RESPONSE_TIME).bare()
    together = Together(((gauge, 1.0),), histogram)
    together.add(0.5, UNSAMPLED)
    held, over, lock = threading.Event(), threading.Event(), series_module.Shared.lock

    def hold() -> None:
        with lock:
            held.set()
            over.wait(60)

    holding = threading.Thread(target=hold)
    holding.start()
    assert held.wait(60)
    alone.store.after_fork()
    together.add(0.25, UNSAMPLED)
    over.set()
    holding.join()
    assert (gauge.read()[0], histogram.read()[0]) == (1.0, 0.25)


@pytest.mark.parametrize(("by_hand", "due"), [(0, 3), (2, 1), (5, 0)])
def test_commands_that_were_counted_by_hand_before_are_not_counted_again(
    monkeypatch: pytest.MonkeyPatch, by_hand: float, due: float
) -> None:
    monkeypatch.setattr(record.AUTOMATIC, "active", set())
    record.activate(m.DB_QUERIES, m.DB_QUERY_TIME)
    commands, scope = made("together"), deduplication.Scope(ends=True)
    before = figures(commands)
    scope.tally(m.DB_QUERIES.name).add_hand(by_hand)
    for _ in range(3):
        commands.add(0.25, UNSAMPLED, scope)
    assert [now - was for now, was in zip(figures(commands), before, strict=True)] == [due, 0.75, 0.75]


@pytest.mark.parametrize(
    ("active", "expected"),
    [((m.DB_QUERIES,), [1.0, 0.0, 0.25]), ((m.DB_QUERY_TIME,), [0.0, 0.25, 0.25]), ((), [0.0, 0.0, 0.25])],
)
def test_a_figure_that_is_switched_off_is_left_out_and_the_others_stay(
    monkeypatch: pytest.MonkeyPatch, active: tuple[Any, ...], expected: list[float]
) -> None:
    monkeypatch.setattr(record.AUTOMATIC, "active", set())
    record.activate(*active)
    commands = made("switched")
    before = figures(commands)
    commands.add(0.25, UNSAMPLED, deduplication.Scope(ends=True))
    assert [now - was for now, was in zip(figures(commands), before, strict=True)] == expected


def test_the_key_says_if_one_of_the_series_is_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = made("key")
    assert commands.key is not OVERFLOW_KEY
    monkeypatch.setattr(commands._number, "key", OVERFLOW_KEY)
    assert TimedEvents(commands._time, commands._duration, commands._number).key is OVERFLOW_KEY


def made(collection: str) -> TimedEvents:
    command = {"db.operation.name": "find", "db.collection.name": collection}
    duration = STORE.histogram(m.DB_CLIENT_DURATION).bind({**dict.fromkeys(m.DB_CLIENT_DURATION.attributes), **command})
    return TimedEvents(
        AutomaticHistogram(m.DB_QUERY_TIME, command),
        duration,
        AutomaticCounter(m.DB_QUERIES, {**command, "error.type": None}),
    )


def figures(commands: TimedEvents) -> list[float]:
    """The number of commands, and the sums of the two times."""
    return [series.read()[0] for series in (commands._number._series, commands._time._series, commands._duration)]  # type: ignore[union-attr]
