"""A light span reads, to every processor, as the SDK's span does: whatever the same operations are that both go through."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as upstream_encoded
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from otel_chatbot.distro.delivery.encoding.attributes import Attributes
from otel_chatbot.distro.delivery.encoding.traces import encode_spans
from otel_chatbot.distro.providers.lazy_processors import LazySpanProcessor
from otel_chatbot.distro.providers.light_maker import LightMaker, maker
from otel_chatbot.distro.providers.light_spans import LightSpan
from otel_chatbot.distro.providers.probe_traces import ProbeTraceProcessor

Operation = Callable[[Span], object]


class Seen(SpanProcessor):
    """An application's own processor, which looks at a span at each of its stages and adds to it."""

    def __init__(self) -> None:
        self.read: list[Any] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.read.append(("start", read(span), parent_context))
        span.set_attribute("at.start", len(span.attributes or {}))

    def _on_ending(self, span: Span) -> None:
        self.read.append(("ending", read(span)))

    def on_end(self, span: ReadableSpan) -> None:
        self.read.append(("end", read(span), isinstance(span, Span)))


def read(span: ReadableSpan) -> dict[str, Any]:
    """All that can be read of a span, but for its ids."""
    return {
        "name": span.name,
        "kind": span.kind,
        "parent": span.parent,
        "start": span.start_time,
        "end": _time(span.end_time),
        "status": (span.status.status_code, span.status.description),
        "attributes": list((span.attributes or {}).items()),
        "view": type(span.attributes),
        "events": [
            (event.name, list((event.attributes or {}).items()), event.dropped_attributes, _time(event.timestamp))
            for event in span.events
        ],
        "links": [(link.context, list((link.attributes or {}).items()), link.dropped_attributes) for link in span.links],
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
        "resource": span.resource,
        "scope": span.instrumentation_scope,
    }


def _time(stamp: int | None) -> object:
    """A time that an operation has given, or the clock's."""
    return stamp if stamp is None or stamp < 100 else "now"


KEYS = st.sampled_from(["a", "b", "c", "http.route", ""]) | st.text(max_size=3) | st.just(7)
NAMES = st.sampled_from(["a", "b", "c", "many.1", ""])
PLAIN = st.text(max_size=5) | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.binary(max_size=3) | st.none()
VALUES = st.recursive(
    PLAIN | st.builds(object) | st.lists(st.text(max_size=5) | st.integers(), max_size=3).map(tuple),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=4,
)
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=4)
CONTEXTS = st.builds(
    SpanContext,
    st.integers(0, 3),
    st.integers(0, 3),
    is_remote=st.booleans(),
    trace_flags=st.sampled_from([TraceFlags(0), TraceFlags(3)]),
)
CODES = st.sampled_from(list(StatusCode))


class Refused(Exception):  # noqa: N818 - an application's exception
    """What an application raises."""


def many(span: Span, count: int) -> None:
    for number in range(count):
        span.set_attribute(f"many.{number}", number)


OPERATIONS: st.SearchStrategy[Operation] = st.one_of(
    st.builds(lambda key, value: lambda span: span.set_attribute(key, value), KEYS, VALUES),
    st.builds(lambda found: lambda span: span.set_attributes(found), ATTRIBUTES),
    st.builds(lambda found: lambda span: span.set_attributes(found), st.dictionaries(NAMES, PLAIN, max_size=4)),
    st.builds(lambda key, value: lambda span: span.set_attribute(key, value), NAMES, PLAIN),
    st.builds(
        lambda first, last: lambda span: span.set_attributes(dict.fromkeys(map(str, range(first, last)), 1)),
        *[st.integers(0, 90)] * 2,
    ),
    st.builds(lambda found: lambda span: span.set_attributes(MappingProxyType(found)), ATTRIBUTES),
    st.builds(lambda count: lambda span: many(span, count), st.integers(0, 130)),
    st.builds(lambda name, found: lambda span: span.add_event(name, found, 5), st.text(max_size=4), ATTRIBUTES | st.none()),
    st.builds(lambda context, found: lambda span: span.add_link(context, found), CONTEXTS, ATTRIBUTES | st.none()),
    st.builds(lambda name: lambda span: span.update_name(name), st.text(max_size=4)),
    st.builds(lambda code, text: lambda span: span.set_status(code, text), CODES, st.text(max_size=4) | st.none()),
    st.builds(lambda code: lambda span: span.set_status(Status(code)), CODES),
    st.just(lambda span: span.record_exception(Refused("no"), timestamp=6)),
    st.just(lambda span: span.__exit__(Refused, Refused("left"), None)),
    st.just(lambda span: span.attributes),
    st.just(lambda span: span.end(9)),
)


def outcome(operation: Operation, span: Span) -> object:
    try:
        operation(span)
    except Exception as error:
        return type(error)
    return None


def provider(*processors: SpanProcessor, limits: SpanLimits | None = None, **more: Any) -> TracerProvider:
    made = TracerProvider(resource=Resource({"app": "x"}), shutdown_on_exit=False, span_limits=limits, **more)
    for processor in processors:
        made.add_span_processor(processor)
    return made


def light_maker(source: TracerProvider, *, exceptions: bool = False) -> LightMaker:
    found = maker(source.get_tracer("ours", "1", "https://example/schema"), exceptions)
    assert found is not None
    return found


@settings(max_examples=400)
@given(
    attributes=st.dictionaries(st.text(min_size=1, max_size=3), VALUES, max_size=4),
    operations=st.lists(OPERATIONS, max_size=6),
    parent=st.none() | CONTEXTS,
    exceptions=st.booleans(),
    fewer=st.booleans(),
)
def test_the_sdks_span_and_ours_read_the_same_after_the_same_operations(
    attributes: dict[str, Any], operations: list[Operation], parent: SpanContext | None, exceptions: bool, fewer: bool
) -> None:
    logging.disable(logging.CRITICAL)  # the SDK warns of each value that it refuses
    try:
        context = Context() if parent is None else trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())
        found = []
        for light in (False, True):
            seen = Seen()
            limits = SpanLimits(max_span_attributes=70, max_events=2, max_links=1, max_event_attributes=1) if fewer else None
            source = provider(seen, limits=limits)
            if light:
                span = light_maker(source, exceptions=exceptions).start("GET /", context, SpanKind.SERVER, dict(attributes), 1)
            else:
                span = source.get_tracer("ours", "1", "https://example/schema").start_span(
                    "GET /", context, SpanKind.SERVER, attributes, start_time=1,
                    record_exception=exceptions, set_status_on_exception=exceptions,
                )  # fmt: skip
            assert isinstance(span, LightSpan) is (light and span.is_recording())
            outcomes = [outcome(operation, span) for operation in operations]  # type: ignore[arg-type]
            span.end(8)
            flags = span.get_span_context().trace_flags, span.get_span_context().trace_state
            found.append((outcomes, seen.read, flags, span.is_recording()))
        assert found[0] == found[1]
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("ours", [True, False])
def test_what_is_exported_of_a_light_span_is_what_upstream_exports_of_the_sdks(ours: bool) -> None:
    exporter = InMemorySpanExporter()
    processor = LazySpanProcessor(exporter)
    source = provider(ProbeTraceProcessor(processor), *([] if ours else [Seen()]))
    span = light_maker(source).start("find", Context(), SpanKind.CLIENT, {"db.system": "mongodb", "server.port": 1}, 1)
    span.set_attribute("late", ("a", "b"))
    span.add_event("seen", {"x": 1})
    span.set_status(StatusCode.ERROR, "no")
    span.end(5)
    processor.force_flush()
    [ended] = exporter.get_finished_spans()
    assert type(ended) is (LightSpan if ours else ReadableSpan)
    written = ExportTraceServiceRequest.FromString(encode_spans([ended], Attributes(None)))
    assert written == upstream_encoded([ended])
    assert ended.to_json() == ended._readable_span().to_json() if ours else True  # type: ignore[attr-defined]
    processor.shutdown()


@pytest.mark.parametrize("value", [("a", "b"), (), ("a", 1), ("a", None), (b"a",), (("a",),), ["a", "b"], (["a"],)], ids=repr)
def test_a_tuple_among_several_attributes_is_taken_as_the_sdk_takes_it(value: object) -> None:
    logging.disable(logging.CRITICAL)
    try:
        found = []
        for begin in (
            lambda source: light_maker(source).start("chat", Context(), SpanKind.CLIENT, {"a": 1}),
            lambda source: source.get_tracer("theirs").start_span("chat", Context(), SpanKind.CLIENT, {"a": 1}),
        ):
            span: Any = begin(provider())
            span.set_attributes({"reasons": value, "model": "x", "tokens": 7})
            span.end()
            found.append(dict(span.attributes))
        assert found[0] == found[1]
    finally:
        logging.disable(logging.NOTSET)
