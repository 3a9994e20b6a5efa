"""What a single call costs: counters, histograms, log lines; ours against the peer in one process.

Fed by `run.py`, which starts it in the benchmarks' environment with the package on its path; prints rows as lines of JSON.

Peers are used as their documentation shows: prometheus_client's `inc`, `labels(...).inc`, `observe`; python-json-logger's
`OrjsonFormatter`; structlog's `JSONRenderer` on orjson, with the caller's place as ours has it; concurrent-log-handler. Ours are
called as an application calls them: the checks of attributes, the counting of each event once, the exemplar, the trace's
ids and the redaction are in the figures. Nothing of the kind is in the peers'.
"""

from __future__ import annotations

import argparse
import hmac
import json
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import prometheus_client as prometheus
import structlog
from concurrent_log_handler import ConcurrentRotatingFileHandler
from figures import Row, compare, per_call, row
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as upstream
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from pythonjsonlogger.orjson import OrjsonFormatter

import otel_chatbot as o
from otel_chatbot import _wiring, config
from otel_chatbot.distro.delivery.encoding.attributes import Attributes
from otel_chatbot.distro.delivery.encoding.traces import encode_spans
from otel_chatbot.instrumentation.common import chat_turn
from otel_chatbot.logs.files import LogFiles
from otel_chatbot.logs.formatters import JsonFormatter
from otel_chatbot.logs.redaction import Redactor
from otel_chatbot.metrics import deduplication, record, series, store
from otel_chatbot.metrics.shared.segment import MemorySegment
from otel_chatbot.quality import answer_ids
from otel_chatbot.semconv import metrics as m

CALLS, LINES, SPANS = 10_000, 1_000, 200
SPAN = trace.NonRecordingSpan(
    trace.SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, False, trace.TraceFlags(1))
)
FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s %(module)s %(funcName)s %(lineno)d %(process)d"
CLIENT = "prometheus_client"


def counting(rounds: int) -> list[Row]:
    registry = prometheus.CollectorRegistry()
    plain, peer = o.Counter("bench.calls"), prometheus.Counter("calls", "x", registry=registry)
    labelled = o.Counter("bench.orders", attributes=("kind", "place"))
    peer_labelled = prometheus.Counter("orders", "x", ["kind", "place"], registry=registry)
    gauge, peer_gauge = o.Gauge("bench.level"), prometheus.Gauge("level", "x", registry=registry)
    wait = o.Histogram("bench.wait")
    peer_wait = prometheus.Histogram("wait", "x", registry=registry, buckets=m.SLOW_EDGES)
    record.activate(m.MESSAGES_SENT)
    table: tuple[tuple[str, Callable[[], object], Callable[[], object], float | None], ...] = (
        ("`counter.inc()`", plain.inc, peer.inc, 1.0),
        ("`messages_sent.inc()`, which fills itself too", o.messages_sent.inc, peer.inc, 2.0),
        (
            "`counter.inc()` with two labels",
            lambda: labelled.inc(kind="a", place="b"),
            lambda: peer_labelled.labels(kind="a", place="b").inc(),
            0.6,
        ),
        ("`gauge.set()`", lambda: gauge.set(5), lambda: peer_gauge.set(5), 1.0),
        (
            "`histogram.observe()` in a sampled span, an exemplar each 0.1 s as the product writes them",
            lambda: wait.observe(0.3), lambda: peer_wait.observe(0.3), 1.0,
        ),
    )  # fmt: skip
    token = context.attach(trace.set_span_in_context(SPAN))
    rows = [compare(what, mine, CLIENT, theirs, rounds=rounds, times=CALLS, goal=goal) for what, mine, theirs, goal in table]
    kept, series.EXEMPLAR_SECONDS = series.EXEMPLAR_SECONDS, 0.0  # type: ignore[misc]
    what = "`histogram.observe()`, every call writing an exemplar"
    rows.append(
        compare(what, lambda: wait.observe(0.3), CLIENT, lambda: peer_wait.observe(0.3), rounds=rounds, times=CALLS, goal=1.0)
    )
    series.EXEMPLAR_SECONDS = kept  # type: ignore[misc]
    context.detach(token)
    return rows


def signing(rounds: int) -> list[Row]:
    """The id of an answer, asked for in a turn as an application does, beside the signature of as many bytes alone."""
    scope = deduplication.Scope(ends=True)
    turn = chat_turn.running(scope)
    assert turn is not None
    turn.answer = chat_turn.ModelAnswer(SPAN.get_span_context(), "gpt-4o-mini")
    token = deduplication.enter(scope)
    key, data = answer_ids.signing_key().secret, bytes(len(o.answer_id() or "") * 3 // 4 - 16)
    name = f"`hmac.digest` of the same {len(data)} bytes"
    rows = [
        compare(
            "`answer_id()`", o.answer_id, name, lambda: hmac.digest(key, data, "sha256"), rounds=rounds, times=CALLS, goal=4.0
        )
    ]
    deduplication.leave(token)
    return rows


def lines(rounds: int) -> list[Row]:
    peer, encode = OrjsonFormatter(FIELDS), JsonFormatter().encode
    callsite = structlog.processors.CallsiteParameter
    places = (callsite.MODULE, callsite.FUNC_NAME, callsite.LINENO, callsite.PROCESS)
    chain = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.CallsiteParameterAdder(places),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(serializer=orjson.dumps),
    ]
    logger = structlog.wrap_logger(structlog.ReturnLogger(), processors=chain)

    def structlogs(each: logging.LogRecord) -> None:
        logger.info(each.getMessage(), **EXTRA)

    rows = [
        per_line(
            "a JSON line formatted, ours with trace ids and redaction",
            encode,
            "python-json-logger on orjson",
            peer.format,
            rounds,
            1.0,
        ),
        per_line("the same fields", encode, "structlog on orjson", structlogs, rounds, None),
    ]
    with tempfile.TemporaryDirectory() as folder:
        files = LogFiles(folder)
        handler = ConcurrentRotatingFileHandler(str(Path(folder) / "peer.log"), "a", 10 * 1024 * 1024, 5)
        handler.setFormatter(peer)
        name = "concurrent-log-handler with that formatter"
        rows.append(
            per_line("the same line, written to a file shared by processes", files.write, name, handler.emit, rounds, 1.0)
        )
        files.close()
        handler.close()
    return rows


EXTRA = {"event_name": "message_sent", "conversation_id": "c1", "role": "user", "message_length": 42}


def log_record(number: int) -> logging.LogRecord:
    return logging.getLogger("bench").makeRecord(
        "bench", 20, __file__, 1, "Message sent in conversation %s by %s", (number, "user"), None, "f", EXTRA
    )


def per_line(
    what: str,
    ours: Callable[[logging.LogRecord], object],
    name: str,
    peer: Callable[[logging.LogRecord], object],
    rounds: int,
    goal: float | None,
) -> Row:
    """Compare two ways to treat a record; each gets new records."""

    def cost(work: Callable[[logging.LogRecord], object]) -> float:
        records = [log_record(number) for number in range(LINES)]
        with trace.use_span(SPAN):
            begin = time.process_time()
            for each in records:
                work(each)
            return (time.process_time() - begin) / LINES * 1e6

    cost(ours), cost(peer)
    return row(what, "µs", name, [(cost(ours), cost(peer)) for _ in range(rounds)], goal)


class Kept(SpanProcessor):
    """The spans that have ended, as an exporter gets them."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def ended_spans(number: int) -> list[ReadableSpan]:
    """Spans of database commands, as a chat has them: ids, times and the numbers of documents differ."""
    kept = Kept()
    provider = TracerProvider(resource=Resource({"service.name": "bench", "service.instance.id": "one"}))
    provider.add_span_processor(kept)
    tracer, under = provider.get_tracer("pymongo", "1"), trace.set_span_in_context(SPAN)
    for one in range(number):
        told = {
            "db.system.name": "mongodb", "db.operation.name": "find", "db.namespace": "chats", "db.collection.name": "messages",
            "server.address": "127.0.0.1", "server.port": 27017, "chatbot.documents": one % 7,
        }  # fmt: skip
        tracer.start_span("find messages", under, trace.SpanKind.CLIENT, told).end()
    return kept.spans


def encoding(rounds: int) -> list[Row]:
    """A span as bytes of OTLP: ours redacted on the way, upstream's as it is."""
    batch, attributes = ended_spans(SPANS), Attributes(Redactor.from_settings(config.current()))
    found = [
        (
            per_call(lambda: encode_spans(batch, attributes), 10) / SPANS,
            per_call(lambda: upstream(batch).SerializeToString(), 10) / SPANS,
        )
        for _ in range(rounds + 1)
    ]
    return [row("a span encoded, ours with redaction", "µs", "opentelemetry-exporter-otlp", found[1:], 0.15)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    _wiring.Configured.done = True
    store.STORE._make_segment = MemorySegment
    for each in (*counting(rounds), *signing(rounds), *lines(rounds), *encoding(rounds)):
        print(json.dumps(each.as_dict()), flush=True)


if __name__ == "__main__":
    main()
