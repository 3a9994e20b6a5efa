"""A provider that somebody else made is flushed with ours and never ended: that is its own affair."""

from __future__ import annotations

import _thread
import threading

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_chatbot import _guard
from otel_chatbot._clock import monotonic
from otel_chatbot.distro.providers.adopted import Adopted


class Theirs:
    """A provider whose flush hangs until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[int] = []

    def force_flush(self, timeout_millis: int = 30_000, /) -> bool:
        self.asked.append(timeout_millis)
        return self.go.wait(60)


def test_what_their_queues_hold_is_exported_and_they_go_on_working() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(kept, schedule_delay_millis=3_600_000))
    adopted = Adopted(provider)
    provider.get_tracer("t").start_span("first").end()
    adopted.flush(monotonic() + 60)
    provider.get_tracer("t").start_span("second").end()
    adopted.begin_shutdown()
    adopted.finish_shutdown(monotonic() + 60)
    provider.get_tracer("t").start_span("third").end()
    provider.force_flush()
    assert [span.name for span in kept.get_finished_spans()] == ["first", "second", "third"]
    adopted.abandon()
    provider.shutdown()


def test_an_exporter_that_hangs_costs_the_deadline_and_no_more() -> None:
    theirs = Theirs()
    adopted = Adopted(theirs)
    adopted.begin_shutdown()
    adopted.finish_shutdown(monotonic())
    assert not adopted._flushed.is_set(), "this came back while it hung"
    theirs.go.set()
    adopted.finish_shutdown(monotonic() + 60)
    assert adopted._flushed.is_set()


def test_a_deadline_that_is_over_still_gives_a_millisecond_for_0_would_mean_for_ever() -> None:
    theirs = Theirs()
    theirs.go.set()
    Adopted(theirs).flush(monotonic() - 5)
    Adopted(theirs).flush(monotonic() + 600)
    assert theirs.asked[0] == 1
    assert 1000 < theirs.asked[1] <= 600_000


def test_a_flush_that_breaks_is_reported_and_waited_for_no_longer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_guard.Guard, "strict", False)
    monkeypatch.setattr(_guard, "_seen", set())
    adopted = Adopted(object())  # type: ignore[arg-type]
    adopted.begin_shutdown()
    assert adopted._flushed.wait(60)
    assert "AttributeError" in caplog.text


def test_an_interpreter_that_gives_no_more_threads_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", no_more)
    adopted = Adopted(Theirs())
    adopted.begin_shutdown()
    assert adopted._flushed.is_set()
