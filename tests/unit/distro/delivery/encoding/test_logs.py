"""What our encoder writes of log records is, read back, the message that upstream's encoder builds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as upstream_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.trace import SpanContext
from support.encoding_cases import ATTRIBUTES, CASES, RESOURCES, SCOPES, TEXT, TIME, VALUE, context, prove

from otel_chatbot.distro.delivery.encoding.attributes import Attributes
from otel_chatbot.distro.delivery.encoding.logs import encode_logs

ENCODED = [0]

record = st.builds(
    lambda body, attributes, **fields: LogRecord(body=body, attributes=attributes, **fields),
    body=VALUE,
    attributes=st.one_of(st.none(), ATTRIBUTES),
    timestamp=st.one_of(st.none(), TIME),
    observed_timestamp=TIME,
    context=st.none(),
    severity_text=st.one_of(st.none(), TEXT),
    severity_number=st.one_of(st.none(), st.sampled_from(list(SeverityNumber))),
    event_name=st.one_of(st.none(), TEXT),
)
traced = st.tuples(record, st.one_of(st.none(), context)).map(lambda pair: _traced(*pair))


def _traced(made: LogRecord, inside: SpanContext | None) -> LogRecord:
    if inside is not None:
        made.trace_id, made.span_id, made.trace_flags = inside.trace_id, inside.span_id, inside.trace_flags
    return made


readable = st.builds(ReadableLogRecord, traced, st.sampled_from(RESOURCES), st.sampled_from(SCOPES))


@settings(max_examples=CASES)
@given(st.lists(readable, max_size=5))
def test_log_records_are_the_message_that_upstream_builds(batch: list[ReadableLogRecord]) -> None:
    ENCODED[0] += len(batch)
    ours = ExportLogsServiceRequest.FromString(encode_logs(batch, Attributes(None)))
    assert ours == upstream_logs(batch)


def test_a_record_that_says_nothing_is_a_record() -> None:
    nothing = ReadableLogRecord(LogRecord(), RESOURCES[0], None)
    assert ExportLogsServiceRequest.FromString(encode_logs([nothing], Attributes(None))) == upstream_logs([nothing])


def test_as_many_records_were_compared_as_this_size_asks_for() -> None:
    prove("log records", ENCODED[0])
