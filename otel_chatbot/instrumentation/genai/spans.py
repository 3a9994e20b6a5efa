"""The spans of AI calls, in the names and attributes of OpenTelemetry's instrumentation of the openai client.

Fed by `genai.call.Call`; feeds the tracer. Figures do not come from here: without a span they are the same. Where the current
span is another tool's for this very call, none is made.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TracerProvider

from ... import config
from ..._guard import report
from ...metrics.series import SPAN_KEY, get_current
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

_MARKS: Final = frozenset({a.GEN_AI_OPERATION, a.LLM_REQUEST_TYPE, a.OPENINFERENCE_KIND, a.GEN_AI_REQUEST_MODEL})
"""Without one of these attributes, no span is one of a model call."""


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
    if not told or _MARKS.isdisjoint(told):
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
        if maker.drops(context) or is_suppressed(context) or (SPAN_KEY in context and is_theirs(context[SPAN_KEY])):
            return None
        decided = maker.decide(context)
        if decided is None:
            if Spans.follows and is_unsampled(context):
                return None
        elif not decided[0][3] & 1:  # the flags of who it is to be
            return NonRecordingSpan(decided[0])
        name, told = _named(asked.operation, provider, asked.model, place)
        return maker.start(name, context, SpanKind.CLIENT, told.copy(), None, decided)
    except Exception as error:
        report("starting the span of an AI call", error)
        return None


@functools.lru_cache(maxsize=256)
def _named(operation: a.GenAiOperation, provider: str, model: str, place: Place | None) -> tuple[str, dict[str, Any]]:
    """The name of a call's span, and the attributes that it begins with."""
    told: dict[str, Any] = {a.GEN_AI_OPERATION: operation.value, a.GEN_AI_PROVIDER: provider, a.GEN_AI_REQUEST_MODEL: model}
    if place is not None and place.host:
        told[a.SERVER_ADDRESS] = place.host
        if place.port and place.port != 443:
            told[a.SERVER_PORT] = place.port
    return f"{operation.value} {model}" if model else operation.value, told


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


def end(span: Span, call: Call, attributes: dict[str, Any]) -> None:
    """Tell the end of a call on its span. Never raises."""
    try:
        try:
            if span.is_recording():
                _tell(span, call, attributes)
        finally:
            span.end()
    except Exception as error:
        report("ending the span of an AI call", error)


def _tell(span: Span, call: Call, attributes: dict[str, Any]) -> None:
    told = {**call.asked.attributes}
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
    answer = call.answer
    if answer is not None:
        _answered(answer, call, told)
    told |= attributes
    span.set_attributes(told)
    if answer is not None and answer.finish:
        # Apart: where all values are plain, those above take a third of the time.
        span.set_attribute(a.GEN_AI_FINISH_REASONS, tuple(answer.finish.values()))
    if call.failure is not None:
        # The message of a client's error may quote the prompt: the class alone is told.
        span.set_status(Status(StatusCode.ERROR, call.failure))


def _answered(answer: Answer, call: Call, told: dict[str, Any]) -> None:
    told |= answer.attributes
    if answer.id is not None:
        told[a.GEN_AI_RESPONSE_ID] = answer.id
    if answer.tools:
        names = tuple(tool.name for tool in answer.tools.values() if tool.name)
        if names:
            told[a.AI_TOOL_CALLS] = names
    if answer.keeps:
        told.update(content.asked(call.asked.body))
        told.update(content.answered(answer))
