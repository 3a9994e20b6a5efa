"""Which spans of commands are made: those that somebody can see, and the sampler decides on every other."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, DEFAULT_OFF, DEFAULT_ON, Decision, ParentBased, Sampler
from opentelemetry.sdk.trace.sampling import SamplingResult as Result
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags

from otel_chatbot.instrumentation.common.client_spans import ClientSpans


class Watched(Sampler):
    """Samples what has the attribute `keep`; remembers what it was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None) -> Result:
        self.asked.append(name)
        return Result(Decision.RECORD_AND_SAMPLE if "keep" in (attributes or {}) else Decision.DROP, attributes)

    def get_description(self) -> str:
        return "Watched"


def spans_of(sampler: Sampler) -> ClientSpans:
    spans = ClientSpans("opentelemetry.instrumentation.pymongo", "PymongoInstrumentor")
    spans.switch_on(TracerProvider(sampler=sampler))
    return spans


def parent(*, sampled: bool, remote: bool = False) -> Span:
    return NonRecordingSpan(SpanContext(1, 2, remote, TraceFlags(int(sampled))))


def started(spans: ClientSpans, above: Span | None, **attributes: str) -> Span | None:
    from opentelemetry.context import attach, detach

    token = attach(Context() if above is None else trace.set_span_in_context(above, Context()))
    try:
        return spans.start("chat.find", {"db.namespace": "chat", **attributes})
    finally:
        detach(token)


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, DEFAULT_ON, DEFAULT_OFF], ids=Sampler.get_description)
def test_under_an_unsampled_span_none_is_made_where_the_sampler_would_drop_it(sampler: Sampler) -> None:
    assert started(spans_of(sampler), parent(sampled=False)) is None


@pytest.mark.parametrize(
    "sampler", [ALWAYS_ON, ParentBased(ALWAYS_OFF, local_parent_not_sampled=ALWAYS_ON)], ids=["on", "other"]
)
def test_under_an_unsampled_span_one_is_made_where_the_sampler_wants_it(sampler: Sampler) -> None:
    found = started(spans_of(sampler), parent(sampled=False))
    assert found is not None
    assert found.is_recording()


@pytest.mark.parametrize(
    "above", [None, parent(sampled=True), parent(sampled=False, remote=True)], ids=["none", "ours", "remote"]
)
def test_a_sampler_of_its_own_kind_is_asked_about_every_span_and_sees_its_attributes(above: Span | None) -> None:
    sampler = Watched()
    spans = spans_of(sampler)
    kept, dropped = started(spans, above, keep="yes"), started(spans, above)
    assert sampler.asked == ["chat.find"] * 2
    assert kept is not None
    assert kept.is_recording()
    assert dropped is not None
    assert not dropped.is_recording()


def test_a_span_has_the_name_the_kind_the_attributes_the_scope_and_the_parent() -> None:
    found = started(spans_of(DEFAULT_ON), parent(sampled=True))
    assert found is not None
    assert (found.name, found.kind, dict(found.attributes)) == ("chat.find", trace.SpanKind.CLIENT, {"db.namespace": "chat"})
    assert found.instrumentation_scope.name == "opentelemetry.instrumentation.pymongo"
    assert found.instrumentation_scope.schema_url == "https://opentelemetry.io/schemas/1.25.0"
    assert found.parent is not None
    assert (found.parent.trace_id, found.parent.span_id) == (1, 2)


def test_switched_off_there_is_none() -> None:
    spans = spans_of(DEFAULT_ON)
    spans.switch_off()
    assert started(spans, parent(sampled=True)) is None
