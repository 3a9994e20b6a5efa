"""Totals that other libraries have counted in this process stand beside ours, as they are."""

from __future__ import annotations

import pytest
from support.alone import Alone

from otel_chatbot.metrics.series import Exemplar
from otel_chatbot.metrics.view import Family, HistogramPoint, Point
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec


@pytest.fixture
def alone() -> Alone:
    return Alone()


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
    assert (family.spec.unit, family.spec.description) == ("{request}", "Requests")
    assert alone.points(THEIRS) == {(("x", "1"),): 6, (("x", "2"), ("y", "3")): 10, (("z", 4),): 2}


def test_mirrored_histograms_keep_their_buckets_and_exemplars(alone):
    spec = MetricSpec("their.time", Kind.HISTOGRAM, "s", "Time", (), (1.0, 2.0))
    exemplar = Exemplar(1.5, (1 << 127) + 9, (1 << 63) + 5, 1000.25)
    alone.mirror.put([Family(spec, [], [HistogramPoint({"x": "1"}, 3.5, [1, 2, 0], [None, exemplar, None])])])
    (point,) = alone.families()["their.time"].histograms
    assert (point.sum, point.counts, point.exemplars) == (3.5, [1, 2, 0], [None, exemplar, None])


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


def test_a_point_of_another_shape_than_its_kind_is_an_error(alone):
    times = MetricSpec("their.time", Kind.HISTOGRAM, "s", "", (), (1.0,))
    with pytest.raises(TypeError, match=r"their\.time is a histogram, which takes no Point"):
        alone.mirror.put([Family(times, [Point({}, 1.0)])])
    with pytest.raises(TypeError, match="no sum"):
        alone.mirror.put([Family(times, [Point({}, 1.0)], [HistogramPoint({}, 1.0, [1, 0], [None, None])])])


def test_only_what_nobody_but_others_measures_is_theirs(alone):
    alone.mirror.put([Family(THEIRS, [Point({}, 1)]), Family(m.ERRORS, [Point({}, 1)])])
    assert alone.mirror.names == {"their.requests"}


def test_attributes_in_another_order_are_the_same_series_and_each_keeps_its_value(alone):
    alone.mirror.put([Family(THEIRS, [Point({"y": "2", "x": "1"}, 1), Point({"x": "1", "y": "2"}, 4)])])
    assert alone.points(THEIRS) == {(("x", "1"), ("y", "2")): 5}
