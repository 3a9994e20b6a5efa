"""A local stand-in for the endpoints of models: standard library only, deterministic, with an exact log of its calls.

It speaks the protocols of OpenAI, Anthropic and Gemini (`wires.py`), streamed or not, and answers `GET /v1/models`. Its log has
one line of JSON per call, written before the end of the call; tests compare their figures with it. Run it as a process:

    python server.py --port 0 --log calls.jsonl

The first line of its output is its address, for OPENAI_BASE_URL; ANTHROPIC_BASE_URL and GOOGLE_GEMINI_BASE_URL are the same
without `/v1`. `planning.py` lists the words with which prompts drive it.
"""

import argparse
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from planning import Plan, plan
from wires import Anthropic, Gemini, OpenAI, event, wire_of

MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-4.1-mini", "gpt-4.1")
LARGEST_BODY = 8 * 1024 * 1024

AnyWire = OpenAI | Anthropic | Gemini


class ClientGoneError(Exception):
    """The client closed the connection before it had the whole answer."""


@dataclass
class Call:
    """One call as it is in the log: `completion_tokens` and `chunks` are those sent, `seconds` is the whole duration."""

    model: str | None = None
    streamed: bool = False
    status: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    chunks: int = 0
    usage_sent: bool = False
    aborted: bool = False
    cut: bool = False
    started: float = field(default_factory=time.time)
    first_chunk_seconds: float | None = None
    seconds: float = 0.0


class ModelServer(ThreadingHTTPServer):
    """The server with its log and the wait before each answer."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], log: Path | None, delay: float) -> None:
        super().__init__(address, Handler)
        self.delay = delay
        self._log = log.open("a", encoding="utf-8") if log else None
        self._writing = threading.Lock()

    def write(self, call: Call) -> None:
        """Append the call to the log, whole and at once."""
        call.seconds = time.time() - call.started
        if self._log:
            with self._writing:
                self._log.write(json.dumps(asdict(call)) + "\n")
                self._log.flush()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that goes away; for any other error, show the traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ModelServer
    call: Call | None = None

    def do_GET(self) -> None:
        if self.path != "/v1/models":
            return self.refuse(404, f"Unknown path {self.path}")
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "local"} for name in MODELS]
        return self.send_json(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= LARGEST_BODY:
            self.close_connection = True
            return self.refuse(400, "A JSON body with a Content-Length is needed")
        body = self.rfile.read(length)
        wire = wire_of(self.path)
        if wire is None:
            return self.refuse(404, f"Unknown path {self.path}")
        call = self.call = Call()
        try:
            self.answer(wire, call, body)
        except (ClientGoneError, ConnectionError):
            call.aborted = True
            self.close_connection = True
        finally:
            self.log_call()
        return None

    def log_call(self) -> None:
        """Write the call into the log, one time, before its last byte is sent: a client with the answer finds it there."""
        call, self.call = self.call, None
        if call:
            self.server.write(call)

    def answer(self, wire: AnyWire, call: Call, body: bytes) -> None:
        try:
            asked = wire.read(self.path, json.loads(body))
            planned = plan(asked.messages, self.server.delay)
            call.model = asked.model
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            call.status = 400
            return self.send_json(400, wire.refusal(400, f"Not a request for an answer: {error!r}"))
        call.streamed = asked.streamed
        self.pause(planned.wait)
        refusal = 400 if asked.has_options and planned.refuses_stream_options else planned.fail
        if refusal is not None:
            call.status = refusal
            told = "Unknown parameter: stream_options" if planned.fail is None else "Told to fail"
            return self.send_json(refusal, wire.refusal(refusal, told))
        call.status, call.prompt_tokens = 200, planned.prompt_tokens
        wire.prompt_tokens = planned.prompt_tokens
        if call.streamed:
            return self.stream(wire, call, planned)
        return self.whole(wire, call, planned)

    def whole(self, wire: AnyWire, call: Call, planned: Plan) -> None:
        self.pause(planned.slow)
        if planned.cut:
            return self.cut(call)
        wire.completion_tokens = call.completion_tokens = len(planned.tokens)
        call.usage_sent = True
        return self.send_json(200, wire.whole(planned.text))

    def stream(self, wire: AnyWire, call: Call, planned: Plan) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for frame in wire.opening():
            self.send_chunk(event(frame))
        for index, token in enumerate(planned.tokens):
            if planned.cut and index == len(planned.tokens) // 2:
                return self.cut(call)
            self.pause(planned.slow / len(planned.tokens))
            self.send_chunk(event(wire.piece(token)))
            if call.first_chunk_seconds is None:
                call.first_chunk_seconds = time.time() - call.started
            wire.completion_tokens += 1
            call.completion_tokens += 1
            call.chunks += 1
        *closing, last = map(event, wire.closing())
        for data in closing:
            self.send_chunk(data)
        call.usage_sent = wire.asked.wants_usage
        self.log_call()
        self.send_chunk(last)
        self.wfile.write(b"0\r\n\r\n")
        return None

    def pause(self, seconds: float) -> None:
        """Wait, and notice at once if the client goes away meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            readable, _, _ = select.select([self.connection], [], [], left)
            if readable:
                if not self.connection.recv(1, socket.MSG_PEEK):
                    raise ClientGoneError
                time.sleep(min(left, 0.01))  # the client has sent its next request already, which must wait

    def cut(self, call: Call) -> None:
        call.cut = True
        self.log_call()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def send_chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def send_json(self, status: int, body: dict[str, Any]) -> None:
        payload = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload[:-1])
        self.log_call()
        self.wfile.write(payload[-1:])

    def refuse(self, status: int, message: str) -> None:
        self.send_json(status, OpenAI().refusal(status, message))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Print nothing: the log of calls says more."""


def main() -> None:
    parser = argparse.ArgumentParser(description="A local stand-in for the endpoints of models.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--log", type=Path, help="file of calls, one JSON object a line")
    parser.add_argument("--delay", type=float, default=float(os.environ.get("MODEL_SERVER_DELAY") or 0), help="seconds")
    arguments = parser.parse_args()
    server = ModelServer((arguments.host, arguments.port), arguments.log, arguments.delay)
    print(f"http://{arguments.host}:{server.server_port}/v1", flush=True)

    def stop(*_: object) -> None:
        threading.Thread(target=server.shutdown).start()  # waits for serve_forever, which this thread is in

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
