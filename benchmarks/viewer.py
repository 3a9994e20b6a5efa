"""What the viewer takes: spans and log records posted to it, beside sqlite3 alone with the same rows, and questions at sizes.

    python benchmarks/viewer.py [--sizes 10000,100000,1000000] [--folder /tmp]

Prints one JSON line per size: rows each second through the viewer and by sqlite3 alone (same tables, same indexes, rows made
before), their ratio, the 95th percentile of each question in milliseconds, memory and disk. Bodies are OTLP as an exporter
packs it, 500 spans or records each, sent by four threads.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_chatbot.ui import schema
from otel_chatbot.ui.figures import Recorder
from otel_chatbot.ui.ingest import PROTOBUF, Ingest
from otel_chatbot.ui.otlp import add_logs, add_traces
from otel_chatbot.ui.queries import conversations, logs, traces
from otel_chatbot.ui.rows import Batch
from otel_chatbot.ui.store import _LOG, _SPAN, Store

BODY = 500
SPANS = 8
"""Spans of a trace."""
START = 1_800_000_000_000_000_000
ROUNDS = 40
SENDERS = 4
AT_ONCE = 20_000
"""Rows of a transaction of sqlite3 alone: as many as the viewer puts into one when it has a backlog."""


def attributes(**values: object) -> list[KeyValue]:
    def value(one: object) -> AnyValue:
        return AnyValue(int_value=one) if isinstance(one, int) else AnyValue(string_value=str(one))

    return [KeyValue(key=key.replace("__", "."), value=value(one)) for key, one in values.items()]


def trace_body(first: int) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.extend(attributes(service__name="bench", service__instance__id="bench-1"))
    scope = group.scope_spans.add()
    for number in range(first, first + BODY):
        turn, place = divmod(number, SPANS)
        span = scope.spans.add(
            trace_id=(turn * 0x9E3779B97F4A7C15 % 2**64 + 1).to_bytes(16, "big"), span_id=(number + 1).to_bytes(8, "big"),
            start_time_unix_nano=START + number * 1000, end_time_unix_nano=START + number * 1000 + (number % 997) * 1_000_000,
        )  # fmt: skip
        if place == 0:
            route = f"/chat/{turn % 20}"
            span.name, span.kind = f"POST {route}", 2
            span.attributes.extend(attributes(
                http__request__method="POST", http__route=route, http__response__status_code=500 if turn % 100 == 0 else 200,
                url__path=route, url__scheme="http", server__address="127.0.0.1", server__port=5000,
                gen_ai__conversation__id=f"conversation-{turn // 5}",
            ))  # fmt: skip
            span.status.code = 2 if turn % 100 == 0 else 0
        elif place == 1:
            span.name, span.kind = "chat gpt-4o-mini", 3
            span.attributes.extend(attributes(
                gen_ai__operation__name="chat", gen_ai__request__model="gpt-4o-mini", gen_ai__usage__input_tokens=100,
                gen_ai__usage__output_tokens=50, gen_ai__conversation__id=f"conversation-{turn // 5}", word=f"word{number % 5000}",
            ))  # fmt: skip
        else:
            span.name, span.kind = "shop.find", 3
            span.attributes.extend(attributes(
                db__system__name="mongodb", db__namespace="shop", db__operation__name="find", db__collection__name="messages",
                server__address="127.0.0.1", server__port=27017,
            ))  # fmt: skip
        if place:
            span.parent_span_id = (number - place + 1).to_bytes(8, "big")
    return message


def log_body(first: int) -> ExportLogsServiceRequest:
    message = ExportLogsServiceRequest()
    group = message.resource_logs.add()
    group.resource.attributes.extend(attributes(service__name="bench"))
    scope = group.scope_logs.add()
    scope.scope.name = "bench.views"
    for number in range(first, first + BODY):
        scope.log_records.add(
            time_unix_nano=START + number * 1000, severity_number=17 if number % 1000 == 0 else 9,
            body=AnyValue(string_value=f"Answered question {number} about word{number % 5000} in {number % 800} ms"),
            trace_id=(number // SPANS * 0x9E3779B97F4A7C15 % 2**64 + 1).to_bytes(16, "big"), span_id=(number + 1).to_bytes(8, "big"),
            attributes=attributes(user="ada", cached=number % 2),
        )  # fmt: skip
    return message


def make(path: Path, size: int) -> None:
    """Put the bodies into a file, spans and records as many of each: to make them is no part of what is measured."""
    with path.open("wb") as file:
        for first in range(0, size, BODY):
            for kind, message in ((b"t", trace_body(first)), (b"l", log_body(first))):
                body = message.SerializeToString()
                file.write(kind + len(body).to_bytes(4, "big") + body)


def bodies(path: Path) -> Iterator[tuple[str, bytes]]:
    """The bodies of a file, each with the path that it is posted to."""
    with path.open("rb") as file:
        while kind := file.read(1):
            yield "/v1/traces" if kind == b"t" else "/v1/logs", file.read(int.from_bytes(file.read(4), "big"))


def posted(folder: Path, size: int) -> tuple[Store, float]:
    """The rows through the viewer's endpoint; the store, and rows each second."""
    store = Store(str(folder / "viewer.sqlite"), 1 << 40, 1e9)
    taking = Ingest(store, Recorder())
    make(folder / "bodies", size)
    waiting = bodies(folder / "bodies")
    lock = threading.Lock()

    def send() -> None:
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                return
            taking.take(*body, PROTOBUF, "")

    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = 2 * size / (time.perf_counter() - began)
    (folder / "bodies").unlink()
    return store, rate


def alone(folder: Path, size: int) -> float:
    """The same rows by sqlite3 alone, into the same tables; rows each second."""
    db = sqlite3.connect(folder / "alone.sqlite", isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -32000"):
        db.execute(f"PRAGMA {pragma}")
    db.executescript(schema.TABLES)
    seconds = 0.0
    for first in range(0, size, AT_ONCE // 2):
        batch = Batch()
        for start in range(first, min(size, first + AT_ONCE // 2), BODY):
            add_traces(trace_body(start), batch)
            add_logs(log_body(start), batch)
        began = time.perf_counter()
        db.execute("BEGIN IMMEDIATE")
        db.executemany(_SPAN, batch.spans)
        db.executemany(_LOG, batch.logs)
        db.execute("COMMIT")
        seconds += time.perf_counter() - began
    db.close()
    return 2 * size / seconds


QUESTIONS: dict[str, Callable[[sqlite3.Connection, int], object]] = {
    "traces": lambda db, _: traces.traces(db, traces.Wanted()),
    "failed traces": lambda db, _: traces.traces(db, traces.Wanted(failed=True)),
    "traces of a route": lambda db, n: traces.traces(db, traces.Wanted(route=f"/chat/{n % 20}")),
    "slow traces": lambda db, _: traces.traces(db, traces.Wanted(least_ms=900)),
    "traces by text": lambda db, n: traces.traces(db, traces.Wanted(text=f"word{n}")),
    "conversations": lambda db, _: conversations.conversations(db, conversations.Wanted()),
    "a conversation": lambda db, n: conversations.conversation(db, f"conversation-{n}"),
    "log records": lambda db, _: logs.logs(db, logs.Wanted()),
    "errors in the log": lambda db, _: logs.logs(db, logs.Wanted(level=17)),
    "log records by text": lambda db, n: logs.logs(db, logs.Wanted(text=f"answered word{n}")),
}


def asked(store: Store) -> dict[str, float]:
    """The 95th percentile of each question, in milliseconds."""
    found = {}
    for name, ask in QUESTIONS.items():
        seconds = []
        for number in range(ROUNDS):
            began = time.perf_counter()
            with store.reading() as db:
                ask(db, 7 * number)
            seconds.append(time.perf_counter() - began)
        found[name] = round(1000 * statistics.quantiles(seconds, n=20)[-1], 2)
    return found


def measured(folder: Path, size: int) -> dict[str, object]:
    store, rate = posted(folder, size)
    p95 = asked(store)
    store.close()
    disk = os.path.getsize(folder / "viewer.sqlite")
    (folder / "viewer.sqlite").unlink()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    bare = alone(folder, size)
    (folder / "alone.sqlite").unlink()
    return {
        "spans and records": 2 * size, "rows a second": round(rate), "sqlite3 alone": round(bare), "ratio": round(rate / bare, 2),
        "p95 in ms": p95, "memory in MiB": round(memory), "bytes a row": round(disk / size / 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="What the viewer takes, beside sqlite3 alone.")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="spans, and as many log records")
    parser.add_argument("--folder", default=tempfile.gettempdir())
    options = parser.parse_args()
    for size in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            print(json.dumps(measured(Path(folder), size)), flush=True)


if __name__ == "__main__":
    main()
