"""The event `gen_ai.evaluation.result` of a rating, on the span of the answer that it is about, however long ago that was.

Fed by `quality.feedback`; feeds the sink of `logs`, so the file of JSON lines and the export, or the app's own logger provider
where the sink does not feed it. LOG_LEVEL does not matter: the event is a figure rather than a line for readers.
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-events.md
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any, Final

from opentelemetry import _logs, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from .. import config
from .._guard import never_raise
from ..logs import sink
from ..logs.records import timestamp
from ..logs.redaction import policy
from ..semconv import attributes as a
from ..semconv import logs as names
from ..semconv.spec import SCOPE
from .answer_ids import NO_SPAN
from .scores import Rating
from .token import Answer

LONGEST_COMMENT: Final = 4096
"""The most characters of a comment that are kept."""
LONGEST_LABEL: Final = 64


@never_raise
def tell(answer: Answer, rating: Rating, before: str | None, label: str | None, comment: str | None) -> None:
    """Emit the event of a rating. `before`: the rating that the user had given; the comment only where content is captured."""
    told: dict[str, Any] = {
        a.GEN_AI_EVALUATION_NAME: names.USER_FEEDBACK,
        a.GEN_AI_EVALUATION_SCORE: rating.score,
        a.GEN_AI_EVALUATION_LABEL: policy().text((label or rating.name)[:LONGEST_LABEL]),
        a.RATING: rating.name,
    }
    if comment and config.current().captures:
        told[a.GEN_AI_EVALUATION_EXPLANATION] = policy().bounded(comment[:LONGEST_COMMENT])
    known = (
        (a.RATING_BEFORE, before),
        (a.GEN_AI_RESPONSE_ID, answer.response_id),
        (a.GEN_AI_REQUEST_MODEL, answer.model),
        (a.RELEASE, answer.release),
    )
    told.update((name, value) for name, value in known if value)
    span = None
    if not answer.flags & NO_SPAN:
        ids = int.from_bytes(answer.trace_id, "big"), int.from_bytes(answer.span_id, "big")
        span = SpanContext(*ids, is_remote=True, trace_flags=TraceFlags(answer.flags))
    now, message = time.time(), f"Answer rated: {rating.name}"
    _take(now, message, told, span)
    if not sink.SINK.takers:
        _emit(now, message, told, span)


def _take(now: float, message: str, told: dict[str, Any], span: SpanContext | None) -> None:
    fields: dict[str, Any] = {
        names.TIMESTAMP: timestamp(now),
        names.LEVEL: logging.getLevelName(logging.INFO),
        names.LOGGER_NAME: names.FEEDBACK_LOGGER,
        names.MESSAGE: message,
        names.MODULE: __name__.rpartition(".")[2],
        names.FUNCTION: tell.__name__,
        names.LINE: 0,
        names.PROCESS_ID: os.getpid(),
    }
    if span is not None:
        fields[names.TRACE_ID] = f"{span.trace_id:032x}"
        fields[names.SPAN_ID] = f"{span.span_id:016x}"
    fields |= {"event": names.EVALUATION, names.OTEL_EVENT: names.EVALUATION, **told}
    sink.SINK.take(sink.Entry(names.FEEDBACK_LOGGER, now, logging.INFO, fields, span or trace.INVALID_SPAN_CONTEXT))


def _emit(now: float, message: str, told: dict[str, Any], span: SpanContext | None) -> None:
    context = trace.set_span_in_context(NonRecordingSpan(span or trace.INVALID_SPAN_CONTEXT))
    _logs.get_logger(SCOPE).emit(
        timestamp=int(now * 1e9),
        observed_timestamp=int(now * 1e9),
        context=context,
        severity_text="INFO",
        severity_number=_logs.SeverityNumber.INFO,
        body=message,
        attributes=told,
        event_name=names.EVALUATION,
    )
