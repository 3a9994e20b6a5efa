"""Traces of probes: dropped when they succeed, kept whole when they fail, whatever the order in which spans end."""

from __future__ import annotations

import pytest
from flask import Flask
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from support.flask_hooks import hooked

from otel_chatbot.distro.providers.probe_traces import ProbeTraceProcessor
from otel_chatbot.instrumentation.flask.probes import PROBE


class Setup:
    def __init__(self, mode: str = "failed", hung: float = 60.0) -> None:
        self.exporter = InMemorySpanExporter()
        self.processor = ProbeTraceProcessor(SimpleSpanProcessor(self.exporter), mode, hung)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(self.processor)
        self.tracer = provider.get_tracer("test")

    def probe(self, name: str = "probe") -> trace.Span:
        return self.tracer.start_span(name, otel_context.set_value(PROBE, True), SpanKind.SERVER)

    def child(self, parent: trace.Span, name: str) -> trace.Span:
        return self.tracer.start_span(name, trace.set_span_in_context(parent))

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.exporter.get_finished_spans()]


@pytest.mark.parametrize(("mode", "kept"), [("failed", ["child", "bad"]), ("all", ["good", "child", "bad"]), ("none", [])])
def test_the_setting_says_which_traces_are_kept(mode: str, kept: list[str]) -> None:
    setup = Setup(mode)
    setup.probe("good").end()
    root = setup.probe("bad")
    setup.child(root, "child").end()
    root.set_status(Status(StatusCode.ERROR))
    root.end()
    assert setup.names == kept


@pytest.mark.parametrize(("status", "kept"), [(200, False), (204, False), (302, True), (403, True), (404, True), (503, True)])
def test_an_answer_that_a_prober_takes_for_a_failure_keeps_the_trace(status: int, kept: bool) -> None:
    setup = Setup()
    root = setup.probe()
    root.set_attribute("http.response.status_code", status)
    root.end()
    assert setup.names == (["probe"] if kept else [])


def test_late_children_follow_the_decision() -> None:
    setup = Setup()
    good, bad = setup.probe("good"), setup.probe("bad")
    early = [setup.child(root, f"early of {name}") for root, name in ((good, "good"), (bad, "bad"))]
    bad.set_status(Status(StatusCode.ERROR))
    good.end()
    bad.end()
    for span in early:
        span.end()
    setup.child(good, "late of good").end()
    setup.child(early[1], "late of bad").end()
    assert setup.names == ["bad", "early of bad", "late of bad"]


def test_only_the_latest_decisions_are_remembered() -> None:
    setup = Setup()
    first = setup.probe()
    first.end()
    for _ in range(256):
        setup.probe().end()
    assert len(setup.processor._of) == 256
    setup.child(first, "very late").end()
    assert setup.names == ["very late"]


def test_other_traces_pass_at_once_even_when_they_share_the_trace_id_with_a_probe() -> None:
    setup = Setup()
    remote = trace.set_span_in_context(
        trace.NonRecordingSpan(trace.SpanContext(7, 8, is_remote=True, trace_flags=trace.TraceFlags(1)))
    )
    root = setup.tracer.start_span("probe", otel_context.set_value(PROBE, True, remote), SpanKind.SERVER)
    chat = setup.tracer.start_span("chat", remote, SpanKind.SERVER)
    setup.child(chat, "query").end()
    chat.end()
    root.end()
    assert setup.names == ["query", "chat"]


def test_a_probe_of_another_instrumentation_is_known_by_its_route() -> None:
    setup = Setup()
    span = setup.tracer.start_span("GET /health", kind=SpanKind.SERVER, attributes={"http.route": "/health"})
    span.end()
    setup.tracer.start_span("GET /chat", kind=SpanKind.SERVER, attributes={"http.route": "/chat"}).end()
    assert setup.names == ["GET /chat"]


def test_what_a_hung_probe_did_is_kept() -> None:
    setup = Setup(hung=0.0)
    root = setup.probe("hung")
    setup.child(root, "ping").end()
    setup.tracer.start_span("anything").end()
    assert setup.names == ["ping", "anything"]
    root.end()
    assert setup.names == ["ping", "anything", "hung"]


def test_a_process_that_ends_in_the_middle_of_a_probe_keeps_what_there_is() -> None:
    setup = Setup()
    setup.child(setup.probe(), "ping").end()
    setup.processor.shutdown()
    assert setup.names == ["ping"]


def test_memory_is_bounded_when_many_probes_hang() -> None:
    setup = Setup()
    roots = [setup.probe(f"probe {number}") for number in range(1000)]
    for root in roots:
        for number in range(3):
            setup.child(root, f"child {number}").end()
    assert len(setup.processor._held) <= 256
    assert len(setup.processor._of) <= 512 * 5


def test_through_flask_a_failing_probe_leaves_its_trace_and_a_good_one_none() -> None:
    with hooked(processor=lambda inner: ProbeTraceProcessor(inner, "failed")) as watch:
        app, broken = Flask("probed"), [False]
        app.add_url_rule("/", "home", lambda: "home")
        app.add_url_rule("/health", "own", lambda: ("bad", 503) if broken[0] else "fine")
        client = app.test_client()
        client.get("/health")
        client.get("/metrics")
        client.get("/")
        broken[0] = True
        client.get("/health")
        assert [span.name for span in watch.spans] == ["GET /", "GET /health"]
