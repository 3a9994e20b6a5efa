"""An OpenAI-compatible endpoint that answers every request with the same bytes: what the client makes of them can be compared."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

from .http_answers import HttpServer

USAGE = {
    "prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16, "prompt_tokens_details": {"cached_tokens": 5},
}  # fmt: skip
FRAME = {"id": "chatcmpl-1", "created": 1700000000, "model": "gpt-4o-mini-2024-07-18", "system_fingerprint": "fp_1"}
WORDS = ("Good", " morning", ", Ada", "!")
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1700000000, "model": "gpt-4o-mini-2024-07-18", "status": "completed",
    "output": [
        {
            "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "".join(WORDS), "annotations": []}],
        }
    ],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None,
    "usage": {
        "input_tokens": 12, "output_tokens": 4, "total_tokens": 16,
        "input_tokens_details": {"cached_tokens": 5}, "output_tokens_details": {"reasoning_tokens": 0},
    },
}  # fmt: skip


class Endpoint(HttpServer):
    """The endpoint on a free loopback port; `requests` holds the JSON bodies that it got, in the order of arrival.

    A `user` in the request says how to behave: `refuse` (a 400 for stream_options), `break` (in the middle of a stream),
    `fail 429`, `batch` (the whole text in one chunk), `nothing` (never a usage), `always` (a usage, asked or not).
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        super().__init__(self._handler())

    @property
    def url(self) -> str:
        return f"{self.address}/v1"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.requests.append(asked)
                status, body = answer(self.path, asked)
                if isinstance(body, bytes):
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                    return
                self.send_response(status)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                try:
                    for event in body:
                        self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
                        self.wfile.flush()
                    self.wfile.write(b"0\r\n\r\n")
                except (BreakError, ConnectionError):
                    self.close_connection = True

            def send_response(self, code: int, message: str | None = None) -> None:
                self.send_response_only(code, message)  # without the date, which is another at every call

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Stay silent."""

        return Handler


class BreakError(Exception):
    """The connection is to break here."""


def answer(path: str, asked: dict[str, Any]) -> tuple[int, bytes | Iterator[bytes]]:
    how = asked.get("user") or ""
    if how.startswith("fail"):
        return int(how.split()[1]), json.dumps({"error": {"message": f"No: {asked['messages']}", "code": "no"}}).encode()
    if how == "refuse" and "stream_options" in asked:
        return 400, json.dumps({"error": {"message": "Unknown parameter: stream_options"}}).encode()
    if path.endswith("/embeddings"):
        row = {"object": "embedding", "index": 0, "embedding": [0.25, 0.5]}
        usage = {"prompt_tokens": 7, "total_tokens": 7}
        return 200, json.dumps({"object": "list", "model": "text-embedding-3-small", "data": [row], "usage": usage}).encode()
    if path.endswith("/responses"):
        if asked.get("stream"):
            return 200, response_events()
        return 200, json.dumps(RESPONSE).encode()
    if asked.get("stream"):
        return 200, chat_events(asked, how)
    message = {"role": "assistant", "content": '{"said": "Good morning"}' if "response_format" in asked else "".join(WORDS)}
    whole = {**FRAME, "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return 200, json.dumps(whole | ({} if how == "nothing" else {"usage": USAGE})).encode()


def chat_events(asked: dict[str, Any], how: str) -> Iterator[bytes]:
    with_usage = bool((asked.get("stream_options") or {}).get("include_usage")) and how != "nothing"
    frame = {**FRAME, "object": "chat.completion.chunk"} | ({"usage": None} if with_usage else {})

    def event(data: dict[str, Any]) -> bytes:
        return f"data: {json.dumps(frame | data)}\n\n".encode()

    def delta(content: dict[str, Any], finish: str | None = None) -> bytes:
        return event({"choices": [{"index": 0, "delta": content, "finish_reason": finish}]})

    yield delta({"role": "assistant", "content": ""})
    for number, word in enumerate(("".join(WORDS) * 10,) if how == "batch" else WORDS):
        if how == "break" and number == 2:
            raise BreakError
        if how == "slow":
            time.sleep(0.05)
        yield delta({"content": word})
    yield delta({}, "stop")
    if with_usage or how == "always":
        yield event({"choices": [], "usage": USAGE})
    yield b"data: [DONE]\n\n"


def response_events() -> Iterator[bytes]:
    def event(kind: str, number: int, **data: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': number, **data})}\n\n".encode()

    begun = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
    item = {**RESPONSE["output"][0], "content": [], "status": "in_progress"}
    part = {"type": "output_text", "text": "", "annotations": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    yield event("response.created", 0, response=begun)
    yield event("response.output_item.added", 1, output_index=0, item=item)
    yield event("response.content_part.added", 2, part=part, **place)
    for number, word in enumerate(WORDS, 3):
        yield event("response.output_text.delta", number, delta=word, logprobs=[], **place)
    yield event("response.output_text.done", 7, text="".join(WORDS), logprobs=[], **place)
    yield event("response.completed", 8, response=RESPONSE)
