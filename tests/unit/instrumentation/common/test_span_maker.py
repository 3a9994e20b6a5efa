"""Who makes the spans of hooks: light ones where somebody makes them, else the tracer, in the same words."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.trace import SpanKind

from otel_chatbot import _wiring
from otel_chatbot.distro.providers.light_maker import LightMaker
from otel_chatbot.instrumentation.common.span_maker import SpanMaker, maker_of


@pytest.mark.parametrize("exceptions", [True, False])
def test_the_tracer_makes_them_where_nobody_else_does(monkeypatch: pytest.MonkeyPatch, exceptions: bool) -> None:
    monkeypatch.setattr(_wiring, "LIGHT_SPANS", lambda *_about: None)
    maker = maker_of(TracerProvider(shutdown_on_exit=False).get_tracer("x"), exceptions=exceptions)
    assert type(maker) is SpanMaker
    assert maker.decide(Context()) is None
    span = maker.start("find", Context(), SpanKind.CLIENT, {"a": 1}, 5)
    assert isinstance(span, Span)
    assert (span.name, span.kind, dict(span.attributes or {}), span.start_time) == ("find", SpanKind.CLIENT, {"a": 1}, 5)
    assert (span._record_exception, span._set_status_on_exception) == (exceptions, exceptions)


def test_light_ones_are_made_of_an_sdks_tracer() -> None:
    assert isinstance(maker_of(TracerProvider(shutdown_on_exit=False).get_tracer("x")), LightMaker)


@pytest.mark.parametrize("tracer", [trace.NoOpTracer(), trace.ProxyTracer("x")])
def test_a_tracer_that_is_not_the_sdks_makes_its_own(tracer: trace.Tracer) -> None:
    maker = maker_of(tracer)
    assert type(maker) is SpanMaker
    assert not maker.start("x", Context(), SpanKind.CLIENT, {}).is_recording()
