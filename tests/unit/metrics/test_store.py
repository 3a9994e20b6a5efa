"""The store: series by attributes and labels, limits, and values that every export can hold."""

from __future__ import annotations

import pytest
from support.alone import Alone

from otel_chatbot.metrics.store import Store
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec


@pytest.fixture
def alone() -> Alone:
    return Alone()


def test_attributes_and_labels_name_the_same_series_in_any_order(alone):
    alone.counter(m.DB_QUERIES, {a.DB_OPERATION: "find", a.DB_COLLECTION: "x"}).add(1)
    alone.counter(m.DB_QUERIES, {"db_collection_name": "x", "db_operation_name": "find"}).add(1)
    alone.counter(m.DB_QUERIES, {"db_collection_name": "x", "db_operation_name": "find", a.ERROR_TYPE: None}).add(1)
    assert alone.points(m.DB_QUERIES) == {(): 0, ((a.DB_OPERATION, "find"), (a.DB_COLLECTION, "x")): 3}


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (1, "1"), (1.0, "1.0"), (False, "false"), (0, "0"), ([1], "[1]"), (a.DbSystem.REDIS, "redis")],
)
def test_values_that_python_finds_equal_keep_their_own_text(alone, value, text):
    for other in (True, 1, 1.0, False, 0, 0.0, [1], "redis"):
        alone.counter(m.CACHE_HITS, {a.DB_SYSTEM: other}).add(1)
    for _ in range(2):
        alone.counter(m.CACHE_HITS, {a.DB_SYSTEM: value}).add(10)
    counts = {str(key[0][1]): count for key, count in alone.points(m.CACHE_HITS).items() if key}
    assert counts.pop(text) == 21
    assert set(counts.values()) == {1}


def test_numbers_and_their_text_are_one_series_to_readers(alone):
    alone.counter(m.API_REQUESTS, {a.HTTP_STATUS: 200}).add(1)
    alone.counter(m.API_REQUESTS, {a.HTTP_STATUS: "200"}).add(1)
    assert alone.points(m.API_REQUESTS) == {(): 0, ((a.HTTP_STATUS, 200),): 2}


def test_unlisted_attributes_are_dropped_counted_each_time_and_warned_of_once(alone, caplog):
    for _ in range(3):
        alone.counter(m.CACHE_HITS, {a.DB_SYSTEM: "redis", "user_id": "u-1"}).add(1)
    assert alone.points(m.CACHE_HITS) == {(): 0, ((a.DB_SYSTEM, "redis"),): 3}
    assert alone.points(m.TELEMETRY_DROPPED) == {((a.SIGNAL, "metrics"), (a.REASON, a.DropReason.UNLISTED_ATTRIBUTE.value)): 3}
    assert [r.getMessage() for r in caplog.records] == [
        "attribute 'user_id' of chatbot.cache.hits is not listed and was dropped; listed: db.system.name"
    ]


def test_beyond_the_series_limit_values_fold_into_the_overflow_series_and_nothing_is_lost():
    alone = Alone(limit=5)
    for round_ in range(2):
        for n in range(8):
            alone.counter(m.CACHE_HITS, {a.DB_SYSTEM: f"s{n}"}).add(1)
        assert sum(alone.points(m.CACHE_HITS).values()) == 8 * (round_ + 1)
    points = alone.points(m.CACHE_HITS)
    assert points[((a.OVERFLOW, "true"),)] == 6
    assert len(points) == 7, "five, the overflow series and the one without attributes"
    alone.counter(m.CACHE_HITS).add(1)
    assert alone.points(m.CACHE_HITS)[()] == 1, "the series without attributes is always there"
    assert alone.points(m.TELEMETRY_DROPPED)[((a.SIGNAL, "metrics"), (a.REASON, a.DropReason.SERIES_LIMIT.value))] == 6


def test_memory_stays_flat_under_endless_new_values():
    alone = Alone(limit=50)
    for n in range(5000):
        alone.counter(m.CACHE_HITS, {a.DB_SYSTEM: f"s{n}"}).add(1)
    instrument = alone.store.instrument(m.CACHE_HITS)
    assert len(instrument.series) == 51
    assert len(instrument._found) <= 200
    assert len(alone.store.attached) <= 53


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (2**63 - 1, 2**63 - 1),
        (-(2**63), str(-(2**63))),
        (2**100, str(2**100)),
        (-(10**5000), "<number of 16610 bits>"),
        (a.DbSystem.REDIS, "redis"),
        (b"\xff", "b'\\xff'"),
    ],
    ids=lambda value: str(value)[:12] if not isinstance(value, int) else f"{value.bit_length()} bits",
)
def test_a_value_is_text_or_a_number_that_every_export_can_hold(alone, given: object, kept: object) -> None:
    alone.counter(m.DB_QUERIES, {a.DB_OPERATION: given}).add(1)
    [point] = [point for point in alone.families()[m.DB_QUERIES.name].points if point.attributes]
    assert point.attributes == {a.DB_OPERATION: kept}


def test_a_series_is_bound_by_the_names_of_all_the_attributes_of_its_row() -> None:
    store = Store()
    row = MetricSpec("bound", Kind.COUNTER, "", "", ("one", "two"))
    store.counter(row).bind({"two": "2", "one": None}).add(1)
    assert [key for key, series in store.counter(row).series.items() if series.read() == [1.0]] == [(None, "2")]
    for wrong in ({"one": "1"}, {"one": "1", "two": "2", "three": "3"}, {"one": "1", "tow": "2"}):
        with pytest.raises(ValueError, match="bound has the attributes one, two"):
            store.counter(row).bind(wrong)


def test_a_row_has_the_instrument_of_its_kind_alone() -> None:
    store = Store()
    row = MetricSpec("kind", Kind.UP_DOWN_COUNTER, "", "")
    store.gauge(row).bare().move(1)
    with pytest.raises(TypeError, match=r"kind\.other is a updowncounter, which has no CounterSeries"):
        store.counter(MetricSpec("kind.other", Kind.UP_DOWN_COUNTER, "", ""))
