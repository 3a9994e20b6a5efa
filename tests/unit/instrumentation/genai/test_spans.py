"""Spans of AI calls: in the conventions' words, none where another tool makes one, and no word of what was said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import attach, detach, set_value
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from otel_chatbot import config
from otel_chatbot.instrumentation.genai import call, spans
from otel_chatbot.instrumentation.genai.call import Call
from otel_chatbot.instrumentation.genai.cost import Usage
from otel_chatbot.instrumentation.genai.protocols.answer import Answer
from otel_chatbot.instrumentation.genai.protocols.protocol import ModelRequest
from otel_chatbot.instrumentation.genai.recognise import Place
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv.attributes import GenAiOperation

PLACE = Place("llm.example", 8080, "/v1/chat/completions")
ASKED = ModelRequest("gpt-4o", attributes={a.GEN_AI_TEMPERATURE: 0.5}, said="a secret")


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    found = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(found))
    spans.use(provider)
    yield found
    call.end_abandoned()
    spans.off()


def finished(exporter: InMemorySpanExporter) -> Any:
    (span,) = exporter.get_finished_spans()
    return span


def test_a_span_has_the_conventions_name_kind_and_attributes(exporter: InMemorySpanExporter) -> None:
    made = Call("openai", ModelRequest("gpt-4o", streamed=True, attributes=ASKED.attributes), PLACE)
    made.answer = Answer()
    made.answer.by("gpt-4o-2024-08-06", "chatcmpl-1")
    made.answer.finished("stop")
    made.answer.tool(0, "find")
    made.answer.used(10, 4, cached=6)
    made.end()
    span = finished(exporter)
    assert (span.name, span.kind) == ("chat gpt-4o", SpanKind.CLIENT)
    assert dict(span.attributes) | {a.COST: None} == {
        a.GEN_AI_OPERATION: "chat", a.GEN_AI_PROVIDER: "openai", a.GEN_AI_REQUEST_MODEL: "gpt-4o",
        a.SERVER_ADDRESS: "llm.example", a.SERVER_PORT: 8080, a.GEN_AI_TEMPERATURE: 0.5, a.GEN_AI_REQUEST_STREAM: True,
        a.GEN_AI_RESPONSE_MODEL: "gpt-4o-2024-08-06", a.GEN_AI_RESPONSE_ID: "chatcmpl-1", a.GEN_AI_FINISH_REASONS: ("stop",),
        a.AI_TOOL_CALLS: ("find",), a.GEN_AI_INPUT_TOKENS: 10, a.GEN_AI_OUTPUT_TOKENS: 4, a.GEN_AI_CACHE_READ_TOKENS: 6,
        a.COST: None,
    }  # fmt: skip


def test_a_call_without_a_model_is_named_by_its_operation_and_the_schemes_port_is_left_out(
    exporter: InMemorySpanExporter,
) -> None:
    made = Call("openai", ModelRequest("", operation=GenAiOperation.EMBEDDINGS), PLACE._replace(port=443))
    made.usage = Usage(3, 9)
    made.end()
    span = finished(exporter)
    assert span.name == "embeddings"
    assert a.SERVER_PORT not in span.attributes
    assert span.attributes[a.GEN_AI_INPUT_TOKENS] == 3
    assert a.GEN_AI_OUTPUT_TOKENS not in span.attributes


def test_a_failure_is_told_by_its_kind_alone(exporter: InMemorySpanExporter) -> None:
    Call("openai", ASKED, PLACE).end(ValueError("a secret of the prompt"))
    span = finished(exporter)
    assert (span.status.status_code, span.status.description) == (trace.StatusCode.ERROR, "ValueError")
    assert span.attributes[a.ERROR_TYPE] == "ValueError"
    assert "secret" not in span.to_json()


@pytest.mark.parametrize(
    ("given", "theirs"),
    [
        ({a.GEN_AI_OPERATION: "chat"}, True),
        ({a.GEN_AI_OPERATION: "execute_tool"}, False),
        ({a.GEN_AI_OPERATION: "invoke_agent", a.GEN_AI_REQUEST_MODEL: "m", a.GEN_AI_SYSTEM: "openai"}, False),
        ({a.LLM_REQUEST_TYPE: "chat"}, True),
        ({a.OPENINFERENCE_KIND: "LLM"}, True),
        ({a.OPENINFERENCE_KIND: "CHAIN", a.LLM_REQUEST_TYPE: None}, True),
        ({a.OPENINFERENCE_KIND: "CHAIN"}, False),
        ({a.GEN_AI_REQUEST_MODEL: "m", a.GEN_AI_SYSTEM: "openai"}, True),
        ({a.GEN_AI_REQUEST_MODEL: "m", a.GEN_AI_PROVIDER: "openai"}, True),
        ({a.GEN_AI_REQUEST_MODEL: "m"}, False),
        ({"http.route": "/ask"}, False),
        ({}, False),
    ],
)
def test_another_tools_span_of_a_model_call_is_known_by_its_attributes(given: dict[str, Any], theirs: bool) -> None:
    class Span:
        attributes = given

    assert spans.is_theirs(Span()) is theirs
    assert spans.is_theirs(trace.INVALID_SPAN) is False


def test_inside_of_another_tools_span_of_the_call_none_is_made(exporter: InMemorySpanExporter) -> None:
    with (
        TracerProvider(shutdown_on_exit=False)
        .get_tracer("theirs")
        .start_as_current_span("openai.chat", attributes={a.LLM_REQUEST_TYPE: "chat"})
    ):
        assert spans.start("openai", ASKED, PLACE) is None


def test_none_is_made_where_instrumenting_is_suppressed_or_switched_off(exporter: InMemorySpanExporter) -> None:
    token = attach(set_value("suppress_instrumentation", True))
    assert spans.start("openai", ASKED, PLACE) is None
    detach(token)
    assert spans.start("openai", ASKED, PLACE) is not None
    spans.off()
    assert spans.start("openai", ASKED, PLACE) is None
    spans.use_if_off()
    assert spans.Spans.on


def test_below_a_span_that_is_not_sampled_none_is_made_and_a_sampler_that_drops_gives_one_that_records_nothing() -> None:
    spans.use(TracerProvider(shutdown_on_exit=False))
    try:
        above = NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(0)))
        with trace.use_span(above):
            assert spans.start("openai", ASKED, PLACE) is None
        spans.use(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False))
        dropped = spans.start("openai", ASKED, PLACE)
        assert dropped is not None
        assert not dropped.is_recording()
    finally:
        spans.off()


@pytest.mark.parametrize(
    ("settings", "captures"),
    [
        ({}, False),
        ({"capture_content": True}, True),
        ({"message_content": "SPAN_ONLY"}, True),
        ({"message_content": "span_and_event"}, True),
        ({"message_content": "event_only", "capture_content": True}, False),
        ({"message_content": "false", "capture_content": True}, False),
    ],
)
def test_the_standards_own_setting_of_content_goes_before_ours(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], captures: bool
) -> None:
    monkeypatch.setattr(spans.config, "current", lambda: config.Settings(**settings))
    assert spans.captures_content() is captures
