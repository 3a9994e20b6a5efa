"""The trace file: it appears with the first span, has a limit, and processes never share one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_chatbot.distro.delivery.trace_file import TraceFileExporter
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m


def provider_for(exporter: TraceFileExporter) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def names(path: Path) -> list[str]:
    return [
        span["name"]
        for line in path.read_text().splitlines()
        for group in json.loads(line)["resourceSpans"]
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    ]


def test_the_file_appears_with_the_first_span_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "traces.otlp.jsonl"
    provider = provider_for(TraceFileExporter(str(path), 10_000))
    assert not path.parent.exists()
    provider.get_tracer("t").start_span("hello").end()
    assert names(path) == ["hello"]
    provider.shutdown()


def test_the_size_is_limited_by_one_rotation(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    provider = provider_for(TraceFileExporter(str(path), 4_000))
    for number in range(60):
        provider.get_tracer("t").start_span(f"span {number}").end()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["t.jsonl", "t.jsonl.1"]
    assert all(entry.stat().st_size <= 4_000 for entry in tmp_path.iterdir())
    kept = names(tmp_path / "t.jsonl.1") + names(path)
    assert kept == [f"span {number}" for number in range(60 - len(kept), 60)]
    provider.shutdown()


def test_a_forked_child_writes_a_file_of_its_own_which_a_later_process_takes_over(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    provider = provider_for(TraceFileExporter(str(path), 100_000))
    tracer = provider.get_tracer("t")
    tracer.start_span("parent").end()
    for _ in range(2):
        child = os.fork()
        if child == 0:
            tracer.start_span("child").end()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    tracer.start_span("parent again").end()
    assert names(path) == ["parent", "parent again"]
    assert names(tmp_path / "t.1.jsonl") == ["child", "child"]
    provider.shutdown()


def test_a_file_that_cannot_be_written_warns_once_and_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    provider = provider_for(TraceFileExporter(str(tmp_path / "file" / "t.jsonl"), 1_000))
    lost = STORE.instrument(m.TELEMETRY_DROPPED).at(("traces", "write_failed"))
    before = lost.read()[0]
    for _ in range(3):
        provider.get_tracer("t").start_span("s").end()
    assert lost.read()[0] - before == 3
    assert len([record for record in caplog.records if record.name == "otel_chatbot"]) == 1
    provider.shutdown()
