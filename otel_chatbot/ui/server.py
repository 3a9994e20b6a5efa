"""The viewer's server: pages, their data, and OTLP over HTTP; one thread per connection, up to a limit.

Fed by browsers and exporters; feeds `ui.api` and `ui.ingest`. Every answer has a content policy: a browser runs only the
scripts of the package, and nothing that apps sent.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import orjson

from .api import Api, plain_query
from .guard import COOKIE, Guard
from .ingest import LIMIT, Ingest, RefusedError
from .pages import Pages

_MOST_CONNECTIONS: Final = 64
_PATIENCE_SECONDS: Final = 60
_JSON: Final = "application/json"
_SAFE: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def _asked(query: str) -> dict[str, Any]:
    """The parameters of a query; none if it is longer than the page ever sends."""
    try:
        return plain_query(parse_qsl(query, max_num_fields=50) if len(query) < 10_000 else [])
    except ValueError:
        return {}


class Server(ThreadingHTTPServer):
    """Listens at an address; OSError if it is not free."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], api: Api, ingest: Ingest, guard: Guard) -> None:
        self.api = api
        self.ingest = ingest
        self.guard = guard
        self.pages = Pages()
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, unless there are too many."""
        if self._free.acquire(timeout=1):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a browser closes its connection."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE_SECONDS
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Answer with a page or its data."""
        found = urlsplit(self.path)
        asked = _asked(found.query)
        token = str(asked.pop("token", ""))
        if self._refused(token):
            return
        if token and self.server.guard.token:
            self._redirect(found.path, token)
            return
        if found.path.startswith("/api/"):
            try:
                answer = self.server.api.answer(found.path, asked)
            except Exception as error:  # a row that an app sent may hold anything: answer with an error, and go on
                self._error(500, f"this cannot be answered: {type(error).__name__}: {error}")
                return
            if answer is None:
                self._error(404, "there is nothing of that name")
            else:
                self._send(200, _JSON, orjson.dumps(answer))
            return
        page = self.server.pages.find(found.path)
        if page is None:
            self._error(404, "there is no such page")
        else:
            self._send(200, page[1], page[0])

    def do_HEAD(self) -> None:
        """Answer as for GET, without the body."""
        self.do_GET()

    def do_POST(self) -> None:
        """Take OTLP."""
        body = self._body()
        if body is None or self._refused(""):
            return
        path = urlsplit(self.path).path
        if path not in self.server.ingest.signals:
            self._error(404, "post OTLP to /v1/traces, /v1/logs or /v1/metrics")
            return
        try:
            answer, kind = self.server.ingest.take(
                path, body, self.headers.get("Content-Type", ""), self.headers.get("Content-Encoding", "")
            )
        except RefusedError as refused:
            self._error(refused.status, refused.reason)
        else:
            self._send(200, kind, answer)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            self._error(411, "a Content-Length is needed")
            return None
        if len(length) > 12 or int(length) > LIMIT:
            self.close_connection = True
            self._error(413, f"the body is larger than {LIMIT} bytes")
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            self._error(400, "the body ended too early")
            return None
        return body

    def _refused(self, token: str) -> bool:
        refusal = self.server.guard.refusal(self.headers, token)  # type: ignore[arg-type]  # a mapping but for its type
        if refusal is not None:
            self._error(*refusal)
        return refusal is not None

    def _redirect(self, path: str, token: str) -> None:
        """Move the token from the address, where other people may read it, into a cookie."""
        cookie = f"{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/"
        self._send(303, "text/plain", b"", {"Location": "/" + path.lstrip("/"), "Set-Cookie": cookie})

    def _error(self, status: int, reason: str) -> None:
        self._send(status, _JSON, orjson.dumps({"error": reason}))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer a malformed request, without repeating its text."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self._error(code, "this is no request that the viewer answers")

    def _send(self, status: int, kind: str, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **_SAFE, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """The name of the server."""
        return "otel-chatbot"

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Log nothing: the pages ask twice per second."""
