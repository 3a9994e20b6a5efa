"""Light spans are sampled and named as the SDK's are; where anything unusual is set up, the SDK makes the span."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    AlwaysRecordSampler,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState

from otel_chatbot.distro.providers import light_maker
from otel_chatbot.distro.providers.light_maker import LightMaker
from otel_chatbot.distro.providers.light_spans import LightSpan

SAMPLERS = [
    ALWAYS_ON,
    ALWAYS_OFF,
    TraceIdRatioBased(0.5),
    ParentBased(ALWAYS_ON),
    ParentBased(ALWAYS_OFF),
    ParentBasedTraceIdRatio(0.3),
    ParentBased(ALWAYS_OFF, ALWAYS_OFF, ALWAYS_ON, ALWAYS_OFF, TraceIdRatioBased(0.4)),
]
LOW_HALVES = [1, int(0.29 * 2**64), int(0.45 * 2**64), 2**64 - 1]


def made(source: TracerProvider) -> LightMaker:
    found = light_maker.maker(source.get_tracer("ours"), False)
    assert found is not None
    return found


def started(maker: LightMaker, context: Context | None = None) -> trace.Span:
    return maker.start("x", Context() if context is None else context, SpanKind.CLIENT, {"a": 1})


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.get_description())
def test_a_sampler_decides_over_light_spans_as_over_the_sdks(sampler: Sampler, monkeypatch: pytest.MonkeyPatch) -> None:
    state = TraceState([("k", "v")])
    parents = [None] + [
        SpanContext(1 << 100 | low, 7, remote, TraceFlags(flags), state)
        for low in LOW_HALVES
        for remote in (True, False)
        for flags in range(4)
    ]
    source = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    maker, tracer = made(source), source.get_tracer("ours")
    for parent in parents:
        for low in LOW_HALVES if parent is None else [5]:
            monkeypatch.setattr(random, "getrandbits", lambda bits, low=low: (1 << 100 | low) % (1 << bits) or 9)
            context = Context() if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), Context())
            ours, theirs = started(maker, context), tracer.start_span("x", context, SpanKind.CLIENT, {"a": 1})
            assert ours.get_span_context() == theirs.get_span_context()
            assert ours.get_span_context().trace_state == theirs.get_span_context().trace_state
            assert isinstance(ours, LightSpan) is theirs.is_recording() is isinstance(theirs, sdk.Span)
            assert getattr(ours, "parent", None) == getattr(theirs, "parent", None)


class Counting(IdGenerator):
    """Ids of an application's own."""

    def __init__(self) -> None:
        self.last = 100

    def generate_span_id(self) -> int:
        self.last += 1
        return self.last

    generate_trace_id = generate_span_id


class Own(Sampler):
    """A sampler of an application's own, which decides on attributes and adds some."""

    def should_sample(
        self, parent_context: Any, trace_id: int, name: str, kind: Any = None, attributes: Any = None, links: Any = None
    ) -> Any:
        return ALWAYS_ON.should_sample(parent_context, trace_id, name, kind, {**attributes, "own": True}, links)

    def get_description(self) -> str:
        return "own"


@pytest.mark.parametrize(
    "source",
    [
        lambda: TracerProvider(sampler=Own(), shutdown_on_exit=False),
        lambda: TracerProvider(sampler=ParentBased(Own()), shutdown_on_exit=False),
        lambda: TracerProvider(sampler=AlwaysRecordSampler(ALWAYS_OFF), shutdown_on_exit=False),
        lambda: TracerProvider(id_generator=Counting(), shutdown_on_exit=False),
        lambda: TracerProvider(span_limits=SpanLimits(max_span_attribute_length=3), shutdown_on_exit=False),
        lambda: TracerProvider(span_limits=SpanLimits(max_span_attributes=2), shutdown_on_exit=False),
    ],
    ids=["sampler", "root sampler", "recording sampler", "ids", "length", "count"],
)
def test_the_sdk_makes_the_span_where_anything_unusual_is_set_up(source: Callable[[], TracerProvider]) -> None:
    maker = made(source())
    assert maker.decide(Context()) is None
    span = started(maker)
    assert isinstance(span, sdk.Span)
    assert not isinstance(span, LightSpan)


def test_the_sdk_makes_the_span_where_it_counts_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    source = TracerProvider(meter_provider=MeterProvider(shutdown_on_exit=False), shutdown_on_exit=False)
    assert not isinstance(started(made(source)), LightSpan)


def test_the_sdk_makes_the_span_where_somebody_replaces_the_method_that_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    maker = made(TracerProvider(shutdown_on_exit=False))
    monkeypatch.setattr(sdk.Tracer, "start_span", lambda *_args, **_kwargs: trace.INVALID_SPAN)
    assert started(maker) is trace.INVALID_SPAN


def test_a_tracer_that_is_switched_off_makes_none() -> None:
    source = TracerProvider(shutdown_on_exit=False)
    maker = made(source)
    source._set_tracer_configurator(tracer_configurator=sdk._disable_tracer_configurator)
    assert not started(maker).is_recording()


def test_what_changes_on_the_tracer_counts_for_the_next_span() -> None:
    source = TracerProvider(shutdown_on_exit=False)
    maker = made(source)
    first = started(maker)
    tracer: Any = source.get_tracer("ours")
    tracer.sampler = ALWAYS_OFF
    assert isinstance(first, LightSpan)
    assert not started(maker).is_recording()
    tracer.sampler, tracer.id_generator = ALWAYS_ON, Counting()
    assert started(maker).get_span_context().span_id < 200


def test_no_light_spans_where_the_sdk_keeps_more_in_its_spans_than_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    light_maker._is_known.cache_clear()
    monkeypatch.setattr(light_maker, "HELD", light_maker.HELD - {"_links"})
    try:
        assert light_maker.maker(TracerProvider(shutdown_on_exit=False).get_tracer("ours"), False) is None
    finally:
        light_maker._is_known.cache_clear()


def test_ids_are_random_where_the_sdks_are() -> None:
    assert RandomIdGenerator().is_trace_id_random()
    maker = made(TracerProvider(shutdown_on_exit=False))
    contexts = [started(maker).get_span_context() for _ in range(50)]
    assert len({context.trace_id for context in contexts}) == len({context.span_id for context in contexts}) == 50
    assert all(context.trace_flags == 3 for context in contexts)


def test_nobody_makes_light_spans_of_a_tracer_that_is_not_the_sdks() -> None:
    assert light_maker.maker(trace.NoOpTracer(), False) is None
