"""The figures as readers see them: families merged, the sixteen from the start, gauges from their sources."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.alone import Alone

from otel_chatbot.metrics import record
from otel_chatbot.metrics.series import Exemplar
from otel_chatbot.metrics.store import GaugeSeries
from otel_chatbot.metrics.view import Family, HistogramPoint, Point
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec


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


def test_an_exemplar_stands_in_the_bucket_that_its_value_has_among_fewer_edges(alone):
    specs = [MetricSpec("their.time", Kind.HISTOGRAM, "s", "Time", (), edges) for edges in ((1.0, 2.0, 5.0), (1.0, 5.0))]
    low, on_edge, high = (Exemplar(value, 1, 1, 10.0) for value in (0.5, 5.0, 9.0))
    alone.mirror.put(
        [
            Family(specs[0], [], [HistogramPoint({}, 14.5, [1, 0, 1, 1], [low, None, on_edge, high])]),
            Family(specs[1], [], [HistogramPoint({}, 0.0, [0, 0, 0], [None] * 3)]),
        ]
    )
    [point] = alone.families()["their.time"].histograms
    assert (point.counts, point.exemplars) == ([1, 1, 1], [low, on_edge, high])
