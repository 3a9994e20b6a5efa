"""A span or record that ends while the process ends, or after: it goes to the disk at once where that is all an export does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_chatbot.distro.delivery.trace_file import TraceFileExporter
from otel_chatbot.distro.providers.lazy_processors import LazySpanProcessor


def ended(processor: LazySpanProcessor, *names: str) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    for name in names:
        provider.get_tracer("t").start_span(name).end()


def close(processor: LazySpanProcessor) -> None:
    processor.batch.begin_shutdown()
    processor.batch.finish_shutdown(time.monotonic() + 10)


@pytest.mark.parametrize("before", [(), ("before",)], ids=["first", "later"])
def test_a_span_after_the_shutdown_is_exported_at_once_where_that_is_quick(before: tuple[str, ...]) -> None:
    exporter = InMemorySpanExporter()
    processor = LazySpanProcessor(exporter, quick=True)
    ended(processor, *before)
    close(processor)
    ended(processor, "after")
    assert [span.name for span in exporter.get_finished_spans()] == [*before, "after"]


def test_it_is_left_out_where_an_export_may_take_its_time_or_everything_was_abandoned() -> None:
    slow, abandoned = InMemorySpanExporter(), InMemorySpanExporter()
    processor = LazySpanProcessor(slow)
    close(processor)
    ended(processor, "after")
    left = LazySpanProcessor(abandoned, quick=True)
    left.batch.abandon()
    ended(left, "after")
    assert (*slow.get_finished_spans(), *abandoned.get_finished_spans()) == ()


def test_the_trace_file_takes_it(tmp_path: Path) -> None:
    exporter = TraceFileExporter(str(tmp_path / "traces.jsonl"), 1_000_000)
    processor = LazySpanProcessor(exporter, quick=True)
    ended(processor, "before")
    close(processor)
    ended(processor, "after")
    exporter.shutdown()
    lines = (tmp_path / "traces.jsonl").read_text().splitlines()
    assert ['"before"' in lines[0], '"after"' in lines[1]] == [True, True]
