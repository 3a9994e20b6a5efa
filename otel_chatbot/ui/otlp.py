"""OTLP messages as rows: spans, log records and the points of metrics.

Fed by `ui.ingest` (posts), `ui.files` (trace files) and `ui.spooled` (payloads); feeds `ui.store`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ..semconv import attributes as a
from .rows import Batch, Row, clip, packed, plain, whole

_ENTRIES: Final = (2, 5)
"""Kinds of spans with which a service begins to work: SERVER and CONSUMER."""
_FAILED: Final = 2
_ERROR_LEVEL: Final = 17
_DEEPEST: Final = 20


def value_of(value: Any, depth: int = 0) -> Any:
    """An AnyValue as a plain value."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    inner = getattr(value, kind)
    if kind == "string_value":
        return clip(inner)
    if kind == "array_value":
        return [value_of(one, depth + 1) for one in inner.values] if depth < _DEEPEST else "…"
    if kind == "kvlist_value":
        return {clip(pair.key): value_of(pair.value, depth + 1) for pair in inner.values} if depth < _DEEPEST else "…"
    return plain(inner.hex() if kind == "bytes_value" else inner)


def attributes_of(pairs: Iterable[Any]) -> dict[str, Any]:
    """Key-value pairs as a dictionary; of several with one name, the last wins."""
    return {pair.key: value_of(pair.value) for pair in pairs}


def add_traces(message: ExportTraceServiceRequest, batch: Batch) -> None:
    """Add the spans of a message."""
    add = batch.spans.append
    for group in message.resource_spans:
        resource = batch.resource(attributes_of(group.resource.attributes))
        for scope in group.scope_spans:
            name = clip(scope.scope.name)
            for span in scope.spans:
                if span.trace_id and span.span_id:
                    add(_span(span, resource, name))


def _span(span: Any, resource: int, scope: str) -> Row:
    found = attributes_of(span.attributes)
    events = [(clip(event.name), event.time_unix_nano / 1e6, attributes_of(event.attributes)) for event in span.events]
    more: dict[str, Any] = {"a": found}
    if events:
        more["e"] = events
    if span.links:
        more["l"] = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]
    status = span.status.code
    if span.status.message:
        more["m"] = clip(span.status.message)
    get = found.get
    start = whole(span.start_time_unix_nano)
    parent = span.parent_span_id or None
    is_call = a.GEN_AI_OPERATION in found
    return (
        span.trace_id,
        span.span_id,
        parent,
        start,
        max(start, whole(span.end_time_unix_nano)),
        clip(span.name),
        span.kind,
        status,
        1 if parent is None or span.kind in _ENTRIES else 0,
        text_or_none(get(a.HTTP_ROUTE)),
        number_or_none(get(a.HTTP_STATUS)),
        text_or_none(get(a.GEN_AI_CONVERSATION_ID)),
        next((str(found[name]) for name in a.USERS if found.get(name) not in (None, "")), None),
        _error(found, events, span.status.message) if status == _FAILED else None,
        text_or_none(get(a.GEN_AI_REQUEST_MODEL)) if is_call else None,
        number_or_none(get(a.GEN_AI_INPUT_TOKENS)) if is_call else None,
        number_or_none(get(a.GEN_AI_OUTPUT_TOKENS)) if is_call else None,
        number_or_none(get(a.COST)) if is_call else None,  # a request's cost is the sum over its calls
        resource,
        scope,
        packed(more),
    )


def _error(found: dict[str, Any], events: list[tuple[str, float, dict[str, Any]]], message: str) -> str:
    for name, _, told in events:
        if name == a.EXCEPTION_EVENT and told.get(a.EXCEPTION_TYPE):
            return str(told[a.EXCEPTION_TYPE])
    return str(found.get(a.ERROR_TYPE) or clip(message) or "error")


def text_or_none(value: Any) -> str | None:
    """The value if it is a text that is not empty; else None."""
    return str(value) if value not in (None, "") else None


def number_or_none(value: Any) -> float | None:
    """The value if it is a number; else None."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def add_logs(message: ExportLogsServiceRequest, batch: Batch) -> None:
    """Add the records of a message."""
    for group in message.resource_logs:
        resource = batch.resource(attributes_of(group.resource.attributes))
        for scope in group.scope_logs:
            name = clip(scope.scope.name)
            batch.logs.extend(_record(record, resource, name) for record in scope.log_records)


def _record(record: Any, resource: int, logger: str) -> Row:
    found = attributes_of(record.attributes)
    body = value_of(record.body)
    level = record.severity_number
    kind = found.get(a.EXCEPTION_TYPE)
    return (
        whole(record.time_unix_nano or record.observed_time_unix_nano),
        level,
        clip(record.severity_text) or _severity(level),
        logger,
        body if isinstance(body, str) else "" if body is None else packed({"body": body}),
        record.trace_id or None,
        record.span_id or None,
        text_or_none(found.get(a.GEN_AI_CONVERSATION_ID)),
        str(kind or "error") if level >= _ERROR_LEVEL else None,
        _place(found, logger),
        resource,
        packed({"a": found}),
    )


def _place(found: dict[str, Any], logger: str) -> str:
    function, line = found.get(a.CODE_FUNCTION), found.get(a.CODE_LINE)
    return f"{logger} · {function}:{line}" if function else logger


def _severity(level: int) -> str:
    return ("", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")[min(6, (level + 3) // 4)]
