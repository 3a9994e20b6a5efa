"""Log records as the bytes of an `ExportLogsServiceRequest`.

Fed by the log exporter of `delivery.spool_exporters`. Source: opentelemetry/proto/logs/v1/logs.proto.
"""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk._logs import ReadableLogRecord

from .attributes import Attributes, encode_batch
from .wire import FIXED32, FIXED64, any_value, field, number_field, text_field


def encode_logs(batch: Sequence[ReadableLogRecord], attributes: Attributes) -> bytes:
    """Log records, grouped by resource and scope."""
    return encode_batch(batch, attributes, _record)


def _record(readable: ReadableLogRecord, attributes: Attributes) -> bytes:
    record = readable.log_record
    out: list[bytes] = []
    if record.timestamp:
        out += (b"\x09", FIXED64.pack(record.timestamp))
    severity = record.severity_number
    if severity is not None:
        out.append(number_field(b"\x10", severity.value))
    out.append(text_field(b"\x1a", record.severity_text))
    out.append(field(b"\x2a", any_value(attributes.body(record.body))))
    attributes.encode(b"\x32", record.attributes, out)
    out.append(number_field(b"\x38", readable.dropped_attributes))
    if flags := int(record.trace_flags or 0):
        out += (b"\x45", FIXED32.pack(flags))
    if record.trace_id:
        out += (b"\x4a\x10", record.trace_id.to_bytes(16, "big"))
    if record.span_id:
        out += (b"\x52\x08", record.span_id.to_bytes(8, "big"))
    if record.observed_timestamp:
        out += (b"\x59", FIXED64.pack(record.observed_timestamp))
    out.append(text_field(b"\x62", record.event_name))
    return b"".join(out)
