"""Bytes cut into events: the same however they are cut, and bounded however large they are."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_chatbot.instrumentation.genai import framing
from otel_chatbot.instrumentation.genai.framing import Framing, framing_of, splitter

CUT = (Framing.SSE, Framing.LINES, Framing.ARRAY, Framing.AMAZON)


def message(name: str, value: Any) -> bytes:
    """One message of Amazon's event stream."""
    headers = b"\x0b:event-type\x07" + struct.pack(">H", len(name)) + name.encode()
    data = json.dumps(value).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(data), len(headers))
    head = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + data
    return head + struct.pack(">I", zlib.crc32(head))


VALUES = [{"n": 1, "text": 'a "brace" } and \\ {'}, {"n": 2, "text": "naïve 🙂"}, {"n": {"deep": [{}]}}]
BODIES = {
    Framing.SSE: b"".join(b"event: e\r\nid: 7\r\ndata: " + json.dumps(value).encode() + b"\r\n\r\n" for value in VALUES),
    Framing.LINES: b"\n".join(json.dumps(value).encode() for value in VALUES),
    Framing.ARRAY: json.dumps(VALUES, indent=1).encode(),
    Framing.AMAZON: b"".join(message("e", value) for value in VALUES),
}


def events(kind: Framing, pieces: list[bytes]) -> list[tuple[str, bytes]]:
    cutter = splitter(kind)
    assert cutter is not None
    return [*(event for piece in pieces for event in cutter.feed(piece)), *cutter.end()]


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[start:end] for start, end in pairwise(edges)]


@given(st.sampled_from(CUT), st.lists(st.integers(0, 10_000), max_size=20))
def test_events_are_whole_wherever_their_bytes_are_cut(kind: Framing, places: list[int]) -> None:
    body = BODIES[kind]
    found = events(kind, cut(body, places))
    assert [json.loads(data) for _, data in found] == VALUES
    assert {name for name, _ in found} == ({"e"} if kind in (Framing.SSE, Framing.AMAZON) else {""})
    assert events(kind, [bytes([byte]) for byte in body]) == found


@given(st.sampled_from(CUT), st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_any_bytes_give_the_same_events_however_they_are_cut(kind: Framing, body: bytes, places: list[int]) -> None:
    assert events(kind, cut(body, places)) == events(kind, [body])


@pytest.mark.parametrize("kind", CUT)
@pytest.mark.parametrize("start", [b"", b"data: ", b'[{"a": "'], ids=["plain", "data", "quoted"])
def test_an_event_without_an_end_is_not_kept(kind: Framing, start: bytes) -> None:
    cutter = splitter(kind)
    assert cutter is not None
    piece = b"x" * 65_536
    tracemalloc.start()
    try:
        cutter.feed(start)
        for _ in range(3 * framing.MOST // len(piece)):
            assert cutter.feed(piece) in ([], [("", b"")])  # the second says that the rest cannot be read
        assert tracemalloc.get_traced_memory()[1] < framing.MOST + 4 * len(piece)
    finally:
        tracemalloc.stop()
    assert cutter.end() == []


def test_what_follows_an_event_that_was_too_large_is_read() -> None:
    cutter = splitter(Framing.SSE)
    assert cutter is not None
    cutter.feed(b"data: " + b"x" * (framing.MOST + 1))
    assert cutter.feed(b"\n\ndata: 1\n\n") == [("", b"1")]


def test_the_framing_is_what_the_content_type_says_else_what_the_protocol_has() -> None:
    assert framing_of("text/event-stream; charset=utf-8", Framing.ARRAY, streamed=False) is Framing.SSE
    assert framing_of("application/json", Framing.ARRAY, streamed=True) is Framing.ARRAY
    assert framing_of("application/json", Framing.SSE, streamed=True) is Framing.WHOLE
    assert framing_of("", Framing.LINES, streamed=True) is Framing.LINES
    assert framing_of("application/json", Framing.LINES, streamed=False) is Framing.WHOLE
