"""One event counts once: automatic events and hand calls of one request, thread or task."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.metrics import _fresh_metrics  # noqa: F401 - an autouse fixture

import otel_chatbot as o
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.semconv import metrics as m

COUNTERS = [(spec, getattr(o, spec.python)) for spec in m.CHATBOT if spec.kind.value == "counter"]
HISTOGRAMS = [(spec, getattr(o, spec.python)) for spec in m.CHATBOT if spec.kind.value == "histogram"]


@pytest.mark.parametrize(("spec", "counter"), COUNTERS, ids=lambda value: getattr(value, "python", ""))
@pytest.mark.parametrize(("automatic", "by_hand"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("hand_first", [True, False])
def test_an_event_counts_once_automatic_by_hand_or_both(spec, counter, automatic, by_hand, hand_first) -> None:
    if automatic:
        record.activate(spec)
    for _ in range(3):
        with deduplication.request_scope():
            if by_hand and hand_first:
                counter.inc()
            if automatic:
                record.count(spec)
            if by_hand and not hand_first:
                counter.inc()
    assert counter.get() == 3


@pytest.mark.parametrize(("spec", "histogram"), HISTOGRAMS, ids=lambda value: getattr(value, "python", ""))
@pytest.mark.parametrize(("automatic", "by_hand"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("hand_first", [True, False])
def test_a_measurement_counts_once_and_the_automatic_one_wins(spec, histogram, automatic, by_hand, hand_first) -> None:
    if automatic:
        record.activate(spec)
    for _ in range(3):
        with deduplication.request_scope():
            if by_hand and hand_first:
                histogram.observe(2.0)
            if automatic:
                record.observe(spec, 1.0)
            if by_hand and not hand_first:
                histogram.observe(2.0)
    assert histogram.get()["count"] == 3
    assert histogram.get()["sum"] == (3 if automatic else 6)


def test_hand_observations_beyond_the_automatic_ones_are_recorded_when_the_request_ends() -> None:
    record.activate(m.AI_RESPONSE_TIME)
    with deduplication.request_scope():
        for seconds in (1.0, 2.0, 4.0):
            o.ai_response_time.observe(seconds)
        record.observe(m.AI_RESPONSE_TIME, 8.0)
        assert o.ai_response_time.get()["count"] == 1
    assert o.ai_response_time.get()["count"] == 3
    assert o.ai_response_time.get()["sum"] == 8.0 + 2.0 + 4.0


def test_a_request_with_very_many_hand_observations_keeps_few_of_them_waiting() -> None:
    record.activate(m.AI_RESPONSE_TIME)
    with deduplication.request_scope() as scope:
        for _ in range(deduplication.MOST_WAITING + 500):
            o.ai_response_time.observe(1.0)
        assert len(scope.tally(m.AI_RESPONSE_TIME.name).waiting) == deduplication.MOST_WAITING
    assert o.ai_response_time.get()["count"] == deduplication.MOST_WAITING + 500


def test_outside_of_a_request_a_hand_observation_is_recorded_at_once_unless_an_automatic_one_stands_for_it() -> None:
    record.activate(m.AI_RESPONSE_TIME)
    record.observe(m.AI_RESPONSE_TIME, 1.0)
    o.ai_response_time.observe(2.0)
    assert o.ai_response_time.get()["sum"] == 1
    o.ai_response_time.observe(4.0)
    assert o.ai_response_time.get()["sum"] == 5


def test_more_hand_calls_than_automatic_events_in_a_request_count_in_full() -> None:
    record.activate(m.ERRORS)
    with deduplication.request_scope():
        record.count(m.ERRORS)
        o.errors_total.inc(3)
    assert o.errors_total.get() == 3


def test_the_requests_are_tallied_apart() -> None:
    record.activate(m.ERRORS)
    with deduplication.request_scope():
        record.count(m.ERRORS)
    with deduplication.request_scope():
        o.errors_total.inc()
    assert o.errors_total.get() == 2


def test_automatic_off_leaves_the_hand_calls_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = record.config.Settings.from_env({"CHATBOT_OTEL_AUTO_OFF": "errors_total,chatbot_cache_hits_total"})
    monkeypatch.setattr(record.config, "current", lambda: settings)
    record.activate(m.ERRORS, m.CACHE_HITS, m.CACHE_MISSES)
    with deduplication.request_scope():
        for spec in (m.ERRORS, m.CACHE_HITS, m.CACHE_MISSES):
            record.count(spec, 5)
        o.errors_total.inc()
    assert (o.errors_total.get(), o.cache_hits.get(), o.cache_misses.get()) == (1, 0, 5)


def test_threads_that_a_request_starts_with_its_context_share_its_tally() -> None:
    record.activate(m.CACHE_HITS)
    with deduplication.request_scope():
        context = contextvars.copy_context()
        worker = threading.Thread(target=context.run, args=(record.count, m.CACHE_HITS))
        worker.start()
        worker.join()
        o.cache_hits.inc()
    assert o.cache_hits.get() == 1


def test_threads_outside_of_a_request_are_tallied_apart() -> None:
    record.activate(m.CACHE_HITS)
    record.count(m.CACHE_HITS)
    worker = threading.Thread(target=o.cache_hits.inc)
    worker.start()
    worker.join()
    assert o.cache_hits.get() == 2


def test_tasks_outside_of_a_request_are_tallied_apart_and_those_of_a_request_together() -> None:
    record.activate(m.CACHE_HITS)

    async def automatic() -> None:
        record.count(m.CACHE_HITS)

    async def by_hand() -> None:
        o.cache_hits.inc()

    async def both() -> None:
        record.count(m.CACHE_HITS, 0.0)  # the parent task has a tally of its own
        await asyncio.create_task(automatic())
        await asyncio.create_task(by_hand())

    asyncio.run(both())
    assert o.cache_hits.get() == 2
    with deduplication.request_scope():
        asyncio.run(both())
    assert o.cache_hits.get() == 3


def test_a_scope_left_in_another_context_does_not_raise() -> None:
    token = contextvars.copy_context().run(deduplication.enter, deduplication.Scope(ends=True))
    deduplication.leave(token)
    assert deduplication.current().ends is False


def test_resetting_a_counter_starts_its_tally_anew() -> None:
    record.activate(m.CACHE_HITS)
    record.count(m.CACHE_HITS, 5)
    o.cache_hits.reset()
    o.cache_hits.inc()
    assert o.cache_hits.get() == 1


def test_threads_that_tally_together_lose_nothing() -> None:
    tally = deduplication.ScopeCounts()
    sums = [0.0] * 4

    def work(index: int) -> None:
        add = tally.add_auto if index % 2 else tally.add_hand
        for _ in range(5000):
            sums[index] += add(1.0)

    workers = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(sums) == 10_000


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5))))
def test_what_is_recorded_is_the_larger_tally_at_every_moment(events: list[tuple[bool, int]]) -> None:
    tally = deduplication.ScopeCounts()
    recorded = auto = hand = 0.0
    for automatic, amount in events:
        recorded += tally.add_auto(amount) if automatic else tally.add_hand(amount)
        auto, hand = auto + amount * automatic, hand + amount * (not automatic)
        assert recorded == max(auto, hand)
