"""The merged view as MetricsData, and what the OTLP encoder makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_chatbot.distro.metrics.data import metrics_data
from otel_chatbot.metrics.view import Exemplar, Family, HistogramPoint, Point
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec

START, NOW = 1_000_000_000, 5_000_000_000


def encoded(*families: Family) -> list[Any]:
    data = metrics_data(families, Resource({"service.name": "chat"}), InstrumentationScope("otel_chatbot", "1"), START, NOW)
    message = encode_metrics(data)
    return [metric for group in message.resource_metrics for scope in group.scope_metrics for metric in scope.metrics]


def test_a_counter_is_a_cumulative_monotonic_sum_since_the_start_of_the_run() -> None:
    (metric,) = encoded(Family(m.CACHE_HITS, [Point({"db.system.name": "redis"}, 3.0)]))
    assert (metric.name, metric.unit) == ("chatbot.cache.hits", "{hit}")
    assert metric.sum.is_monotonic
    assert metric.sum.aggregation_temporality == 2
    (point,) = metric.sum.data_points
    assert (point.start_time_unix_nano, point.time_unix_nano, point.as_double) == (START, NOW, 3.0)
    assert [(pair.key, pair.value.string_value) for pair in point.attributes] == [("db.system.name", "redis")]


def test_an_up_down_counter_is_a_sum_that_may_fall() -> None:
    (metric,) = encoded(Family(m.HTTP_SERVER_ACTIVE, [Point({}, 2.0)]))
    assert metric.HasField("sum")
    assert not metric.sum.is_monotonic


def test_a_gauge_is_a_gauge() -> None:
    (metric,) = encoded(Family(m.ACTIVE_USERS, [Point({}, 2.0)]))
    assert metric.gauge.data_points[0].as_double == 2.0


def test_a_histogram_has_its_edges_counts_sum_and_exemplars() -> None:
    edges = m.RESPONSE_TIME.buckets
    counts = [0] * (len(edges) + 1)
    counts[1], counts[-1] = 2, 1
    exemplars: list[Exemplar | None] = [None] * len(counts)
    exemplars[1] = Exemplar(0.008, 0xABC, 0xDEF, 3.5)
    (metric,) = encoded(Family(m.RESPONSE_TIME, [], [HistogramPoint({"http.route": "/"}, 200.5, counts, exemplars)]))
    (point,) = metric.histogram.data_points
    assert metric.histogram.aggregation_temporality == 2
    assert (point.count, point.sum) == (3, 200.5)
    assert list(point.explicit_bounds) == list(edges)
    assert list(point.bucket_counts) == counts
    assert not point.HasField("min")
    (exemplar,) = point.exemplars
    assert (exemplar.as_double, exemplar.time_unix_nano) == (0.008, 3_500_000_000)
    assert exemplar.trace_id.hex().endswith("0abc")
    assert exemplar.span_id.hex().endswith("0def")


def test_a_histogram_that_saw_nothing_and_a_family_without_points_are_left_out() -> None:
    empty = HistogramPoint({}, 0.0, [0] * (len(m.RESPONSE_TIME.buckets) + 1), [None] * (len(m.RESPONSE_TIME.buckets) + 1))
    assert encoded(Family(m.RESPONSE_TIME, [], [empty]), Family(m.CACHE_HITS)) == []


def test_texts_that_utf_8_cannot_hold_spoil_no_export(caplog: pytest.LogCaptureFixture) -> None:
    spec = MetricSpec("test.odd", Kind.COUNTER, "{\ud800}", "Odd \ud800", ("kind",))
    (metric,) = encoded(Family(spec, [Point({"kind": "\ud800"}, 1.0), Point({"kind": 2**70}, 2.0)]))
    assert (metric.unit, metric.description) == ("{\\ud800}", "Odd \\ud800")
    assert [point.attributes[0].value.string_value for point in metric.sum.data_points] == ["\\ud800", str(2**70)]
    assert not caplog.records
