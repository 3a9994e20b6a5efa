"""An operation leaves its records and its span, and its exceptions pass through."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pymongo.errors import DuplicateKeyError
from support.logging_state import sink_into

from otel_chatbot.logs import LogOperation, get_logger, operation


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Any]:
    with sink_into(tmp_path):
        yield lambda: [json.loads(line) for line in (tmp_path / "chatbot.json.log").read_text().splitlines()]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # The provider of this test alone: a global one could never be taken back.
    monkeypatch.setattr(operation.trace, "get_tracer", provider.get_tracer)
    yield exporter.get_finished_spans
    provider.shutdown()


def test_an_operation_leaves_a_record_at_its_start_and_end_and_a_span_of_its_name(lines: Any, spans: Any) -> None:
    with LogOperation("load history", user_id="u1"):
        inside = trace.get_current_span().get_span_context()
    started, completed = lines()
    assert (started["message"], started["status"], started["level"]) == ("Starting: load history", "started", "INFO")
    assert (completed["message"], completed["status"]) == ("Completed: load history", "completed")
    assert completed["duration_ms"] >= 0
    assert "duration_ms" not in started
    for each in (started, completed):
        assert (each["logger"], each["operation"], each["user_id"]) == ("chatbot", "load history", "u1")
        assert each["trace_id"] == f"{inside.trace_id:032x}"
        assert each["span_id"] == f"{inside.span_id:016x}"
        assert each["function"] == "test_an_operation_leaves_a_record_at_its_start_and_end_and_a_span_of_its_name"
    (span,) = spans()
    assert (span.name, span.status.status_code, span.context.span_id) == (
        "load history",
        trace.StatusCode.UNSET,
        inside.span_id,
    )
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_failure_is_recorded_and_the_same_exception_passes_through(lines: Any, spans: Any) -> None:
    error = ValueError("too long")
    with pytest.raises(ValueError) as caught, LogOperation("answer", get_logger("app")):
        raise error
    assert caught.value is error
    failed = lines()[1]
    assert (failed["message"], failed["status"], failed["error"], failed["level"]) == (
        "Failed: answer",
        "failed",
        "too long",
        "ERROR",
    )
    assert (failed["logger"], failed["exception"]["type"]) == ("app", "ValueError")
    assert "raise error" in failed["exception"]["stack"]
    span: ReadableSpan = spans()[0]
    assert (span.status.status_code, span.status.description) == (trace.StatusCode.ERROR, "too long")
    assert span.events[0].attributes["exception.type"] == "ValueError"


def test_a_database_error_leaves_no_document_in_record_or_span(lines: Any, spans: Any) -> None:
    error = DuplicateKeyError("E11000 dup key: { name: 'Canary Smith' }", 11000, {"keyValue": {"name": "Canary Smith"}})
    with pytest.raises(DuplicateKeyError), LogOperation("save"):
        raise error
    assert lines()[1]["error"] == "DuplicateKeyError (code 11000)"
    span = spans()[0]
    assert "Canary" not in json.dumps([lines(), span.status.description, dict(span.events[0].attributes)])


def test_async_operations_nest_and_keep_their_spans_apart(lines: Any, spans: Any) -> None:
    async def one(name: str) -> None:
        async with LogOperation(name):
            await asyncio.sleep(0.01)

    async def several() -> None:
        async with LogOperation("outer"):
            await asyncio.gather(one("a"), one("b"))

    asyncio.run(several())
    by_name = {span.name: span for span in spans()}
    assert by_name.keys() == {"outer", "a", "b"}
    outer = by_name["outer"].context.span_id
    assert by_name["a"].parent.span_id == by_name["b"].parent.span_id == outer
    assert [line["status"] for line in lines()].count("completed") == 3


def test_a_cancelled_task_is_a_failure_that_stays_cancelled(lines: Any, spans: Any) -> None:
    async def wait() -> None:
        async with LogOperation("slow"):
            await asyncio.sleep(30)

    async def cancel() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert lines()[1]["exception"]["type"] == "CancelledError"


def test_fields_named_like_ours_are_kept_beside_them(lines: Any, spans: Any) -> None:
    with LogOperation("x", name="n", status="s", message="m", level="l"):
        pass
    first = lines()[0]
    assert (first["status"], first["status_"], first["name_"], first["message_"], first["level_"]) == (
        "started",
        "s",
        "n",
        "m",
        "l",
    )


def test_a_logger_that_fails_does_not_reach_the_operation(monkeypatch: pytest.MonkeyPatch, lines: Any, spans: Any) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("broken handler")

    logger = logging.Logger("broken", logging.INFO)  # noqa: LOG001 - for this test alone
    logger.addHandler(Broken())
    monkeypatch.setattr("otel_chatbot._guard.Guard.strict", False)
    done = []
    with LogOperation("x", logger):
        done.append(1)
    assert done == [1]
    assert not trace.get_current_span().get_span_context().is_valid
