"""What our encoder writes of metrics is, read back, the message that upstream's encoder builds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics as upstream_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from support.encoding_cases import ATTRIBUTES, CASES, FLOAT, INT64, RESOURCES, SCOPES, TEXT, TIME, prove

from otel_chatbot.distro.delivery.encoding.attributes import Attributes
from otel_chatbot.distro.delivery.encoding.metrics import NotCoveredError, encode_metrics

ENCODED = [0]

NUMBER = st.one_of(INT64, FLOAT)
exemplar = st.builds(
    Exemplar,
    ATTRIBUTES,
    NUMBER,
    TIME,
    st.one_of(st.none(), st.just(0), st.integers(0, 2**64 - 1)),
    st.one_of(st.none(), st.just(0), st.integers(0, 2**128 - 1)),
)
exemplars = st.lists(exemplar, max_size=2)
number = st.builds(NumberDataPoint, ATTRIBUTES, TIME, TIME, NUMBER, exemplars)
histogram = st.builds(
    HistogramDataPoint,
    attributes=ATTRIBUTES,
    start_time_unix_nano=TIME,
    time_unix_nano=TIME,
    count=st.integers(0, 2**64 - 1),
    sum=FLOAT,
    bucket_counts=st.lists(st.integers(0, 2**64 - 1), max_size=5),
    explicit_bounds=st.lists(FLOAT, max_size=5),
    min=st.one_of(st.none(), FLOAT),
    max=st.one_of(st.none(), FLOAT),
    exemplars=exemplars,
)
TEMPORALITY = st.sampled_from([AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA])
data = st.one_of(
    st.builds(Sum, st.lists(number, max_size=3), TEMPORALITY, st.booleans()),
    st.builds(Gauge, st.lists(number, max_size=3)),
    st.builds(Histogram, st.lists(histogram, max_size=3), TEMPORALITY),
)
metric = st.builds(Metric, TEXT, st.one_of(st.none(), TEXT), st.one_of(st.none(), TEXT), data)
scoped = st.builds(ScopeMetrics, st.sampled_from(SCOPES[1:3]), st.lists(metric, max_size=3), st.just(""))


@settings(max_examples=CASES)
@given(metrics=st.lists(metric, max_size=4), scope=st.sampled_from(SCOPES[1:]), resource=st.sampled_from(RESOURCES))
def test_metrics_are_the_message_that_upstream_builds(metrics: list[Metric], scope: Any, resource: Resource) -> None:
    ENCODED[0] += len(metrics)
    view = MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, scope.schema_url)], resource.schema_url)])
    ours = ExportMetricsServiceRequest.FromString(encode_metrics(view, Attributes(None)))
    assert ours == upstream_metrics(view)


def test_a_kind_of_metric_that_is_not_covered_is_said_and_not_left_out() -> None:
    none = Buckets(0, [])
    point = ExponentialHistogramDataPoint({}, 0, 1, 0, 0.0, 0, 0, none, none, 0, 0.0, 0.0)
    metrics = [Metric("m", "", "", ExponentialHistogram([point], AggregationTemporality.CUMULATIVE))]
    view = MetricsData([ResourceMetrics(RESOURCES[0], [ScopeMetrics(SCOPES[1], metrics, "")], "")])
    with pytest.raises(NotCoveredError, match="ExponentialHistogram"):
        encode_metrics(view, Attributes(None))


def test_as_many_metrics_were_compared_as_this_size_asks_for() -> None:
    prove("metrics", ENCODED[0])
