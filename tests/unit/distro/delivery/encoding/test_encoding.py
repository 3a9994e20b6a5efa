"""What our encoder writes is, read back, the message that upstream's encoder builds: for spans, log records and metrics."""

from __future__ import annotations

import math
import os
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as upstream_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics as upstream_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as upstream_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
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
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from support.proofs import record_proof

from otel_chatbot.distro.delivery.encoding.attributes import Attributes
from otel_chatbot.distro.delivery.encoding.logs import encode_logs
from otel_chatbot.distro.delivery.encoding.metrics import NotCoveredError, encode_metrics
from otel_chatbot.distro.delivery.encoding.traces import encode_spans

SCALE = int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1"))
CASES = 100 if SCALE == 1 else 34_000
"""Per signal; `make proof` tries 100,000 in all."""
ENCODED = {"spans": 0, "log records": 0, "metrics": 0}

TEXT = st.text(max_size=20)
INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT = st.floats(allow_nan=False)
SCALAR = st.one_of(TEXT, st.booleans(), INT64, FLOAT)
VALUE = st.recursive(
    st.one_of(SCALAR, st.binary(max_size=12), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(TEXT, VALUE, max_size=6)
TIME = st.integers(0, 2**63 - 1)
COUNT = st.integers(0, 2**32 - 1)
RESOURCES = [
    Resource({}),
    Resource({"service.name": "a", "n": 3, "f": 0.5, "l": ["x"]}, "https://schema/r"),
    Resource({"b": True}),
]
SCOPES = [
    None,
    InstrumentationScope("one"),
    InstrumentationScope("two", "1.0", "https://schema/s", {"a": 1}),
    InstrumentationScope("one"),
]

context = st.builds(
    SpanContext,
    trace_id=st.integers(1, 2**128 - 1),
    span_id=st.integers(1, 2**64 - 1),
    is_remote=st.booleans(),
    trace_flags=st.sampled_from([TraceFlags(0), TraceFlags(1), TraceFlags(3)]),
    trace_state=st.sampled_from([TraceState(), TraceState([("a", "1"), ("b", "2")])]),
)
event = st.builds(Event, TEXT, ATTRIBUTES, TIME)
status = st.one_of(
    st.just(Status()),
    st.just(Status(StatusCode.OK)),
    st.builds(lambda text: Status(StatusCode.ERROR, text), st.one_of(st.none(), TEXT)),
)
span = st.builds(
    ReadableSpan,
    name=TEXT,
    context=context,
    parent=st.one_of(st.none(), context),
    resource=st.sampled_from(RESOURCES),
    attributes=ATTRIBUTES,
    events=st.lists(event, max_size=3),
    links=st.lists(st.builds(Link, context, ATTRIBUTES), max_size=3),
    kind=st.sampled_from(list(SpanKind)),
    status=status,
    start_time=TIME,
    end_time=TIME,
    instrumentation_scope=st.sampled_from(SCOPES),
)


@settings(max_examples=CASES)
@given(st.lists(span, max_size=5))
def test_spans_are_the_message_that_upstream_builds(spans: list[ReadableSpan]) -> None:
    ENCODED["spans"] += len(spans)
    ours = ExportTraceServiceRequest.FromString(encode_spans(spans, Attributes(None)))
    assert ours == upstream_spans(spans)


record = st.builds(
    lambda body, attributes, **fields: LogRecord(body=body, attributes=attributes, **fields),
    body=VALUE,
    attributes=st.one_of(st.none(), ATTRIBUTES),
    timestamp=st.one_of(st.none(), TIME),
    observed_timestamp=TIME,
    context=st.none(),
    severity_text=st.one_of(st.none(), TEXT),
    severity_number=st.one_of(st.none(), st.sampled_from(list(SeverityNumber))),
    event_name=st.one_of(st.none(), TEXT),
)
traced = st.tuples(record, st.one_of(st.none(), context)).map(lambda pair: _traced(*pair))


def _traced(made: LogRecord, inside: SpanContext | None) -> LogRecord:
    if inside is not None:
        made.trace_id, made.span_id, made.trace_flags = inside.trace_id, inside.span_id, inside.trace_flags
    return made


readable = st.builds(ReadableLogRecord, traced, st.sampled_from(RESOURCES), st.sampled_from(SCOPES))


@settings(max_examples=CASES)
@given(st.lists(readable, max_size=5))
def test_log_records_are_the_message_that_upstream_builds(batch: list[ReadableLogRecord]) -> None:
    ENCODED["log records"] += len(batch)
    ours = ExportLogsServiceRequest.FromString(encode_logs(batch, Attributes(None)))
    assert ours == upstream_logs(batch)


NUMBER = st.one_of(INT64, FLOAT)
exemplar = st.builds(
    Exemplar,
    ATTRIBUTES,
    NUMBER,
    TIME,
    st.one_of(st.none(), st.integers(0, 2**64 - 1)),
    st.one_of(st.none(), st.integers(0, 2**128 - 1)),
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
    ENCODED["metrics"] += len(metrics)
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


def test_a_span_of_the_sdk_with_dropped_items_is_the_message_that_upstream_builds() -> None:
    from opentelemetry.sdk.trace import SpanLimits

    limits = SpanLimits(max_attributes=1, max_events=1, max_links=1, max_event_attributes=1, max_link_attributes=1)
    tracer = TracerProvider(span_limits=limits, resource=RESOURCES[1]).get_tracer("t", "1", "https://schema/t")
    link = Link(SpanContext(1, 2, True), {"a": 1, "b": 2})
    made = tracer.start_span("n", attributes={"a": "x", "b": "y"}, links=[link, link])
    for _ in range(3):
        made.add_event("e", {"a": 1, "b": (1.5, 2.5)})
    made.end()
    ours = ExportTraceServiceRequest.FromString(encode_spans([made, made], Attributes(None)))
    assert ours == upstream_spans([made, made])
    assert ours.resource_spans[0].scope_spans[0].spans[0].dropped_events_count == 2


def test_numbers_that_are_equal_in_python_stay_what_they_are() -> None:
    attributes = Attributes(None)
    for value in (1, True, 1.0, 0, False, 0.0, -0.0, (1,), (True,), (1.0,), "1"):
        made = ReadableSpan("n", SpanContext(1, 2, False), attributes={"k": value})
        sent = ExportTraceServiceRequest.FromString(encode_spans([made], attributes))
        assert sent == upstream_spans([made])
        found = sent.resource_spans[0].scope_spans[0].spans[0].attributes[0].value
        if value == 0 and isinstance(value, float):
            assert math.copysign(1, found.double_value) == math.copysign(1, value)


@pytest.mark.parametrize("bad", [2**64, object(), {1, 2}, "\ud800"])
def test_an_attribute_that_cannot_be_sent_is_left_out_and_takes_no_other_with_it(bad: object) -> None:
    made = ReadableSpan("n", SpanContext(1, 2, False), attributes=MappingProxyType({"a": 1, "bad": bad, "b": 2}))
    sent = ExportTraceServiceRequest.FromString(encode_spans([made], Attributes(None)))
    assert [pair.key for pair in sent.resource_spans[0].scope_spans[0].spans[0].attributes] == ["a", "b"]


def test_what_is_kept_stays_small_whatever_comes() -> None:
    attributes = Attributes(None)
    for number in range(30_000):
        attributes.encode(b"\x4a", {f"k{number}": f"v{number}", "long": "x" * 300 + str(number)}, [])
        attributes.text(b"\x2a", f"name {number}")
    assert len(attributes._pairs[b"\x4a"].found) <= 8192
    assert len(attributes._texts.found) <= 8192


def test_as_many_messages_were_compared_as_this_size_asks_for() -> None:
    record_proof(
        "OTLP messages of our encoder, read back, beside those of upstream's",
        **{f"{name} compared": n for name, n in ENCODED.items()},
        differences=0,
    )
