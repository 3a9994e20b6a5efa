"""The viewer as a process, and OTLP for it: spans and log records as an app sends them.

Feeds the tests of `otel_chatbot.ui`.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from typing_extensions import Self

from otel_chatbot.ui.rows import Batch
from otel_chatbot.ui.store import Store

from .process import Process, fetch, free_port, program

SECOND = 1_000_000_000
BEGIN = 1_800_000_000 * SECOND
"""The time of the spans that tests make, in unix nanoseconds."""
ROOMY = 64 * 1024 * 1024


def store(folder: Path, max_bytes: int = ROOMY, max_age: float = 1e9) -> Store:
    return Store(str(folder / "ui.sqlite"), max_bytes, max_age)


class Page:
    """What a viewer answers at an address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **asked: Any) -> Any:
        """What the viewer answers to a question of its page."""
        status, text = self.get(f"/api/{path}?{urlencode(asked)}")
        assert status == 200, text
        return json.loads(text)

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        return fetch(Request(self.url + path, headers=headers))


class Viewer(Page):
    """`otel-chatbot ui` on a free loopback port; a context manager. What it prints is in `process`."""

    def __init__(
        self, folder: Path, look_at: Path | str | None = "", *arguments: str, env: Mapping[str, str] | None = None
    ) -> None:
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}")
        self.data = folder / "ui.sqlite"
        # Without a folder (None) it finds the apps of other tests too, but where TMPDIR is a place of its own.
        place = [] if look_at is None else [str(look_at or folder / "nowhere")]
        command = [
            program("otel-chatbot", "run `make setup`"),
            "ui",
            *place,
            "--port",
            str(self.port),
            "--data",
            str(self.data),
        ]
        self.process = Process([sys.executable, *command, *arguments], folder, env, name="viewer")

    def __enter__(self) -> Self:
        self.process.wait(lambda: self.get("/api/state")[0] == 200, "the viewer", 60)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.end()
        self.process.__exit__()

    def memory_mib(self) -> float:
        """The most memory that its process has had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return round(int(status.split("VmHWM:")[1].split()[0]) / 1024, 1)

    def post(self, path: str, message: Any, **headers: str) -> tuple[int, str]:
        """Post an OTLP message as protobuf, packed."""
        told = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip", **headers}
        return fetch(Request(self.url + path, gzip.compress(message.SerializeToString()), told))


def pairs(values: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_value(one) for one in value]))
    return AnyValue(string_value=value)


def trace_request(*spans: Mapping[str, Any], service: str = "shop") -> ExportTraceServiceRequest:
    """A request with spans. Of each: trace and span (whole numbers), name; parent, start and ms, kind, failed, attributes, events."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.extend(pairs({"service.name": service, "service.instance.id": f"{service}-1"}))
    scope = group.scope_spans.add()
    for told in spans:
        span = scope.spans.add(
            trace_id=told["trace"].to_bytes(16, "big"),
            span_id=told["span"].to_bytes(8, "big"),
            parent_span_id=told["parent"].to_bytes(8, "big") if told.get("parent") else b"",
            name=told["name"],
            kind=told.get("kind", 2 if not told.get("parent") else 3),
            start_time_unix_nano=BEGIN + int(told.get("start", 0) * SECOND),
            end_time_unix_nano=BEGIN + int(told.get("start", 0) * SECOND) + int(told.get("ms", 10) * 1e6),
            attributes=pairs(told.get("attributes", {})),
        )
        if told.get("failed"):
            span.status.code = 2  # type: ignore[assignment]
        for name, attributes in told.get("events", []):
            span.events.add(name=name, time_unix_nano=span.start_time_unix_nano + 1000, attributes=pairs(attributes))
    return message


def log_request(*records: Mapping[str, Any], service: str = "shop") -> ExportLogsServiceRequest:
    """A request with log records. Of each: body; level (a severity number), at (seconds), trace and span, attributes."""
    message = ExportLogsServiceRequest()
    group = message.resource_logs.add()
    group.resource.attributes.extend(pairs({"service.name": service}))
    scope = group.scope_logs.add()
    scope.scope.name = "shop.views"
    for told in records:
        scope.log_records.add(
            time_unix_nano=BEGIN + int(told.get("at", 0) * SECOND),
            severity_number=told.get("level", 9),
            body=AnyValue(string_value=told["body"]),
            trace_id=told["trace"].to_bytes(16, "big") if told.get("trace") else b"",
            span_id=told["span"].to_bytes(8, "big") if told.get("span") else b"",
            attributes=pairs(told.get("attributes", {})),
        )
    return message


def batch_of(*messages: Any) -> Batch:
    """Messages as the viewer writes them."""
    from otel_chatbot.ui.otlp import add_logs, add_traces

    batch = Batch()
    for message in messages:
        add = add_traces if isinstance(message, ExportTraceServiceRequest) else add_logs
        add(message, batch)
    return batch


def chat(
    number: int, start: float = 0.0, *, conversation: str = "talk", failed: bool = False, cost: float = 0.001
) -> list[dict[str, Any]]:
    """The spans of one turn of a conversation: the request, a MongoDB command, a call of a model."""
    said = {"gen_ai.conversation.id": conversation}
    code = 502 if failed else 200
    return [
        {"trace": number, "span": 1, "name": "POST /chat", "start": start, "ms": 500, "failed": failed,
         "attributes": {"http.route": "/chat", "http.response.status_code": code, **said}},
        {"trace": number, "span": 2, "parent": 1, "name": "shop.find", "start": start + 0.01, "ms": 5,
         "attributes": {"db.system.name": "mongodb", "db.operation.name": "find", "db.collection.name": "messages"}},
        {"trace": number, "span": 3, "parent": 1, "name": "chat gpt-4o-mini", "start": start + 0.02, "ms": 450, "failed": failed,
         "attributes": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.input_tokens": 30,
                        "gen_ai.usage.output_tokens": 12, "chatbot.ai.cost": cost, **said,
                        **({"error.type": "InternalServerError"} if failed else {})}},
    ]  # fmt: skip
