"""What the hot paths cost, in calls of functions: a change that makes them dearer has to say so here.

The bounds are what was counted, and some room for other versions of Python. Times stand in docs/performance.md.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from flask import Flask
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from pymongo.monitoring import ConnectionCreatedEvent
from support.calls import calls
from support.databases import undisturbed
from support.flask_hooks import hooked
from support.logging_state import sink_into

from otel_chatbot import Counter, Gauge, Histogram, answer_id
from otel_chatbot.distro.providers import light_maker  # noqa: F401 - as in an app, it makes the spans
from otel_chatbot.distro.providers.lazy_processors import LazySpanProcessor
from otel_chatbot.distro.providers.probe_traces import ProbeTraceProcessor
from otel_chatbot.distro.providers.redacting_exporters import redact_span
from otel_chatbot.instrumentation.common import chat_turn
from otel_chatbot.instrumentation.common.span_maker import maker_of
from otel_chatbot.instrumentation.genai import recognise
from otel_chatbot.instrumentation.genai import spans as genai_spans
from otel_chatbot.instrumentation.genai.call import Call
from otel_chatbot.instrumentation.genai.wire_call import WireCall
from otel_chatbot.instrumentation.mongodb import commands
from otel_chatbot.instrumentation.mongodb.commands import CommandFigures
from otel_chatbot.instrumentation.mongodb.pool import PoolFigures
from otel_chatbot.instrumentation.redis import spans as redis_spans
from otel_chatbot.instrumentation.redis.commands import State, begin
from otel_chatbot.logs.files import LogFiles
from otel_chatbot.logs.formatters import JsonFormatter
from otel_chatbot.logs.redaction import Redactor
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.semconv import metrics as m

SPAN = trace.NonRecordingSpan(trace.SpanContext(1 << 100 | 5, 7, False, trace.TraceFlags(1)))
UNSAMPLED = trace.NonRecordingSpan(trace.SpanContext(1 << 100 | 5, 7, False, trace.TraceFlags(0)))


@pytest.fixture
def in_a_sampled_span() -> Iterator[None]:
    token = context.attach(trace.set_span_in_context(SPAN))
    yield
    context.detach(token)


def at_most(bound: int, counted: int) -> None:
    """Not more than the bound, and not so much less that the bound guards nothing."""
    assert bound / 2 <= counted <= bound


@pytest.mark.parametrize(("sampled", "bound"), [(True, 245), (False, 224)])
def test_a_request_with_its_metrics_span_and_access_record(tmp_path: Path, sampled: bool, bound: int) -> None:
    app = Flask("costs")
    app.get("/hello")(lambda: {"hello": "world"})
    client = app.test_client()
    with hooked(sampled=sampled), sink_into(tmp_path, logging.INFO):
        at_most(bound, calls(lambda: client.get("/hello").close()))


@pytest.mark.parametrize(("sampled", "bound"), [(True, 229), (False, 208)])
def test_a_request_of_which_nobody_else_hears_the_access_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampled: bool, bound: int
) -> None:
    app = Flask("costs")
    app.get("/hello")(lambda: {"hello": "world"})
    client = app.test_client()
    with hooked(sampled=sampled), sink_into(tmp_path, logging.INFO):
        monkeypatch.setattr(logging.getLogger("chatbot.access"), "handlers", [])  # pytest's, and the watch's
        at_most(bound, calls(lambda: client.get("/hello").close()))


@pytest.mark.parametrize(("sampler", "bound"), [(ALWAYS_ON, 30), (ALWAYS_OFF, 10)], ids=["sampled", "unsampled"])
def test_a_span_of_ours_from_its_start_to_the_queue(sampler: Sampler, bound: int) -> None:
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    processor = LazySpanProcessor(InMemorySpanExporter())
    provider.add_span_processor(ProbeTraceProcessor(processor))
    maker = maker_of(provider.get_tracer("costs"))

    def span() -> None:
        made = maker.start(
            "find", context.Context(), trace.SpanKind.CLIENT, {"db.system.name": "mongodb", "server.port": 27017}
        )
        made.set_attribute("db.response.status_code", "1")
        made.end()

    at_most(bound, calls(span))
    processor.shutdown()


def test_counting_by_hand(in_a_sampled_span: None) -> None:
    name = f"costs.{uuid.uuid4().hex}"
    plain, labelled = Counter(name), Counter(f"{name}.labelled", attributes=("kind", "place"))
    gauge, wait = Gauge(f"{name}.gauge"), Histogram(f"{name}.wait")
    at_most(2, calls(plain.inc))
    at_most(8, calls(lambda: labelled.inc(kind="a", place="b")))
    at_most(8, calls(lambda: gauge.set(5)))
    at_most(8, calls(lambda: wait.observe(0.3)))


def test_the_id_of_an_answer() -> None:
    with deduplication.request_scope() as scope:
        turn = chat_turn.running(scope)
        assert turn is not None
        turn.answer = chat_turn.ModelAnswer(SPAN.get_span_context(), "gpt-4o-mini")
        at_most(24, calls(answer_id))


def test_a_log_line(tmp_path: Path, in_a_sampled_span: None) -> None:
    extra = {"event": "message_sent", "conversation_id": "c1", "role": "user", "message_length": 42}
    record = logging.getLogger("costs").makeRecord("costs", 20, __file__, 1, "Sent by %s", ("user",), None, "f", extra)
    files = LogFiles(str(tmp_path))
    at_most(40, calls(lambda: JsonFormatter().encode(record)))
    at_most(62, calls(lambda: files.write(record)))
    files.close()


@pytest.fixture(params=[None, TracerProvider(sampler=ALWAYS_OFF), TracerProvider()], ids=["figures", "unsampled", "span"])
def spans(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether spans of commands are made: by nobody, by a provider that samples none, by one that samples all."""
    before = [dict(vars(spans)) for spans in (commands.SPANS, redis_spans.SPANS)]
    for spans in (commands.SPANS, redis_spans.SPANS):
        spans.switch_on(request.param) if request.param else spans.switch_off()
    sampled = request.node.callspec.id.startswith("span")
    with undisturbed(), deduplication.request_scope(), trace.use_span(SPAN if sampled else UNSAMPLED):
        record.activate(m.DB_QUERIES, m.DB_QUERY_TIME, m.CACHE_HITS, m.CACHE_MISSES, m.CACHE_OPERATION_TIME)  # as in an app
        yield sampled
    for spans, kept in zip((commands.SPANS, redis_spans.SPANS), before, strict=True):
        vars(spans).update(kept)


MESSAGE = {"_id": 1, "conversation_id": "c1", "role": "user", "content": "Hello"}
COMMANDS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "find": (
        {"find": "messages", "filter": {"conversation_id": "c1"}, "$db": "chat"},
        {"cursor": {"firstBatch": [MESSAGE], "id": 0}, "ok": 1},
    ),
    "insert": ({"insert": "messages", "documents": [MESSAGE], "$db": "chat"}, {"n": 1, "ok": 1}),
    "update": (
        {"update": "conversations", "updates": [{"q": {"_id": 1}, "u": {"$set": {"title": "x"}}}], "$db": "chat"},
        {"n": 1, "nModified": 1, "ok": 1},
    ),
}


@pytest.mark.parametrize(("name", "bound", "without"), [("find", 85, 72), ("insert", 93, 80), ("update", 88, 75)])
def test_a_mongodb_command(monkeypatch: pytest.MonkeyPatch, spans: bool, name: str, bound: int, without: int) -> None:
    monkeypatch.setattr(CommandFigures, "enabled", True)  # tests that switch MongoDB's figures off leave them so
    figures, address = CommandFigures(), ("db.example", 27017)
    asked, replied = COMMANDS[name]

    def command() -> None:
        figures.begin(name, asked, "chat", 1, address)
        figures.succeed(replied, name, 1, address, "chat")

    at_most(bound if spans else without, calls(command))


def test_a_connection_of_mongodb_that_is_taken_and_given_back(monkeypatch: pytest.MonkeyPatch, in_a_sampled_span: None) -> None:
    monkeypatch.setattr(PoolFigures, "enabled", True)
    pools, address = PoolFigures(), ("db.example", 27017)
    pools.connection_created(ConnectionCreatedEvent(address, 1))

    def use() -> None:
        pools.asked(address)
        pools.taken(address, 1, 0.001)
        pools.returned(address, 1)

    with undisturbed():
        record.activate(m.DB_CONNECTIONS)
        at_most(25, calls(use))
    pools.give_back()


@pytest.mark.parametrize(
    ("command", "reply", "bound", "without"),
    [
        (("GET", "answer"), "value", 71, 52),
        (("GET", "answer"), None, 85, 66),
        (("SET", "answer", "value"), True, 66, 47),
        (("INCR", "turns"), 2, 57, 38),
    ],
    ids=["hit", "miss", "set", "incr"],
)
def test_a_redis_command(
    monkeypatch: pytest.MonkeyPatch, spans: bool, command: tuple[str, ...], reply: object, bound: int, without: int
) -> None:
    class Pool:
        connection_kwargs: ClassVar[dict[str, object]] = {"host": "cache.example", "port": 6379, "db": 0}

    class Client:
        connection_pool = Pool()

    def run() -> None:
        operation = begin(Client(), command[0], [command])
        assert operation is not None
        operation.succeeded([reply])

    monkeypatch.setattr(State, "on", True)
    at_most(bound if spans else without, calls(run))


@pytest.mark.parametrize(
    ("provider", "bound"),
    [(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False), 245), (TracerProvider(shutdown_on_exit=False), 290)],
    ids=["unsampled", "sampled"],
)
def test_a_model_call(monkeypatch: pytest.MonkeyPatch, provider: TracerProvider, bound: int) -> None:
    for name, value in (("on", True), ("provider", provider), ("maker", None), ("follows", False)):
        monkeypatch.setattr(genai_spans.Spans, name, value)
    protocol, place = recognise.PROTOCOLS[0], recognise.Place("127.0.0.1", 9, "/v1/chat/completions", "http")
    said = {"role": "assistant", "content": "A span is a part of a trace."}
    usage = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    answer = {"id": "c1", "object": "chat.completion", "model": "gpt-4o-mini", "choices": [choice], "usage": usage}
    body = json.dumps(answer).encode()
    headers = {"content-type": "application/json"}.get

    def call() -> None:
        asked = protocol.request({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}, place.path)
        found = recognise.Found(protocol, "openai", asked, {}, place, known=True)
        wire_call = WireCall(Call("openai", asked, place), found, None)
        wire_call.responded(200, headers, decoded=True)
        wire_call.whole(body)
        wire_call.finish()

    with deduplication.request_scope():
        at_most(bound, calls(call))


def test_a_span_that_is_exported() -> None:
    attributes = {"http.request.method": "GET", "http.route": "/chat", "client.address": "127.0.0.1", "server.port": 8000}
    span, redactor = ReadableSpan("GET /chat", attributes=attributes), Redactor()
    at_most(16, calls(lambda: redact_span(span, redactor)))


def test_the_cost_of_a_request_does_not_grow_with_routes_and_series(tmp_path: Path) -> None:
    app = Flask("costs")  # not sampled: whether an exemplar is written depends on the clock
    for number in range(200):
        app.get(f"/route{number}/all", endpoint=f"route{number}")(lambda: {"hello": "world"})
    client = app.test_client()
    with hooked(sampled=False), sink_into(tmp_path, logging.INFO):
        few = calls(lambda: client.get("/route0/all").close())
        for number in range(200):
            client.get(f"/route{number}/all").close()
        assert calls(lambda: client.get("/route199/all").close()) == few
