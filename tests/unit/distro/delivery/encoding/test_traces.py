"""What our encoder writes of spans is, read back, the message that upstream's encoder builds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as upstream_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode
from support.encoding_cases import ATTRIBUTES, CASES, RESOURCES, SCOPES, TEXT, TIME, context, prove

from otel_chatbot.distro.delivery.encoding.attributes import Attributes
from otel_chatbot.distro.delivery.encoding.traces import encode_spans

ENCODED = [0]
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
    ENCODED[0] += len(spans)
    ours = ExportTraceServiceRequest.FromString(encode_spans(spans, Attributes(None)))
    theirs = upstream_spans(spans)
    for one in (each for group in theirs.resource_spans for scope in group.scope_spans for each in scope.spans):
        one.end_time_unix_nano = max(one.end_time_unix_nano, one.start_time_unix_nano)  # ours end after they began
    assert ours == theirs


def test_a_span_of_the_sdk_with_dropped_items_is_the_message_that_upstream_builds() -> None:
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


def test_a_span_without_a_context_is_refused() -> None:
    with pytest.raises(ValueError, match="a span without a context"):
        encode_spans([ReadableSpan("n")], Attributes(None))


def test_as_many_spans_were_compared_as_this_size_asks_for() -> None:
    prove("spans", ENCODED[0])
