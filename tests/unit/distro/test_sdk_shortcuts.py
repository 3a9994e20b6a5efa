"""The ways past the SDK lead where the SDK leads, and are closed where somebody else looks at what passes."""

from __future__ import annotations

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk._logs._internal import ConcurrentMultiLogRecordProcessor, _disable_logger_configurator
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_chatbot.distro.sdk_shortcuts import FEW_ATTRIBUTES, emit_of, plain_log_processors, readable


class OwnInstrumentation(LogRecordProcessor):
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Nothing."""

    def shutdown(self) -> None:
        """Nothing."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


class Theirs(OwnInstrumentation):
    pass


def processors(provider: LoggerProvider, *added: LogRecordProcessor) -> tuple[LogRecordProcessor, ...] | None:
    for each in added:
        provider.add_log_record_processor(each)
    return plain_log_processors(provider.get_logger("app"), OwnInstrumentation)


def test_what_is_put_into_a_queue_is_exported() -> None:
    spans, logs = InMemorySpanExporter(), InMemoryLogRecordExporter()
    span_processor, log_processor = BatchSpanProcessor(spans), BatchLogRecordProcessor(logs)
    emit_of(span_processor)(ReadableSpan("x"))
    emit_of(log_processor)(LogRecord(body="y"))
    span_processor.force_flush()
    log_processor.force_flush()
    assert [span.name for span in spans.get_finished_spans()] == ["x"]
    assert [record.body for record in logs.get_finished_logs()] == ["y"]
    span_processor.shutdown()
    log_processor.shutdown()


def test_a_readable_span_is_one_already() -> None:
    span = ReadableSpan("x")
    assert readable(span) is span


def test_processors_of_one_kind_are_found() -> None:
    first, second = OwnInstrumentation(), OwnInstrumentation()
    assert processors(LoggerProvider(shutdown_on_exit=False), first, second) == (first, second)


def test_none_are_found_where_others_look_at_records_too() -> None:
    assert processors(LoggerProvider(shutdown_on_exit=False), OwnInstrumentation(), Theirs()) is None
    several = ConcurrentMultiLogRecordProcessor(1)
    assert processors(LoggerProvider(shutdown_on_exit=False, multi_log_record_processor=several), OwnInstrumentation()) is None


@pytest.mark.parametrize(
    "limits",
    [LogRecordLimits(max_log_record_attribute_length=3), LogRecordLimits(max_log_record_attributes=FEW_ATTRIBUTES - 1)],
)
def test_none_are_found_where_records_have_limits_of_the_applications(limits: LogRecordLimits) -> None:
    provider = LoggerProvider(shutdown_on_exit=False)
    logger = provider.get_logger("app")
    vars(logger)["_log_record_limits"] = limits
    assert processors(provider, OwnInstrumentation()) is None


def test_none_are_found_where_a_logger_is_off_or_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = LoggerProvider(shutdown_on_exit=False)
    provider._set_logger_configurator(logger_configurator=_disable_logger_configurator)
    assert processors(provider, OwnInstrumentation()) is None
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    counted = LoggerProvider(shutdown_on_exit=False, meter_provider=MeterProvider(shutdown_on_exit=False))
    assert processors(counted, OwnInstrumentation()) is None
