"""What leaves of an event is what OpenTelemetry's own handler makes of its record, from the fields that stand in the file."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from support.logging_state import sink_into

from otel_chatbot.config import MASK
from otel_chatbot.distro.providers.lazy_processors import LazyLogProcessor
from otel_chatbot.distro.providers.log_feed import LogFeed, feed_logs, translated
from otel_chatbot.logs import sink
from otel_chatbot.logs.access import access_record
from otel_chatbot.logs.fields import fields_of
from otel_chatbot.logs.records import export_copy
from otel_chatbot.logs.redaction import Redactor, policy
from otel_chatbot.logs.sink import Entry

SPAN = trace.SpanContext(1 << 100 | 5, 7, False, trace.TraceFlags(1))
TEXT = st.text(max_size=12) | st.sampled_from(["jane@example.com", "password=x", "4111 1111 1111 1111", "a\nb"])
VALUES = st.recursive(
    TEXT | st.integers() | st.floats() | st.booleans() | st.none() | st.builds(object),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
KEYS = (
    st.sampled_from(["user_id", "password", "level", "trace_id", "event.name", "exception.type", "gen_ai.conversation.id"])
    | TEXT
)


@pytest.fixture
def in_a_span() -> Iterator[None]:
    token = otel_context.attach(trace.set_span_in_context(trace.NonRecordingSpan(SPAN)))
    yield
    otel_context.detach(token)


def shown(record: Any) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, float) else value
        for name, value in vars(record).items()
        if name not in ("observed_timestamp", "context")
    }


@settings(max_examples=150)
@given(
    st.sampled_from([10, 20, 30, 35, 40, 50]),
    TEXT | st.just("%s %s"),
    st.lists(TEXT | st.integers(), max_size=2),
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.booleans(),
)
def test_a_record_is_translated_as_by_opentelemetrys_handler(
    level: int, message: str, arguments: list[Any], extra: dict[str, Any], raised: bool
) -> None:
    info = None
    if raised:
        try:
            raise ValueError("mail jane@example.com")
        except ValueError:
            info = sys.exc_info()
    record = logging.LogRecord("app", level, "f.py", 3, message, tuple(arguments), info, "f")
    record.__dict__.update(extra)
    theirs = LogFeed(logger_provider=LoggerProvider(shutdown_on_exit=False))._translate(export_copy(record, Redactor()))
    fields = fields_of(record, Redactor())
    ours = translated(Entry(record.name, record.created, record.levelno, fields), fields)
    for of_them in (ours, theirs):
        of_them.attributes = {key: str(value) if value != value else value for key, value in (of_them.attributes or {}).items()}
    assert shown(ours) == shown(theirs)


class Theirs(LogRecordProcessor):
    """An application's own processor, which changes what passes."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        assert log_record.log_record.attributes is not None
        log_record.log_record.attributes["theirs"] = True  # type: ignore[index]

    def shutdown(self) -> None:
        """Nothing."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


def emitted(
    tmp_path: Path, *before: LogRecordProcessor, **environment: Any
) -> tuple[list[ReadableLogRecord], list[dict[str, Any]]]:
    """What is exported, and what stands in the file, of a line, a line with a mapping, and an access record."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    processor = LazyLogProcessor(exporter, **environment)
    for each in (*before, processor):
        provider.add_log_record_processor(each)
    logger = logging.getLogger("feed")
    logger.propagate = False
    with sink_into(tmp_path):
        feed_logs(provider)
        logger.warning("sent to %s", "jane@example.com", extra={"user_id": "u1"})
        logger.warning("deep", extra={"deep": {"password": "p"}})
        access_record("/chat", "POST", 200, 1.5, 10, route="/chat")
    processor.force_flush()
    processor.shutdown()
    lines = (tmp_path / "chatbot.json.log").read_text().splitlines()
    return list(exporter.get_finished_logs()), [json.loads(line) for line in lines]


@pytest.mark.usefixtures("in_a_span")
@pytest.mark.parametrize("quick", [True, False])
def test_the_export_says_what_the_file_says(tmp_path: Path, quick: bool) -> None:
    found, lines = emitted(tmp_path, quick=quick)
    assert [record.log_record.body for record in found] == [line["message"] for line in lines]
    assert [record.log_record.body for record in found] == [f"sent to {MASK}", "deep", "POST /chat 200"]
    assert [dict(record.log_record.attributes or {}) for record in found] == [
        {"user_id": "u1"},
        {"deep": {"password": MASK}},
        {
            "event": "api_request",
            "endpoint": "/chat",
            "method": "POST",
            "status": 200,
            "duration_ms": 1.5,
            "bytes": 10,
            "route": "/chat",
        },
    ]
    assert {record.log_record.trace_id for record in found} == {SPAN.trace_id}
    assert {line["trace_id"] for line in lines} == {f"{SPAN.trace_id:032x}"}
    assert [record.instrumentation_scope.name for record in found if record.instrumentation_scope] == [
        "feed",
        "feed",
        "chatbot.access",
    ]
    assert [record.log_record.severity_text for record in found] == ["WARN", "WARN", "INFO"]


@pytest.mark.usefixtures("in_a_span")
def test_an_applications_own_processor_sees_and_changes_every_record(tmp_path: Path) -> None:
    found, _ = emitted(tmp_path, Theirs())
    assert [(record.log_record.attributes or {}).get("theirs") for record in found] == [True, True, True]


def test_a_record_that_cannot_be_read_leaves_as_a_line_that_says_so(tmp_path: Path) -> None:
    exporter = InMemoryLogRecordExporter()
    processor = LazyLogProcessor(exporter)
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(processor)
    with sink_into(tmp_path) as state:
        feed_logs(provider)
        record = logging.LogRecord("app", 30, "f.py", 3, "x", (), None)
        vars(record)["module"] = {1}
        state.accept(record)
    processor.force_flush()
    processor.shutdown()
    assert [record.log_record.body for record in exporter.get_finished_logs()] == ["x"]
    assert "could not be formatted" in (tmp_path / "chatbot.json.log").read_text()


@pytest.mark.usefixtures("in_a_span")
def test_what_an_exporter_logs_is_not_exported(tmp_path: Path) -> None:
    exporter = InMemoryLogRecordExporter()
    processor = LazyLogProcessor(exporter)
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(processor)
    with sink_into(tmp_path):
        feed_logs(provider)
        token = otel_context.attach(otel_context.set_value(otel_context._SUPPRESS_INSTRUMENTATION_KEY, True))
        sink.SINK.accept(logging.LogRecord("app", 30, "f.py", 3, "x", (), None))
        otel_context.detach(token)
    processor.force_flush()
    processor.shutdown()
    assert not exporter.get_finished_logs()
    assert policy()
