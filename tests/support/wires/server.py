"""The HTTP server: reads requests, asks the wires for an answer, sends it in the mode that the prompt wants, keeps the ledger.

Control: `POST /_wires/begin` empties the ledger; `GET /_wires/ledger` shows it; `GET /_wires/requests` has the requests' bytes.
"""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import struct
import sys
import threading
import time
import zlib
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import anthropic, bedrock, cohere, gemini, ollama, openai_assistants, openai_chat, openai_other, openai_responses, tgi
from .answer import Answer, Frame
from .ask import Ask
from .ledger import Ledger, Record

WIRES: tuple[Any, ...] = (
    openai_assistants, openai_responses, openai_chat, openai_other, anthropic, gemini, ollama, cohere, bedrock, tgi,
)  # fmt: skip
HOLD = 30.0
"""Seconds that a late answer waits for the client to go."""
PACE = 0.02
"""Seconds before a stream's first frame; a quarter of it before each further one."""


class WiresServer(ThreadingHTTPServer):
    """The server with its ledger; `start()` runs it on a thread."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.ledger = Ledger()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def start(self) -> WiresServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no fault of ours; anything else is, and shows its traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: WiresServer

    def do_GET(self) -> None:
        if self.path == "/_wires/ledger":
            return self.control(self.server.ledger.as_data())
        if self.path == "/_wires/requests":
            return self.control(self.server.ledger.requests)
        return self.serve()

    def do_POST(self) -> None:
        if self.path == "/_wires/begin":
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.server.ledger.begin()
            return self.control({})
        return self.serve()

    do_DELETE = do_GET  # noqa: N815 - the base class names it so

    def control(self, data: Any) -> None:
        body = json.dumps(data).encode()
        self.head(200, "application/json", {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def body(self) -> bytes:
        if "chunked" not in (self.headers.get("Transfer-Encoding") or ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def serve(self) -> None:
        raw = self.body()
        ledger = self.server.ledger
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        ledger.requests.append(
            {"method": self.command, "target": self.path, "headers": headers, "body": base64.b64encode(raw).decode()}
        )
        ask = Ask.read(self.command, self.path, dict(headers), raw)
        wire, answer = find(ask)
        record = ledger.add(
            wire=answer.wire, operation=answer.operation, path=ask.path, model=answer.model, call=ask.call, mode=ask.mode,
            attempt=ledger.attempt(ask.call), streamed=answer.streamed, counts=answer.counts,
        )  # fmt: skip
        try:
            self.answer(ask, answer, record, wire)
        except ConnectionError:
            record.outcome = record.outcome or "left"
            self.close_connection = True
        finally:
            record.done = True

    def answer(self, ask: Ask, answer: Answer, record: Record, wire: Any) -> None:
        """Send the answer as the mode wants it; only what counts is spoilt."""
        mode = ask.mode if answer.counts else "plain"
        if answer.status != 200:
            record.outcome = "refused"
            return self.whole(record, answer.whole(), answer.status)
        if mode in ("refused", "unavailable") and record.attempt == 1:
            record.outcome = "refused"
            status = 429 if mode == "refused" else 503
            return self.refuse(record, wire.error(status), status, {"Retry-After": "0", "retry-after-ms": "10"})
        if mode == "fails":
            record.outcome = "failed"
            return self.refuse(record, wire.error(500), 500, {"Retry-After": "0", "retry-after-ms": "10"})
        if mode == "late":
            record.outcome = "late"
            select.select([self.connection], [], [], HOLD)
            self.close_connection = True
            return None
        if mode == "html":
            record.outcome = "garbage"
            return self.whole(record, b"<html><body><h1>It works</h1></body></html>", 200, "text/html")
        if answer.frames is not None:
            return self.stream(ask, answer, answer.frames, record, mode)
        if mode == "closed":
            return self.cut_whole(answer.whole(), record)
        if mode == "garbage":
            record.outcome = "garbage"
            return self.whole(record, answer.whole()[: len(answer.whole()) // 2], 200)
        time.sleep(PACE)
        record.outcome = "ok"
        self.tell(answer, record)
        return self.whole(record, answer.whole(), 200, answer.content_type, packed=mode == "gzip")

    def tell(self, answer: Answer, record: Record, told: Any = None) -> None:
        """Enter the tokens that the answer tells, under the call they belong to."""
        target = self.server.ledger.credit(answer.credit) if answer.credit else record
        for part, number in asdict(told or answer.told).items():
            setattr(target, part, number)

    def refuse(self, record: Record, body: Any, status: int, headers: dict[str, str]) -> None:
        record.status = status
        data = json.dumps(body).encode()
        self.head(status, "application/json", headers | {"Content-Length": str(len(data))})
        self.wfile.write(data)

    def whole(
        self, record: Record, data: bytes, status: int, content_type: str = "application/json", *, packed: bool = False
    ) -> None:
        record.status = status
        headers = {}
        if packed and self.accepts_gzip():
            data = packer_once(data)
            headers["Content-Encoding"] = "gzip"
        self.head(status, content_type, headers | {"Content-Length": str(len(data))})
        self.wfile.write(data)

    def cut_whole(self, data: bytes, record: Record) -> None:
        record.status, record.outcome = 200, "closed"
        self.head(200, "application/json", {"Content-Length": str(len(data))})
        self.wfile.write(data[: len(data) // 2])
        self.reset()

    def stream(self, ask: Ask, answer: Answer, frames: list[Frame], record: Record, mode: str) -> None:
        began = time.monotonic()
        record.status = 200
        packer = zlib.compressobj(wbits=31) if mode == "gzip" and self.accepts_gzip() else None
        self.head(
            200,
            answer.content_type,
            {"Transfer-Encoding": "chunked"} | ({"Content-Encoding": "gzip"} if packer else {}),
        )
        stop = max(1, len(frames) // 2)
        time.sleep(PACE)
        for index, frame in enumerate(frames):
            if mode == "left" and index == stop:
                record.outcome = "left"
                select.select([self.connection], [], [], HOLD)
                self.close_connection = True
                return None
            if mode in ("closed", "garbage") and index == stop:
                return self.spoil(answer, record, mode)
            if index:
                time.sleep(PACE / 4)
            data = packer.compress(frame.data) + packer.flush(zlib.Z_SYNC_FLUSH) if packer else frame.data
            if frame.content and not record.chunks:
                record.waited = time.monotonic() - began  # before it is sent: the client may have it before `write` returns
            for piece in halves(data) if mode == "split" else (data,):
                self.chunk(piece)
            if frame.told is not None:
                self.tell(answer, record, frame.told)
            record.chunks += frame.content
        if packer:
            self.chunk(packer.flush())
        record.outcome = "ok"
        self.wfile.write(b"0\r\n\r\n")
        return None

    def spoil(self, answer: Answer, record: Record, mode: str) -> None:
        record.outcome = mode
        if mode == "closed":
            time.sleep(PACE)  # the reset throws away what the client's kernel has not yet given to it
            return self.reset()
        self.chunk(answer.broken)
        self.wfile.write(b"0\r\n\r\n")
        return None

    def chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def reset(self) -> None:
        """End the connection by a reset."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # `shutdown` would send a normal end first, so the file objects are let go and the socket closed at once.
        with contextlib.suppress(OSError):
            self.wfile.flush()
        self.rfile.close()
        self.connection.close()

    def accepts_gzip(self) -> bool:
        return "gzip" in (self.headers.get("Accept-Encoding") or "")

    def head(self, status: int, content_type: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "x-request-id": "req_wires", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """The ledger says more than a line on the console."""


def find(ask: Ask) -> tuple[Any, Answer]:
    """The wire that knows this request, and its answer."""
    for wire in WIRES:
        answer = wire.answer(ask)
        if answer is not None:
            return wire, answer
    body = {"error": {"message": f"No such path: {ask.path}", "type": "not_found"}}
    return openai_chat, Answer("unknown", "", ask.model, body, counts=False, status=404)


def halves(data: bytes) -> tuple[bytes, bytes]:
    """Two pieces, cut within a character of several bytes where there is one."""
    wide = next((index for index, byte in enumerate(data) if byte >= 0xC0), None)
    cut = len(data) // 2 if wide is None else wide + 1
    return data[:cut], data[cut:]


def packer_once(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()
