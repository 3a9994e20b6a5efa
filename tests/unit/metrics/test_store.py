"""Series, labels, limits and the merged view of one process."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from opentelemetry.trace import SpanContext, TraceFlags

from otel_chatbot.metrics import record
from otel_chatbot.metrics import series as series_module
from otel_chatbot.metrics.mirror import Mirror
from otel_chatbot.metrics.series import EXEMPLAR_SECONDS, Exemplar
from otel_chatbot.metrics.shared.compaction import Reader
from otel_chatbot.metrics.shared.run import Run
from otel_chatbot.metrics.shared.segment import MemorySegment
from otel_chatbot.metrics.store import CounterSeries, GaugeSeries, HistogramSeries, Store
from otel_chatbot.metrics.view import Family, HistogramPoint, Point, View
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec


class NoFolder(Run):
    def directory(self):
        return None


class Alone:
    """A store with its view, in memory."""

    def __init__(self, limit: int = 2000) -> None:
        self.store = Store(MemorySegment, limit)
        self.view = View(self.store, Reader(NoFolder()))
        self.mirror = Mirror(self.store)

    def families(self) -> dict[str, Family]:
        return {family.spec.name: family for family in self.view.read()}

    def points(self, spec: MetricSpec) -> dict[tuple[tuple[str, object], ...], float]:
        return {tuple(p.attributes.items()): p.value for p in self.families()[spec.name].points}

    def counter(self, spec: MetricSpec, attributes: dict[str, object] | None = None) -> CounterSeries:
        series = self.store.instrument(spec).labels(attributes)
        assert isinstance(series, CounterSeries)
        return series


@pytest.fixture
def alone() -> Alone:
    return Alone()


@pytest.fixture
def sources() -> Iterator[dict[str, record.GaugeSource]]:
    before = dict(record.AUTOMATIC.sources)
    record.AUTOMATIC.sources.clear()
    yield record.AUTOMATIC.sources
    record.AUTOMATIC.sources.clear()
    record.AUTOMATIC.sources.update(before)


def test_the_sixteen_are_there_at_zero_from_the_start_first_and_in_order(alone):
    alone.counter(m.CONNECTION_TIMEOUTS).add(1)
    alone.counter(m.AI_COST).add(1)
    families = alone.view.read()
    assert [f.spec for f in families[:16]] == list(m.CHATBOT)
    assert [f.spec for f in families[16:]] == [m.AI_COST, m.CONNECTION_TIMEOUTS]
    for family in families[:16]:
        if family.spec.kind is Kind.HISTOGRAM:
            (point,) = family.histograms
            assert (point.attributes, point.sum, point.count) == ({}, 0.0, 0)
            assert len(point.counts) == len(point.exemplars) == len(family.spec.buckets) + 1
        else:
            assert family.points == [Point({}, 0.0)]


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


def test_an_automatic_gauge_is_asked_when_it_is_read_and_its_requests_are_our_own(alone, sources):
    seen = []

    def source():
        seen.append(record.is_own_traffic())
        return {("redis",): 7, (None,): 1}

    sources[m.CACHE_SIZE.name] = source
    assert alone.points(m.CACHE_SIZE) == {((a.DB_SYSTEM, "redis"),): 7, (): 1}
    assert seen == [True]
    assert not record.is_own_traffic()


@pytest.mark.parametrize("by_hand", ["set", "move"])
def test_a_gauge_set_by_hand_switches_off_its_automatic_source(alone, sources, by_hand):
    sources[m.ACTIVE_USERS.name] = lambda: {(): 99}
    assert alone.points(m.ACTIVE_USERS) == {(): 99}
    series = alone.store.instrument(m.ACTIVE_USERS).bare()
    assert isinstance(series, GaugeSeries)
    getattr(series, by_hand)(0)
    assert alone.points(m.ACTIVE_USERS) == {(): 0}


def test_a_source_that_fails_leaves_zero_and_the_other_families(alone, sources, monkeypatch, caplog):
    monkeypatch.setattr("otel_chatbot._guard.Guard.strict", False)
    monkeypatch.setattr("otel_chatbot._guard._seen", set())

    def broken():
        raise ConnectionError("no server")

    sources[m.CACHE_SIZE.name] = broken
    alone.counter(m.MESSAGES_SENT).add(1)
    assert alone.points(m.CACHE_SIZE) == {(): 0}
    assert alone.points(m.MESSAGES_SENT) == {(): 1}
    assert "chatbot.cache.size" in caplog.text


THEIRS = MetricSpec("their.requests", Kind.COUNTER, "{request}", "Requests", ())


def test_mirrored_totals_of_one_name_are_one_family_with_the_union_of_labels(alone):
    for total in (1, 5):
        alone.mirror.put(
            [
                Family(THEIRS, [Point({"x": "1"}, total), Point({"x": "2", "y": "3"}, 10)]),
                Family(
                    MetricSpec("their.requests", Kind.COUNTER, "{request}", "Other words"),
                    [Point({"z": 4}, 2), Point({"x": "1"}, 1)],
                ),
            ]
        )
    family = alone.families()["their.requests"]
    assert set(family.spec.attributes) == {"x", "y", "z"}
    assert alone.points(THEIRS) == {(("x", "1"),): 6, (("x", "2"), ("y", "3")): 10, (("z", 4),): 2}


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


def test_mirrored_histograms_keep_their_buckets_and_exemplars(alone):
    spec = MetricSpec("their.time", Kind.HISTOGRAM, "s", "Time", (), (1.0, 2.0))
    exemplar = Exemplar(1.5, (1 << 127) + 9, (1 << 63) + 5, 1000.25)
    alone.mirror.put([Family(spec, [], [HistogramPoint({"x": "1"}, 3.5, [1, 2, 0], [None, exemplar, None])])])
    (point,) = alone.families()["their.time"].histograms
    assert (point.sum, point.counts, point.exemplars) == (3.5, [1, 2, 0], [None, exemplar, None])


def test_histograms_of_one_name_with_other_edges_meet_at_those_they_share(alone):
    one = MetricSpec("their.time", Kind.HISTOGRAM, "s", "Time", (), (1.0, 2.0, 5.0))
    other = MetricSpec("their.time", Kind.HISTOGRAM, "s", "Time", (), (1.0, 5.0, 10.0))
    early, late = Exemplar(1.5, 1, 1, 10.0), Exemplar(3.0, 2, 2, 20.0)
    alone.mirror.put(
        [
            Family(one, [], [HistogramPoint({}, 10.0, [1, 2, 3, 4], [None, early, late, None])]),
            Family(
                other,
                [],
                [
                    HistogramPoint({}, 20.0, [10, 20, 30, 40], [None] * 4),
                    HistogramPoint({"x": "y"}, 1.0, [0, 0, 1, 0], [None] * 4),
                ],
            ),
        ]
    )
    family = alone.families()["their.time"]
    assert family.spec.buckets == (1.0, 5.0)
    both, labelled = sorted(family.histograms, key=lambda point: len(point.attributes))
    assert (both.sum, both.counts, both.exemplars) == (30.0, [11, 25, 74], [None, late, None])
    assert (labelled.attributes, labelled.counts) == ({"x": "y"}, [0, 0, 1])


def test_a_mirrored_gauge_that_is_no_longer_reported_is_no_longer_shown(alone):
    gauge = MetricSpec("their.level", Kind.GAUGE, "{x}", "Level")
    moved = MetricSpec("their.open", Kind.UP_DOWN_COUNTER, "{x}", "Open")
    alone.mirror.put([Family(gauge, [Point({"k": "a"}, 1), Point({"k": "b"}, 2)]), Family(moved, [Point({}, 3)])])
    assert alone.points(gauge) == {(("k", "a"),): 1, (("k", "b"),): 2}
    alone.mirror.put([Family(gauge, [Point({"k": "b"}, 5)])])
    assert alone.points(gauge) == {(("k", "b"),): 5}
    assert moved.name not in alone.families()
    alone.mirror.put([Family(gauge, [Point({"k": "a"}, 0)]), Family(moved, [Point({}, 0)])])
    assert alone.points(gauge) == {(("k", "a"),): 0}
    assert alone.points(moved) == {(): 0}


def test_mirrored_points_beyond_the_limit_add_up_in_the_overflow_series():
    alone = Alone(limit=3)
    for factor in (1, 2):
        alone.mirror.put([Family(THEIRS, [Point({"x": str(n)}, factor) for n in range(5)] + [Point({"y": "1"}, factor)])])
    points = alone.points(THEIRS)
    assert points == {(("x", "0"),): 2, (("x", "1"),): 2, (("x", "2"),): 2, ((a.OVERFLOW, "true"),): 6}
    assert alone.points(m.TELEMETRY_DROPPED)[((a.SIGNAL, "metrics"), (a.REASON, a.DropReason.SERIES_LIMIT.value))] == 3


def test_a_name_that_is_used_for_two_kinds_keeps_the_first(alone):
    alone.mirror.put([Family(THEIRS, [Point({}, 1)])])
    alone.mirror.put([Family(MetricSpec("their.requests", Kind.GAUGE, "{request}", "Requests"), [Point({}, 7)])])
    assert alone.points(THEIRS) == {(): 1}


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
