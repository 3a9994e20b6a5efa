"""Spans as the bytes of an `ExportTraceServiceRequest`.

Fed by the span exporter of `delivery.spool_exporters`. Source: opentelemetry/proto/trace/v1/trace.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, SpanKind, Status

from ...sdk_private import only_attributes
from .attributes import Attributes, encode_batch
from .wire import FIXED32, FIXED64, field, number_field

_KINDS: Final = {
    SpanKind.INTERNAL: b"\x30\x01",
    SpanKind.SERVER: b"\x30\x02",
    SpanKind.CLIENT: b"\x30\x03",
    SpanKind.PRODUCER: b"\x30\x04",
    SpanKind.CONSUMER: b"\x30\x05",
}
_TIMES: Final = struct.Struct("<cQcQ")
_LOCAL, _REMOTE = 0x100, 0x300
"""SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK, alone and with SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK."""
_LOCAL_PARENT: Final = b"\x85\x01" + FIXED32.pack(_LOCAL)
_REMOTE_PARENT: Final = b"\x85\x01" + FIXED32.pack(_REMOTE)


def encode_spans(spans: Sequence[ReadableSpan], attributes: Attributes) -> bytes:
    """Ended spans, grouped by resource and scope."""
    return encode_batch(spans, attributes, _span)


def _span(span: ReadableSpan, attributes: Attributes) -> bytes:
    context, parent = span.context, span.parent
    if context is None:
        raise ValueError("a span without a context")
    out = [b"\x0a\x10", context.trace_id.to_bytes(16, "big"), b"\x12\x08", context.span_id.to_bytes(8, "big")]
    if context.trace_state:
        out.append(attributes.text(b"\x1a", ",".join([f"{key}={value}" for key, value in context.trace_state.items()])))
    if parent is not None:
        out += (b"\x22\x08", parent.span_id.to_bytes(8, "big"))
    out += (attributes.text(b"\x2a", span.name), _KINDS[span.kind])
    start = span.start_time or 0
    end = span.end_time or 0
    # If the clock was set back meanwhile, the span gets no duration, instead of an end before its start.
    out.append(_TIMES.pack(b"\x39", start, b"\x41", max(start, end)))
    plain = only_attributes(span)
    if plain is not None:
        attributes.encode(b"\x4a", plain, out)
    else:
        _rest(span, attributes, out)
    out.append(_status(span.status, attributes))
    out.append(_REMOTE_PARENT if parent is not None and parent.is_remote else _LOCAL_PARENT)
    return b"".join(out)


def _rest(span: ReadableSpan, attributes: Attributes, out: list[bytes]) -> None:
    attributes.encode(b"\x4a", span.attributes, out)
    out.append(number_field(b"\x50", span.dropped_attributes))
    out.extend(field(b"\x5a", _event(event, attributes)) for event in span.events)
    out.append(number_field(b"\x60", span.dropped_events))
    out.extend(field(b"\x6a", _link(link, attributes)) for link in span.links)
    out.append(number_field(b"\x70", span.dropped_links))


def _flags(context: SpanContext | None) -> int:
    return _REMOTE if context is not None and context.is_remote else _LOCAL


def _status(status: Status | None, attributes: Attributes) -> bytes:
    if status is None:
        return b""
    code = status.status_code.value
    if not code and not status.description:
        return b"\x7a\x00"
    return field(b"\x7a", attributes.text(b"\x12", status.description) + number_field(b"\x18", code))


def _event(event: Event, attributes: Attributes) -> bytes:
    out = [b"\x09", FIXED64.pack(event.timestamp or 0), attributes.text(b"\x12", event.name)]
    attributes.encode(b"\x1a", event.attributes, out)
    out.append(number_field(b"\x20", event.dropped_attributes))
    return b"".join(out)


def _link(link: Link, attributes: Attributes) -> bytes:
    context = link.context
    out = [b"\x0a\x10", context.trace_id.to_bytes(16, "big"), b"\x12\x08", context.span_id.to_bytes(8, "big")]
    attributes.encode(b"\x22", link.attributes, out)
    out.append(number_field(b"\x28", link.dropped_attributes))
    out.append(b"\x35" + FIXED32.pack(_flags(context)))
    return b"".join(out)
