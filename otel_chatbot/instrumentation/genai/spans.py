"""The spans of AI calls, as OpenTelemetry's own package for GenAI instrumentations makes them.

Fed by `genai.call.Call`; feeds the tracer. A span is begun here, outside of upstream's instrumentation of a client, which
then begins none of its own but fills ours in (opentelemetry.util.genai, `SuppressedInferenceInvocation`): so the end of a
call, and what counts as a failure, are ours to tell, and what a request and an answer hold is upstream's to read.
Without the extra `genai` there are no spans of AI calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import TracerProvider

from ..._guard import never_raise
from ...semconv import attributes as a
from ...semconv.spec import SCOPE
from ..common import chat_turn
from ..common.tracing import GuardedTracerProvider

if TYPE_CHECKING:
    from .call import Call

NO_METRICS: Final = NoOpMeterProvider()
"""For upstream, whose own figures would be counted beside ours."""


class Spans:
    """What makes the spans of AI calls: None before `use`, and without the extra."""

    handler: Any = None


def use(tracer_provider: TracerProvider | None = None) -> None:
    """Make spans from now on. ImportError without the extra `genai`."""
    from opentelemetry.util.genai.handler import TelemetryHandler

    Spans.handler = TelemetryHandler(
        tracer_provider=GuardedTracerProvider(tracer_provider),
        meter_provider=NO_METRICS,
        instrumentation_scope_name=SCOPE,
    )


def use_if_there() -> None:
    """Make spans from now on, where the extra `genai` is installed."""
    if Spans.handler is None:
        try:
            use()
        except ImportError:
            Spans.handler = None


def captures_content() -> bool:
    """Whether prompts and answers are put on spans."""
    return Spans.handler is not None and bool(Spans.handler.should_capture_content())


def takes_more(invocation: Any) -> bool:
    """Whether there is a span that keeps what it is told, or content that is put elsewhere too."""
    return invocation is not None and (invocation.span.is_recording() or captures_content())


@never_raise
def start(provider: str, model: str, operation: a.GenAiOperation, url: Any) -> Any:
    """Begin the span of a call to an endpoint (as httpx has its address); None where none is made."""
    if Spans.handler is None:
        return None
    begin = Spans.handler.inference if operation is a.GenAiOperation.CHAT else Spans.handler.embedding
    port = getattr(url, "port", None)
    invocation = begin(
        provider,
        request_model=model,
        server_address=getattr(url, "host", None) or None,
        server_port=None if port == 443 else port,
        _attach_to_context=False,
    )
    if operation is a.GenAiOperation.CHAT and captures_content():
        from opentelemetry.util.genai.invocation import CLIENT_INFERENCE_CONTEXT_KEY

        # Upstream's instrumentation hands content to the span outside of it only where that allows it.
        otel_context.get_value(CLIENT_INFERENCE_CONTEXT_KEY, invocation.context).capture_content = True  # type: ignore[attr-defined]
    return invocation


@never_raise
def end(invocation: Any, call: Call, attributes: dict[str, Any]) -> None:
    """Tell the end of a call on its span."""
    if invocation is None:
        return
    from opentelemetry.util.genai.types import Error

    if call.usage is not None:
        invocation.input_tokens = call.usage.input
        if call.operation is a.GenAiOperation.CHAT:
            invocation.output_tokens = call.usage.output
    if call.response_model is not None:
        invocation.response_model_name = call.response_model
    invocation.conversation_id = invocation.conversation_id or chat_turn.conversation_id()
    invocation.attributes.update(attributes)
    if call.failure is None:
        invocation.stop()
    else:
        # The message of a client's error may quote the prompt: the class alone is told.
        invocation.fail(Error(message=call.failure, type=call.failure))
