"""Automatic events: which metrics fill themselves, what of an event is new, and under which attributes it is recorded."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import pytest
from opentelemetry import context as otel_context
from opentelemetry.trace import SpanContext, TraceFlags
from support.metrics import _fresh_metrics, dropped  # noqa: F401 - one of them is an autouse fixture

import otel_chatbot as o
from otel_chatbot import config
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.metrics.series import OVERFLOW_KEY
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import MetricSpec, Source


def counted(spec: MetricSpec) -> float:
    return sum(series.read()[0] for series in STORE.instrument(spec).series.values())


@pytest.mark.parametrize("name", ["chatbot.cache.hits", "chatbot_cache_hits_total", "cache_hits"])
def test_a_metric_that_auto_off_names_in_any_way_does_not_fill_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "current", lambda: config.Settings(auto_off=(name,)))
    record.activate(m.CACHE_HITS, m.CACHE_MISSES)
    assert (record.is_active(m.CACHE_HITS), record.is_active(m.CACHE_MISSES)) == (False, True)
    assert record.switched_off(m.CACHE_HITS)
    record.count(m.CACHE_HITS)
    record.count(m.CACHE_MISSES, 2)
    assert (counted(m.CACHE_HITS), counted(m.CACHE_MISSES)) == (0, 2)


def test_a_source_that_runs_activates_the_rows_that_name_it_and_no_others() -> None:
    record.activate_source(Source.MONGODB)
    assert {spec.name for spec in m.FILLED_BY[Source.MONGODB]} == record.AUTOMATIC.active
    assert record.is_active(m.DB_QUERIES)
    assert not record.is_active(m.CACHE_HITS)


def test_a_gauge_taken_by_hand_forgets_what_filled_it_and_is_never_filled_again() -> None:
    record.gauge_source(m.ACTIVE_USERS, lambda: {(): 40.0})
    record.activate(m.DB_CONNECTIONS)
    STORE.gauge(m.DB_CONNECTIONS).bare().move(3)
    for spec in (m.ACTIVE_USERS, m.DB_CONNECTIONS):
        record.AUTOMATIC.take_by_hand(spec)
        record.activate(spec)
        record.gauge_source(spec, lambda: {(): 40.0})
    assert record.AUTOMATIC.sources == {}
    assert record.AUTOMATIC.active == set()
    assert counted(m.DB_CONNECTIONS) == 0


def test_own_traffic_is_known_by_us_and_by_other_instrumentations_in_its_own_thread_alone() -> None:
    elsewhere: list[bool] = []
    with contextlib.suppress(OSError), record.own_traffic():
        assert record.is_own_traffic()
        assert otel_context.get_value("suppress_instrumentation") is True
        thread = threading.Thread(target=lambda: elsewhere.append(record.is_own_traffic()))
        thread.start()
        thread.join()
        raise OSError
    assert elsewhere == [False]
    assert not record.is_own_traffic()
    assert otel_context.get_value("suppress_instrumentation") is None


@pytest.mark.parametrize("hand_first", [True, False])
def test_an_event_that_was_counted_by_hand_too_counts_once(hand_first: bool) -> None:
    record.activate(m.CACHE_HITS)
    steps = [lambda: o.cache_hits.inc(2), lambda: record.count(m.CACHE_HITS, 3)]
    for step in steps if hand_first else steps[::-1]:
        step()
    assert counted(m.CACHE_HITS) == 3


def test_a_metric_of_the_package_alone_counts_each_event_whoever_is_active() -> None:
    before = dropped("series_limit")
    record.dropped(a.Signal.METRICS, a.DropReason.SERIES_LIMIT, 2)
    assert dropped("series_limit") == before + 2


def test_a_kept_counter_records_under_the_attributes_that_it_was_made_with() -> None:
    kept = record.AutomaticCounter(m.DB_QUERIES, dict(zip(m.DB_QUERIES.attributes, "abcdefgh", strict=False)))
    kept.add(2)
    assert counted(m.DB_QUERIES) == 0, "the metric does not fill itself yet"
    record.activate(m.DB_QUERIES)
    kept.add(2)
    assert STORE.counter(m.DB_QUERIES).at(kept.key).read() == [2.0]
    assert kept.key == tuple("abcdefgh")[: len(m.DB_QUERIES.attributes)]


@pytest.mark.parametrize("make", [record.AutomaticCounter, record.AutomaticHistogram])
def test_a_kept_series_wants_every_attribute_of_its_row_by_name(make: Callable[..., object]) -> None:
    spec = m.DB_QUERIES if make is record.AutomaticCounter else m.DB_QUERY_TIME
    with pytest.raises(ValueError, match="has the attributes"):
        make(spec, {})


def test_an_event_that_was_counted_in_its_scope_before_is_not_added_again() -> None:
    record.activate(m.ERRORS)
    kept = record.AutomaticCounter(m.ERRORS, dict.fromkeys(m.ERRORS.attributes))
    scope = deduplication.Scope(ends=True)
    kept.add_unless_counted(scope)
    kept.add_unless_counted(scope)
    kept.add_unless_counted(deduplication.Scope(ends=True))
    assert counted(m.ERRORS) == 2


def test_what_a_request_counts_after_its_end_is_new_beside_what_was_counted_by_hand() -> None:
    scope = deduplication.Scope(ends=True)
    assert record.count_in(scope, m.MESSAGES_SENT, 2) == 0
    record.activate(m.MESSAGES_SENT)
    scope.tally(m.MESSAGES_SENT.name).add_hand(1)
    assert record.count_in(scope, m.MESSAGES_SENT, 3) == 2
    assert counted(m.MESSAGES_SENT) == 2


def test_an_automatic_time_is_recorded_with_its_span_and_stands_for_one_by_hand() -> None:
    record.observe(m.RESPONSE_TIME, 0.5)
    assert o.response_time.get()["count"] == 0
    record.activate(m.RESPONSE_TIME)
    kept = record.AutomaticHistogram(m.RESPONSE_TIME, dict.fromkeys(m.RESPONSE_TIME.attributes))
    scope = deduplication.Scope(ends=True)
    scope.observe(m.RESPONSE_TIME.name, lambda: o.response_time.observe(9))
    kept.observe(0.25, SpanContext(1, 2, False, TraceFlags(1)), scope)
    scope.close()
    record.observe(m.RESPONSE_TIME, 0.5)
    assert (o.response_time.get()["count"], o.response_time.get()["sum"]) == (2, 0.75)


def test_a_gauge_that_all_processes_would_find_the_same_is_put_where_it_fills_itself() -> None:
    record.put(m.CACHE_SIZE, 7)
    assert STORE.gauge(m.CACHE_SIZE).bare().read()[1] == 0
    record.activate(m.CACHE_SIZE)
    record.put(m.CACHE_SIZE, 7)
    assert STORE.gauge(m.CACHE_SIZE).bare().read()[1] == 7


def test_kinds_are_remembered_but_none_beyond_the_series_limit_or_the_tables() -> None:
    class Kept:
        def __init__(self, key: tuple[str, ...]) -> None:
            self.key = key

    table: dict[int, tuple[Kept, ...]] = {}
    inside, beyond = (Kept(("a",)),), (Kept(("a",)), Kept(OVERFLOW_KEY))  # type: ignore[arg-type]
    assert record.keep(table, 1, inside) is inside
    assert record.keep(table, 2, beyond) is beyond
    assert table == {1: inside}
    full = dict.fromkeys(range(record._MOST_KINDS), inside)
    record.keep(full, -1, inside)
    assert -1 not in full
