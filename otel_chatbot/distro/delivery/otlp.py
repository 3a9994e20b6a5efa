"""OTLP over HTTP: the endpoint of a signal, the post of a payload, and the meaning of the answer.

Fed by the environment (by the rules of the upstream exporters) and `distro.delivery.sender`; feeds the collector.
Only a valid OTLP answer with a 2xx status is a success; a redirect or a page of HTML is not.
"""

from __future__ import annotations

import gzip
import json
import os
import threading
import weakref
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from google.protobuf.message import DecodeError
from opentelemetry.exporter.http.transport._base import BaseHTTPTransport
from opentelemetry.exporter.otlp.common.http import Compression, _extract_retry_after
from opentelemetry.exporter.otlp.proto.http._common import (
    _build_transport,
    _load_session_from_envvar,
    _resolve_compression,
    _resolve_endpoint,
    _resolve_headers,
    _resolve_timeout,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from ..._clock import monotonic
from ..._fork import at_fork
from ...semconv.attributes import Signal
from .spool import Payload
from .tls import trusting_its_own

_MESSAGES: Final[dict[Signal, tuple[Any, Any]]] = {
    Signal.TRACES: (ExportTraceServiceRequest, ExportTraceServiceResponse),
    Signal.METRICS: (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    Signal.LOGS: (ExportLogsServiceRequest, ExportLogsServiceResponse),
}
_REJECTED: Final = {
    Signal.TRACES: ("rejected_spans", "rejectedSpans"),
    Signal.METRICS: ("rejected_data_points", "rejectedDataPoints"),
    Signal.LOGS: ("rejected_log_records", "rejectedLogRecords"),
}
_TRY_LATER: Final = frozenset({408, 429})


class Verdict(Enum):
    """The fate of a payload after an attempt."""

    TAKEN = "taken"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True)
class Answer:
    """The outcome of one attempt. `rejected`: items of a taken payload; `wait`: seconds that the endpoint asked for."""

    verdict: Verdict
    reason: str = ""
    rejected: int = 0
    wait: float | None = None


class Target:
    """The endpoint of one signal: URL, headers, timeout and TLS from the standard environment variables of the exporters."""

    def __init__(self, signal: Signal) -> None:
        prefix = f"OTEL_EXPORTER_OTLP_{signal.value.upper()}_"
        self.signal = signal
        self.url = _resolve_endpoint(f"{prefix}ENDPOINT", f"v1/{signal.value}")  # type: ignore[arg-type]
        self._headers = _resolve_headers(None, f"{prefix}HEADERS")
        self._timeout = _resolve_timeout(f"{prefix}TIMEOUT")
        self._prefix = prefix
        self._transport: BaseHTTPTransport | None = None
        self._posting = threading.RLock()
        self._held = False
        _TARGETS.add(self)

    def hold(self, seconds: float) -> None:
        """Before a fork: wait until a running post ends, but not longer than this, and let no other post begin."""
        self._held = self._posting.acquire(timeout=max(0.0, seconds))

    def resume(self) -> None:
        """After a fork, in the parent."""
        if self._held:
            self._posting.release()

    def start_anew(self) -> None:
        """In a forked child: the connections belong to the parent. Keep them and never touch them: their locks may be held."""
        self._posting = threading.RLock()
        if self._transport is not None:
            _INHERITED.append(self._transport)
            self._transport = None

    def post(self, payload: Payload, limit: float | None = None) -> Answer:
        """Send a payload once, within `limit` seconds if given; never raises."""
        timeout = self._timeout if limit is None else min(limit, self._timeout)
        headers = {**self._headers, **({"content-encoding": payload.encoding} if payload.encoding else {})}
        try:
            with self._posting:
                result = self._connect().request("POST", self.url, headers=headers, data=payload.body, timeout=timeout)
            if result.error is not None or result.status_code is None:
                return Answer(Verdict.LATER, type(result.error).__name__)
            wait = _extract_retry_after(result)
            return judge(self.signal, result.status_code, result.headers(), result.content(), wait)
        except Exception as error:
            return Answer(Verdict.LATER, type(error).__name__)

    def prepare(self) -> None:
        """Import and create all that the first post needs, without a connection."""
        import netrc  # noqa: F401 - requests asks it at its first request

        self._connect()

    def close(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    @property
    def shown(self) -> str:
        """The URL without user, password and query: for people."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    def _connect(self) -> BaseHTTPTransport:
        if self._transport is None:
            session = _load_session_from_envvar(
                f"OTEL_PYTHON_EXPORTER_OTLP_HTTP_{self.signal.value.upper()}_CREDENTIAL_PROVIDER"  # type: ignore[arg-type]
            )
            own = self._prefix
            if any(os.environ.get(f"{prefix}CERTIFICATE") for prefix in (own, "OTEL_EXPORTER_OTLP_")):
                session = trusting_its_own(session)
            self._transport = _build_transport(
                None, None, None, f"{own}CERTIFICATE", f"{own}CLIENT_KEY", f"{own}CLIENT_CERTIFICATE", session
            )
        return self._transport


_TARGETS: Final[weakref.WeakSet[Target]] = weakref.WeakSet()
_INHERITED: Final[list[BaseHTTPTransport]] = []
_HOLD_SECONDS: Final = 0.05
"""How long a fork waits for a post. A longer post waits for the endpoint's answer, and then it holds no lock of a pool."""


def _before_fork() -> None:
    end = monotonic() + _HOLD_SECONDS
    for target in list(_TARGETS):
        target.hold(end - monotonic())


def _after_in_parent() -> None:
    for target in list(_TARGETS):
        target.resume()


def _after_in_child() -> None:
    for target in list(_TARGETS):
        target.start_anew()


at_fork(__name__, before=_before_fork, in_parent=_after_in_parent, in_child=_after_in_child)


def judge(signal: Signal, status: int, headers: Mapping[str, str], body: bytes, wait: float | None = None) -> Answer:
    """Judge an endpoint's answer: the payload is taken, refused, or to be sent later."""
    if 200 <= status < 300:
        try:
            rejected = _rejected(signal, headers.get("content-type") or "", body)
        except (DecodeError, ValueError):
            return Answer(Verdict.LATER, f"{status} with an answer that is not OTLP")
        return Answer(Verdict.TAKEN, rejected=rejected)
    if 400 <= status < 500 and status not in _TRY_LATER:
        return Answer(Verdict.REFUSED, f"status {status}")
    return Answer(Verdict.LATER, f"status {status}", wait=wait)


def _rejected(signal: Signal, content_type: str, body: bytes) -> int:
    proto, camel = _REJECTED[signal]
    if "html" in content_type:
        raise ValueError(content_type)
    if "json" in content_type:
        answer = json.loads(body or b"{}")
        partial = answer.get("partialSuccess") or {} if isinstance(answer, dict) else {}
        return int(partial.get(camel) or 0)
    return int(getattr(_MESSAGES[signal][1].FromString(body).partial_success, proto))


def count_items(payload: Payload) -> int:
    """How many spans, log records or data points a payload holds; 1 if it cannot be read."""
    try:
        message = _MESSAGES[payload.signal][0].FromString(_plain(payload))
    except (DecodeError, OSError, zlib.error, EOFError):
        return 1
    if payload.signal is Signal.TRACES:
        return sum(len(scope.spans) for group in message.resource_spans for scope in group.scope_spans)
    if payload.signal is Signal.LOGS:
        return sum(len(scope.log_records) for group in message.resource_logs for scope in group.scope_logs)
    return sum(
        len(getattr(metric, metric.WhichOneof("data")).data_points)
        for group in message.resource_metrics
        for scope in group.scope_metrics
        for metric in scope.metrics
        if metric.WhichOneof("data")
    )


def compressed(signal: Signal, request: bytes) -> Payload:
    """A request as OTEL_EXPORTER_OTLP_COMPRESSION (or the signal's own variable) wants it: gzip, deflate, or as it is."""
    wanted = _resolve_compression(f"OTEL_EXPORTER_OTLP_{signal.value.upper()}_COMPRESSION")
    if wanted is Compression.GZIP:
        return Payload(signal, gzip.compress(request), wanted.value)
    if wanted is Compression.DEFLATE:
        return Payload(signal, zlib.compress(request), wanted.value)
    return Payload(signal, request)


def _plain(payload: Payload) -> bytes:
    if payload.encoding == "gzip":
        return gzip.decompress(payload.body)
    if payload.encoding == "deflate":
        return zlib.decompress(payload.body)
    return payload.body
