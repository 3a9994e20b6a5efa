"""The spans of AI calls, in the names and attributes of OpenTelemetry's instrumentation of the openai client.

Fed by `genai.call.Call`; feeds the tracer. Figures do not come from here: without a span they are the same. Where the current
span is another tool's for this very call, none is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TracerProvider

from ... import config
from ..._guard import never_raise, report
from ...metrics.series import get_current
from ...semconv import attributes as a
from ...semconv.spec import SCOPE
from ..common import chat_turn
from ..common.client_spans import follows, is_suppressed, is_unsampled
from ..common.span_maker import SpanMaker, maker_of
from . import content
from .protocols.answer import Answer
from .protocols.protocol import ModelRequest

if TYPE_CHECKING:
    from .call import Call
    from .recognise import Place

_MODEL_CALLS: Final = frozenset({"chat", "text_completion", "completion", "embeddings", "generate_content"})


class Spans:
    """What makes the spans of AI calls."""

    on = False
    provider: TracerProvider | None = None
    maker: SpanMaker | None = None
    follows = False
    """Whether nothing is sampled below a span of this process that is not sampled itself."""


def use(tracer_provider: TracerProvider | None = None) -> None:
    """Make spans from now on, with this provider or else the global one."""
    Spans.on, Spans.provider, Spans.maker = True, tracer_provider, None


def use_if_off() -> None:
    """Make spans from now on, where nobody has said so."""
    if not Spans.on:
        use()


def off() -> None:
    """Make no more spans."""
    Spans.on, Spans.maker = False, None


def captures_content() -> bool:
    """Whether prompts and answers are put on spans."""
    return config.current().captures


def is_theirs(span: Any) -> bool:
    """Whether a span is another tool's of a model call."""
    told = getattr(span, "told", None) or getattr(span, "attributes", None)  # `told`: a light span of ours
    if not told:
        return False
    operation = told.get(a.GEN_AI_OPERATION)
    if operation is not None:
        return operation in _MODEL_CALLS
    if a.LLM_REQUEST_TYPE in told:
        return True
    kind = told.get(a.OPENINFERENCE_KIND)
    if kind is not None:
        return kind in ("LLM", "EMBEDDING")
    return a.GEN_AI_REQUEST_MODEL in told and (a.GEN_AI_SYSTEM in told or a.GEN_AI_PROVIDER in told)


def theirs() -> SpanContext | None:
    """The current span, if it is another tool's of a model call."""
    span = trace.get_current_span()
    return span.get_span_context() if is_theirs(span) else None


def start(provider: str, asked: ModelRequest, place: Place | None) -> Span | None:
    """Begin the span of a call; None where there is to be none. Never raises."""
    if not Spans.on:
        return None
    try:
        maker = Spans.maker or _make()
        context = get_current()
        if (Spans.follows and is_unsampled(context)) or is_suppressed(context):
            return None
        if is_theirs(trace.get_current_span(context)):
            return None
        decided = maker.decide(context)
        if decided is not None and not decided[0].trace_flags & TraceFlags.SAMPLED:
            return NonRecordingSpan(decided[0])
        operation = asked.operation._value_
        told: dict[str, Any] = {a.GEN_AI_OPERATION: operation, a.GEN_AI_PROVIDER: provider, a.GEN_AI_REQUEST_MODEL: asked.model}
        if place is not None and place.host:
            told[a.SERVER_ADDRESS] = place.host
            if place.port and place.port != 443:
                told[a.SERVER_PORT] = place.port
        name = f"{operation} {asked.model}" if asked.model else operation
        return maker.start(name, context, SpanKind.CLIENT, told, None, decided)
    except Exception as error:
        report("starting the span of an AI call", error)
        return None


def start_run(name: str, told: dict[str, Any]) -> Span | None:
    """Begin the span of a run of a tool, an agent or a chain; None where there is to be none."""
    maker = Spans.maker or _make()
    context = get_current()
    if is_suppressed(context) or (Spans.follows and is_unsampled(context)):
        return None
    return maker.start(name, context, SpanKind.INTERNAL, told)


def _make() -> SpanMaker:
    source = Spans.provider or trace.get_tracer_provider()
    Spans.follows = follows(source)
    Spans.maker = maker_of(source.get_tracer(SCOPE))
    return Spans.maker


@never_raise
def end(span: Span | None, call: Call, attributes: dict[str, Any]) -> None:
    """Tell the end of a call on its span."""
    if span is None:
        return
    try:
        if span.is_recording():
            span.set_attributes({**call.asked.attributes, **_told(call), **attributes})
            if call.failure is not None:
                # The message of a client's error may quote the prompt: the class alone is told.
                span.set_status(Status(StatusCode.ERROR, call.failure))
    finally:
        span.end()


def _told(call: Call) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if call.asked.streamed:
        told[a.GEN_AI_REQUEST_STREAM] = True
    if call.failure is not None:
        told[a.ERROR_TYPE] = call.failure
    if call.response_model is not None:
        told[a.GEN_AI_RESPONSE_MODEL] = call.response_model
    if call.usage is not None:
        told[a.GEN_AI_INPUT_TOKENS] = call.usage.input
        if call.operation is not a.GenAiOperation.EMBEDDINGS:
            told[a.GEN_AI_OUTPUT_TOKENS] = call.usage.output
    conversation = chat_turn.conversation_id()
    if conversation is not None:
        told[a.GEN_AI_CONVERSATION_ID] = conversation
    if call.answer is not None:
        _answered(call.answer, call, told)
    return told


def _answered(answer: Answer, call: Call, told: dict[str, Any]) -> None:
    told.update(answer.attributes)
    if answer.id is not None:
        told[a.GEN_AI_RESPONSE_ID] = answer.id
    if answer.finish:
        told[a.GEN_AI_FINISH_REASONS] = tuple(answer.finish.values())
    names = tuple(tool.name for tool in answer.tools.values() if tool.name)
    if names:
        told[a.AI_TOOL_CALLS] = names
    if answer.keeps:
        told.update(content.asked(call.asked.body))
        told.update(content.answered(answer))
