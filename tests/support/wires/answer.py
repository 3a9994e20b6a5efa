"""What a wire says the answer is, before the mode spoils it: a whole body, or the frames of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .ask import Tokens


@dataclass(frozen=True)
class Frame:
    """One piece of a stream. `content`: it carries text; `told`: the token counts that it tells, in place of earlier ones."""

    data: bytes
    content: bool = False
    told: Tokens | None = None


@dataclass
class Answer:
    """An answer as the real endpoint gives it. `counts`: the request asks a model, and is no poll and no list."""

    wire: str
    operation: str
    model: str
    body: Any = None
    frames: list[Frame] | None = None
    content_type: str = "application/json"
    told: Tokens = field(default_factory=Tokens)
    broken: bytes = b""
    counts: bool = True
    status: int = 200
    credit: str = ""
    """The call that the told tokens belong to, where it is another request's."""

    @property
    def streamed(self) -> bool:
        return self.frames is not None

    def whole(self) -> bytes:
        return encoded(self.body)


def encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def sse(value: Any, event: str | None = None, *, content: bool = False, told: Tokens | None = None) -> Frame:
    """A server-sent event."""
    data = value.encode() if isinstance(value, str) else encoded(value)
    head = f"event: {event}\n".encode() if event else b""
    return Frame(head + b"data: " + data + b"\n\n", content, told)


def line(value: Any, *, content: bool = False, told: Tokens | None = None) -> Frame:
    """A line of NDJSON."""
    return Frame(encoded(value) + b"\n", content, told)


def array(values: Iterable[Frame]) -> Iterator[Frame]:
    """Frames of JSON values as one JSON array."""
    before = b"["
    for frame in values:
        yield Frame(before + frame.data, frame.content, frame.told)
        before = b",\r\n"
    yield Frame(b"]" if before != b"[" else b"[]")


BROKEN_SSE = b'data: {"id": "x", "choices": [{"del\n\n'
BROKEN_LINE = b'{"model": "x", "mess\n'
SSE = "text/event-stream"
NDJSON = "application/x-ndjson"
