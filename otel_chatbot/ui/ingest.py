"""Takes the posts to `/v1/traces`, `/v1/logs` and `/v1/metrics`: OTLP over HTTP, protobuf or JSON, gzip or not.

Fed by `ui.server`; feeds `ui.store`. A wrong body is answered with a 4xx and the reason, so that the sender learns it, and
nothing from it is kept.
"""

from __future__ import annotations

import base64
import contextlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from .figures import Recorder, add_metrics
from .otlp import add_logs, add_traces
from .rows import Batch
from .store import BusyError, Store

LIMIT: Final = 32 * 1024 * 1024
"""Bytes of a body, unpacked."""
PROTOBUF, JSON = "application/x-protobuf", "application/json"
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})
"""Fields that are hexadecimal in OTLP's JSON and base64 in protobuf's."""


class RefusedError(Exception):
    """A body is refused: the HTTP status and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Signal:
    """One of the three paths: its request, its answer, and the function that adds the rows."""

    request: type[Message]
    response: type[Message]
    add: Callable[[Any, Batch], None]


class Ingest:
    """Takes bodies for a store."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self._store = store
        self.signals: Final = {
            "/v1/traces": Signal(ExportTraceServiceRequest, ExportTraceServiceResponse, add_traces),
            "/v1/logs": Signal(ExportLogsServiceRequest, ExportLogsServiceResponse, add_logs),
            "/v1/metrics": Signal(
                ExportMetricsServiceRequest,
                ExportMetricsServiceResponse,
                lambda message, batch: add_metrics(message, recorder, batch),
            ),
        }

    def take(self, path: str, body: bytes, content_type: str, encoding: str) -> tuple[bytes, str]:
        """Write a body's rows; return the answer and its type after they are handed to the disk. RefusedError."""
        signal = self.signals[path]
        kind = content_type.partition(";")[0].strip().lower()
        if kind not in (PROTOBUF, JSON):
            raise RefusedError(415, f"{kind or 'no content type'} is not OTLP over HTTP; send {PROTOBUF} or {JSON}")
        message = parse(signal.request, unpacked(body, encoding), json=kind == JSON)
        batch = Batch()
        signal.add(message, batch)
        if len(batch):
            try:
                self._store.write(batch)
            except BusyError as error:
                raise RefusedError(503, str(error)) from error
        return (b"{}", JSON) if kind == JSON else (signal.response().SerializeToString(), PROTOBUF)


def unpacked(body: bytes, encoding: str) -> bytes:
    """The uncompressed body; RefusedError if it is longer than `LIMIT` bytes or cannot be unpacked."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        found = body
    elif encoding == "gzip":
        found = _gunzipped(body)
    else:
        raise RefusedError(415, f"the content encoding {encoding} is not supported; send gzip or none")
    if len(found) > LIMIT:
        raise RefusedError(413, f"the body is larger than {LIMIT} bytes")
    return found


def _gunzipped(body: bytes) -> bytes:
    parts: list[bytes] = []
    size = 0
    rest = body
    try:
        while rest:
            one = zlib.decompressobj(wbits=31)
            parts.append(one.decompress(rest, LIMIT + 1 - size))
            size += len(parts[-1])
            if size > LIMIT:
                break
            if not one.eof:
                raise RefusedError(400, "the gzip stream ends too early")
            rest = one.unused_data
    except zlib.error as error:
        raise RefusedError(400, f"the body is not gzip: {error}") from error
    return b"".join(parts)


def parse(kind: type[Message], body: bytes, *, json: bool) -> Message:
    """The message in a body; RefusedError if it cannot be read."""
    try:
        if json:
            found = orjson.loads(body)
            if not isinstance(found, dict):
                raise RefusedError(400, f"the body is not the JSON of {kind.__name__}: it is no object")
            return json_format.ParseDict(_with_base64(found), kind(), ignore_unknown_fields=True)
        message = kind()
        message.ParseFromString(body)
        return message
    except DecodeError as error:
        raise RefusedError(400, f"the body is not the protobuf of {kind.__name__}: {error}") from error
    except (ValueError, TypeError, AttributeError, json_format.ParseError, RecursionError) as error:
        raise RefusedError(400, f"the body is not the JSON of {kind.__name__}: {error}") from error


def _with_base64(found: Any) -> Any:
    if isinstance(found, Mapping):
        return {name: _identity(inner) if name in _IDS else _with_base64(inner) for name, inner in found.items()}
    if isinstance(found, list):
        return [_with_base64(inner) for inner in found]
    return found


def _identity(value: Any) -> Any:
    with contextlib.suppress(ValueError, TypeError):
        return base64.b64encode(bytes.fromhex(value)).decode()
    return value
