"""Help for the tests of applications: an OTLP receiver that keeps what it receives.

Fed by any OTLP/HTTP exporter; feeds assertions. Needs only the package's own dependencies.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from ._clock import monotonic

_SIGNALS: dict[str, tuple[type[Any], type[Any]]] = {
    "/v1/traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
    "/v1/metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    "/v1/logs": (ExportLogsServiceRequest, ExportLogsServiceResponse),
}

_POLL = 0.02
"""Seconds between two checks whether the receiver must end: http.server's half second would slow every test."""


class _Server(ThreadingHTTPServer):
    """A server that closes its open connections when it closes, so that no thread and no socket is left behind."""

    daemon_threads = False  # server_close waits for such threads

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """End the connections that senders keep open, then wait for their threads."""
        for request in list(self._open):
            with contextlib.suppress(OSError):  # the connection is already closed
                request.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing about a connection that a sender broke, as a killed process does."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class OtlpSink:
    """An OTLP/HTTP receiver on loopback that keeps every request, decoded; a context manager.

    `requests` holds `(path, message)` in the order of arrival, `bodies` the raw bytes after decompression.
    `answer` may be set to a function of the path that returns an HTTP status, to play a sick endpoint.
    """

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.bodies: list[bytes] = []
        self.answer: Callable[[str], int] = lambda _path: 200
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL,), name="otlp-sink", daemon=True)

    @property
    def endpoint(self) -> str:
        """The value for OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> OtlpSink:  # noqa: PYI034 - typing.Self needs Python 3.11
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def spans(self) -> list[Any]:
        """Every span received, as protobuf messages."""
        return [span for _, span in self.spans_with_resource()]

    def spans_with_resource(self) -> list[tuple[dict[str, Any], Any]]:
        """Every span received, each with its resource's attributes."""
        return [
            (attributes(group.resource.attributes), span)
            for message in self._of("/v1/traces")
            for group in message.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    def logs(self) -> list[Any]:
        """Every log record received, as protobuf messages."""
        return [
            record
            for message in self._of("/v1/logs")
            for group in message.resource_logs
            for scope in group.scope_logs
            for record in scope.log_records
        ]

    def metrics(self) -> Iterator[tuple[dict[str, Any], Any]]:
        """Every metric received, oldest first, each with its resource's attributes."""
        for message in self._of("/v1/metrics"):
            for group in message.resource_metrics:
                resource = attributes(group.resource.attributes)
                for scope in group.scope_metrics:
                    for metric in scope.metrics:
                        yield resource, metric

    def wait(self, condition: Callable[[OtlpSink], bool], timeout: float = 10.0) -> bool:
        """Wait until a condition on this sink holds; False when `timeout` seconds have passed."""
        end = monotonic() + timeout
        with self._changed:
            while not condition(self):
                left = end - monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.5))
        return True

    def _of(self, path: str) -> list[Any]:
        return [message for found, message in list(self.requests) if found == path]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status = sink.answer(self.path)
                signal = _SIGNALS.get(self.path)
                if signal is None:
                    status = 404
                answer = b""
                if status == 200 and signal is not None:
                    if self.headers.get("Content-Encoding") == "gzip":
                        body = gzip.decompress(body)
                    message = signal[0].FromString(body)
                    with sink._changed:
                        sink.bodies.append(body)
                        sink.requests.append((self.path, message))
                        sink._changed.notify_all()
                    answer = signal[1]().SerializeToString()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Print nothing: the output belongs to the test."""

        return Handler


def attributes(pairs: Any) -> dict[str, Any]:
    """Protobuf key-value pairs as a dict of plain values."""
    found: dict[str, Any] = {}
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind) if kind else None
        found[pair.key] = list(value.values) if kind == "array_value" and value is not None else value
    return found
