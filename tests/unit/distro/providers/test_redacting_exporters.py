"""Exporters redact copies: nothing that the policy masks leaves, and other processors still see the original."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter,
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from pymongo.errors import DuplicateKeyError

from otel_chatbot._guard import Guard
from otel_chatbot.distro.environment import SignalPlan
from otel_chatbot.distro.providers.redacting_exporters import RedactingLogExporter, RedactingSpanExporter, redact_span
from otel_chatbot.distro.providers.resource import app_resource, process_resource
from otel_chatbot.logs.redaction import Redactor
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m

MAIL = "jane@example.com"


def test_every_part_of_a_span_is_redacted_on_a_copy() -> None:
    clean, raw = InMemorySpanExporter(), InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(RedactingSpanExporter(clean, Redactor())))
    provider.add_span_processor(SimpleSpanProcessor(raw))
    link = Link(SpanContext(1, 2, False, TraceFlags(1)), {"to": MAIL})
    span = provider.get_tracer("t").start_span(
        f"mail {MAIL}", links=[link], attributes={"password": "hunter2", "n": 7, "who": MAIL}
    )
    span.add_event(f"sent to {MAIL}", {"to": [MAIL, "nobody"]})
    span.set_status(Status(StatusCode.ERROR, f"no such {MAIL}"))
    span.end()
    (seen,), (original,) = clean.get_finished_spans(), raw.get_finished_spans()
    text = seen.to_json()
    assert MAIL not in text
    assert "hunter2" not in text
    assert seen.attributes is not None
    assert seen.attributes["n"] == 7
    assert (seen.context, seen.kind, seen.start_time, seen.end_time) == (
        original.context,
        original.kind,
        original.start_time,
        original.end_time,
    )
    assert seen.status.status_code is StatusCode.ERROR
    assert len(seen.links) == 1
    assert original.name == f"mail {MAIL}"


def test_an_error_of_the_database_keeps_its_class_and_loses_its_document() -> None:
    clean = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(RedactingSpanExporter(clean, Redactor())))
    span = provider.get_tracer("t").start_span("insert")
    try:
        raise DuplicateKeyError("E11000 dup key: { name: 'Jane Doe' }", 11000, {"keyValue": {"name": "Jane Doe"}})
    except DuplicateKeyError as error:
        span.record_exception(error)
    span.end()
    text = clean.get_finished_spans()[0].to_json()
    assert "DuplicateKeyError" in text
    assert "test_redacting_exporters.py" in text
    assert "Jane" not in text


def test_a_log_record_is_redacted_on_a_copy() -> None:
    clean, raw = InMemoryLogRecordExporter(), InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(RedactingLogExporter(clean, Redactor())))
    provider.add_log_record_processor(SimpleLogRecordProcessor(raw))
    provider.get_logger("l").emit(LogRecord(body=f"to {MAIL}", attributes={"api_key": "hunter2", "n": 3}))
    (seen,), (original,) = clean.get_finished_logs(), raw.get_finished_logs()
    assert MAIL not in seen.to_json()
    assert "hunter2" not in seen.to_json()
    assert original.log_record.body == f"to {MAIL}"


def test_a_body_that_is_no_text_is_redacted_too_and_may_hold_itself() -> None:
    clean = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(RedactingLogExporter(clean, Redactor())))
    body: dict[str, Any] = {"password": "hunter2", "messages": [{"to": MAIL, "n": 1.5}]}
    body["itself"] = body
    provider.get_logger("l").emit(LogRecord(body=body))
    [seen] = clean.get_finished_logs()
    assert seen.log_record.body == {"password": "****", "messages": [{"to": "****", "n": 1.5}], "itself": "<cycle>"}
    encode_logs([seen]).SerializeToString()


class Refusing(SpanExporter, LogRecordExporter):
    """Takes nothing, in one of two ways."""

    def __init__(self, failure: object) -> None:
        self.failure = failure

    def export(self, batch: object) -> object:  # type: ignore[override]
        if isinstance(self.failure, Exception):
            raise self.failure
        return self.failure

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


def lost(signal: str) -> float:
    return STORE.instrument(m.TELEMETRY_DROPPED).at((signal, "export_failed")).read()[0]


@pytest.mark.parametrize("failure", [None, OSError("gone")], ids=["said", "raised"])
def test_what_an_exporter_of_others_does_not_take_is_counted(
    failure: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guard, "strict", False)
    before = lost("traces"), lost("logs")
    tracing, logging = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
    spans = Refusing(failure or SpanExportResult.FAILURE)
    records = Refusing(failure or LogRecordExportResult.FAILURE)
    tracing.add_span_processor(SimpleSpanProcessor(RedactingSpanExporter(spans, Redactor())))
    logging.add_log_record_processor(SimpleLogRecordProcessor(RedactingLogExporter(records, Redactor())))
    for _ in range(3):
        tracing.get_tracer("t").start_span("s").end()
        logging.get_logger("t").emit(LogRecord(body="x"))
    assert (lost("traces") - before[0], lost("logs") - before[1]) == (3, 3)


def test_a_span_in_which_nothing_can_be_masked_is_passed_on_without_a_copy() -> None:
    redactor = Redactor()
    plain = {"http.route": "/chat", "client.address": "127.0.0.1", "n": 7, "ok": True, "s": 0.5, "reasons": ("stop", "length")}
    for attributes, same in (
        (plain, True),
        (plain, True),  # the second time, when its values are remembered
        ({**plain, "who": MAIL}, False),
        ({**plain, "password": "hunter2"}, False),
        ({**plain, "password": 1}, False),
        ({**plain, "list": ("a", MAIL)}, False),
        ({**plain, "list": (1, 2)}, False),
        ({**plain, "list": ("a",) * 17}, False),
        ({**plain, "number": math.inf}, False),
        ({**plain, "token": ("a", "b")}, False),
        ({**plain, "exception.message": "no"}, False),
    ):
        span = ReadableSpan("GET /chat", attributes=attributes)
        assert (redact_span(span, redactor) is span) is same, attributes
    assert redact_span(ReadableSpan(f"mail {MAIL}", attributes=plain), redactor).name == "mail ****"


def test_a_process_resource_is_hashed_once_and_stays_equal_to_any_other_of_its_attributes() -> None:
    found = process_resource(SignalPlan.from_env({}))
    same = Resource(dict(found.attributes), found.schema_url)
    assert (hash(found), found) == (hash(same), same)
    changed = found.merge(Resource({"process.pid": 4711}))  # as the SDK does it in a forked child
    assert type(changed) is type(found)
    assert dict(changed.attributes) == {**found.attributes, "process.pid": 4711}
    assert hash(changed) == hash(Resource(dict(changed.attributes), changed.schema_url)) != hash(found)
    with patch("opentelemetry.sdk.resources.dumps") as writes:
        assert len({found: 1, changed: 2}) == 2
    assert not writes.called


def test_what_is_remembered_as_harmless_does_not_grow_without_end() -> None:
    redactor = Redactor()
    for number in range(10_000):
        assert redactor.leaves({"http.route": f"/chat/{number}"})
    assert len(redactor._harmless) <= 4_096


class Encoding(SpanExporter, LogRecordExporter):
    """Encodes as the OTLP exporters do, and keeps what it could."""

    def __init__(self, encode: Callable[[Any], Any]) -> None:
        self.encode = encode
        self.kept: list[Any] = []

    def export(self, batch: Any) -> Any:  # type: ignore[override]
        self.encode(batch).SerializeToString()
        self.kept += batch
        return None

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


NASTY = {"text": "\ud800", "number": 2**70, "huge": 10**5000, "list": ["\ud800", "b"], "n\ud800": 1, "nan": float("nan")}


def test_what_utf_8_or_64_bits_cannot_hold_is_sent_as_text(caplog: pytest.LogCaptureFixture) -> None:
    tracing, logging = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
    spans, records = Encoding(encode_spans), Encoding(encode_logs)
    tracing.add_span_processor(SimpleSpanProcessor(RedactingSpanExporter(spans, Redactor())))
    logging.add_log_record_processor(SimpleLogRecordProcessor(RedactingLogExporter(records, Redactor())))
    span = tracing.get_tracer("t").start_span("a\ud800", attributes=NASTY)
    span.add_event("e\ud800", {"text": "\ud800"})
    span.set_status(Status(StatusCode.ERROR, "s\ud800"))
    span.end()
    tracing.get_tracer("t").start_span("plain", attributes={"text": "\ud800"}).end()
    logging.get_logger("t").emit(LogRecord(body="b\ud800", attributes={**NASTY, "deep": {"x": [{"y\ud800": 2**70}]}}))
    logging.get_logger("t").emit(LogRecord(body={"k": ["\ud800", 2**70]}))
    assert [each.name for each in spans.kept] == ["a\\ud800", "plain"]
    assert spans.kept[0].attributes["number"] == str(2**70)
    assert spans.kept[1].attributes["text"] == "\\ud800"
    assert len(records.kept) == 2
    assert not caplog.records, "nothing was left out by an encoder"


def test_a_resource_from_bytes_that_are_no_utf_8_is_sent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=caf\udce9,team\udce9=a,service.instance.id=\udce9")
    for resource in (
        process_resource(SignalPlan.from_env()),
        app_resource(process_resource(SignalPlan.from_env()), SignalPlan.from_env(), "run"),
    ):
        span = ReadableSpan("s", context=SpanContext(1, 1, is_remote=False), resource=resource)
        [sent] = encode_spans([span]).resource_spans
        found = {pair.key: pair.value.string_value for pair in sent.resource.attributes}
        assert found["service.name"] == "caf\\udce9"
        assert found["team\\udce9"] == "a"
        assert found["service.instance.id"] == "\\udce9"
    assert not caplog.records


def test_one_item_that_cannot_be_encoded_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "strict", False)

    def encode(batch: Any) -> Any:
        if any(span.name == "poison" for span in batch):
            raise ValueError("poison")
        return encode_spans(batch)

    exporter = Encoding(encode)
    before = lost("traces")
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    batch = [tracer.start_span("poison" if number in (7, 300) else f"s{number}") for number in range(512)]
    for span in batch:
        span.end()
    RedactingSpanExporter(exporter, Redactor()).export(batch)
    assert lost("traces") - before == 2
    assert [span.name for span in exporter.kept] == [f"s{number}" for number in range(512) if number not in (7, 300)]
