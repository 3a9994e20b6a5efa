"""Bytes of a streamed answer, cut into events: server-sent events, lines of JSON, a growing JSON array, Amazon's event stream.

Fed by `genai.wire_call` with pieces of any size; each splitter gives the events that are whole. Memory is bounded: an event
that is larger than `MOST` is left out. Time is linear in the bytes, however they are cut.
"""

from __future__ import annotations

import functools
import re
import zlib
from enum import Enum
from typing import Final, Protocol

MOST: Final = 4 * 1024 * 1024
"""Bytes of one event that are kept."""

Event = tuple[str, bytes]
"""The name of an event, empty where it has none, and its data."""


class Framing(str, Enum):
    """How a body is cut into events."""

    WHOLE = "whole"
    SSE = "sse"
    LINES = "ndjson"
    ARRAY = "array"
    AMAZON = "eventstream"


class Splitter(Protocol):
    """Takes bytes, gives events."""

    def feed(self, data: bytes) -> list[Event]:
        """The events that are whole with these bytes."""

    def end(self) -> list[Event]:
        """What is left when the stream has ended."""


class _Lines:
    """Whole lines, without their ends; `None` stands for a line that was too long."""

    __slots__ = ("_kept", "_parts", "_spoilt")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._kept = 0
        self._spoilt = False

    def feed(self, data: bytes) -> list[bytes | None]:
        first, end, rest = data.partition(b"\n")
        if not end:
            self._keep(data)
            return []
        found: list[bytes | None] = [self._line(first)]
        if rest:
            lines = rest.split(b"\n")
            self._keep(lines.pop())
            found += [line[:-1] if line[-1:] == b"\r" else line for line in lines]
        return found

    def end(self) -> list[bytes | None]:
        return [self._line(b"")] if self._parts or self._spoilt else []

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self._kept += len(data)
        if self._kept > MOST:
            self._spoilt = True
            self._parts.clear()
        else:
            self._parts.append(data)

    def _line(self, last: bytes) -> bytes | None:
        line = b"".join((*self._parts, last)) if self._parts else last
        spoilt, self._spoilt, self._kept = self._spoilt or self._kept + len(last) > MOST, False, 0
        self._parts.clear()
        if spoilt:
            return None
        return line[:-1] if line[-1:] == b"\r" else line


class Sse:
    """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    __slots__ = ("_data", "_lines", "_name", "_size")

    def __init__(self) -> None:
        self._lines = _Lines()
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Event]:
        """See `Splitter`."""
        return self._events(self._lines.feed(data))

    def end(self) -> list[Event]:
        """See `Splitter`."""
        return self._events([*self._lines.end(), b""])

    def _events(self, lines: list[bytes | None]) -> list[Event]:
        found = []
        for line in lines:
            if line is None:
                self._size = MOST + 1
            elif not line:
                if self._data and self._size <= MOST:
                    found.append((self._name, self._data[0] if len(self._data) == 1 else b"\n".join(self._data)))
                self._name, self._data, self._size = "", [], 0
            elif line.startswith(b"data:"):
                self._size += len(line)
                if self._size <= MOST:
                    self._data.append(line[5:].strip())
                else:
                    self._data.clear()
            elif line.startswith(b"event:"):
                self._name = line[6:70].strip().decode("ascii", "replace")
        return found


class JsonLines:
    """One JSON value per line."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines = _Lines()

    def feed(self, data: bytes) -> list[Event]:
        """See `Splitter`."""
        return [("", line) for line in self._lines.feed(data) if line and not line.isspace()]

    def end(self) -> list[Event]:
        """See `Splitter`."""
        return [("", line) for line in self._lines.end() if line and not line.isspace()]


class JsonArray:
    """The objects of one JSON array, as they become whole."""

    __slots__ = ("_depth", "_escaped", "_parts", "_quoted", "_size", "_start")
    _MARKS: Final = re.compile(rb'\\.?|["{}]', re.DOTALL)
    """What matters: an escaped byte (whose second half may come later), a quotation mark, a brace."""

    def __init__(self) -> None:
        self._depth = self._start = 0
        self._quoted = self._escaped = False
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Event]:
        """See `Splitter`."""
        found: list[Event] = []
        self._start = 0
        begin = 1 if self._escaped and data else 0
        self._escaped = self._escaped and not data
        for mark in self._MARKS.finditer(data, begin):
            byte = data[mark.start()]
            if byte == 0x5C:
                self._escaped = self._quoted and mark.end() - mark.start() == 1
            elif byte == 0x22:
                self._quoted = not self._quoted and self._depth > 0
            elif not self._quoted:
                self._brace(byte, mark.start(), data, found)
        if self._depth:
            self._keep(data[self._start :])
        return found

    def end(self) -> list[Event]:
        """See `Splitter`: an object without an end is broken."""
        return [("", b"".join(self._parts))] if self._parts else []

    def _brace(self, byte: int, at: int, data: bytes, found: list[Event]) -> None:
        if byte == 0x7B:
            if not self._depth:
                self._start = at
            self._depth += 1
        elif self._depth:
            self._depth -= 1
            if not self._depth:
                self._keep(data[self._start : at + 1])
                if self._size <= MOST:
                    found.append(("", b"".join(self._parts)))
                self._parts, self._size = [], 0

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MOST:
            self._parts.append(data)
        else:
            self._parts.clear()


class AmazonEvents:
    """Messages of `application/vnd.amazon.eventstream`.

    https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html. An exception's name begins with `!`.
    """

    __slots__ = ("_buffer", "_lost")
    _PRELUDE: Final = 12
    _SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    """Bytes of a header's value by its type; 6 and 7 have a length before them."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lost = False

    def feed(self, data: bytes) -> list[Event]:
        """See `Splitter`. A length that cannot be right means that the rest cannot be read: an event without data tells it."""
        if self._lost:
            return []
        self._buffer += data
        found: list[Event] = []
        at = 0
        while len(self._buffer) - at >= self._PRELUDE:
            total = int.from_bytes(self._buffer[at : at + 4], "big")
            headers = int.from_bytes(self._buffer[at + 4 : at + 8], "big")
            if not self._PRELUDE + headers + 4 <= total <= MOST:
                self._lost = True
                self._buffer.clear()
                return [*found, ("", b"")]
            if len(self._buffer) - at < total:
                break
            message = bytes(self._buffer[at : at + total])
            body = self._PRELUDE + headers
            whole = zlib.crc32(message[:-4]) == int.from_bytes(message[-4:], "big")
            found.append((self._name(message[self._PRELUDE : body]), message[body:-4] if whole else b""))
            at += total
        del self._buffer[:at]
        return found

    def end(self) -> list[Event]:
        """See `Splitter`: a message without an end is broken."""
        return [("", b"")] if self._buffer else []

    def _name(self, headers: bytes) -> str:
        found: dict[str, str] = {}
        at = 0
        while at < len(headers):
            end = at + 1 + headers[at]
            name, kind = headers[at + 1 : end].decode("ascii", "replace"), headers[end] if end < len(headers) else 0
            at = end + 1
            if kind in (6, 7):
                size = int.from_bytes(headers[at : at + 2], "big")
                found[name] = headers[at + 2 : at + 2 + size].decode("ascii", "replace")
                at += 2 + size
            else:
                at += self._SIZES.get(kind, len(headers))
        wrong = found.get(":exception-type") or found.get(":error-code")
        return f"!{wrong}" if wrong else found.get(":event-type", "")


def splitter(framing: Framing) -> Splitter | None:
    """A new splitter; None for a body that is one JSON value."""
    if framing is Framing.SSE:
        return Sse()
    if framing is Framing.LINES:
        return JsonLines()
    if framing is Framing.ARRAY:
        return JsonArray()
    return AmazonEvents() if framing is Framing.AMAZON else None


@functools.lru_cache(maxsize=64)
def framing_of(content_type: str, usual: Framing, *, streamed: bool) -> Framing:
    """The framing of an answer: what its content type says, else what the protocol's streams have."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return Framing.SSE
    if kind in ("application/x-ndjson", "application/jsonl", "application/x-jsonlines", "application/ndjson"):
        return Framing.LINES
    if kind == "application/vnd.amazon.eventstream":
        return Framing.AMAZON
    if not streamed:
        return Framing.WHOLE
    if kind == "application/json":
        return usual if usual in (Framing.ARRAY, Framing.LINES) else Framing.WHOLE
    return usual
