"""Frames of application/vnd.amazon.eventstream: a prelude with its checksum, headers, a payload, a checksum of all.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

from .answer import Frame, encoded
from .ask import Tokens

CONTENT_TYPE = "application/vnd.amazon.eventstream"


def message(kind: str, value: Any) -> bytes:
    """One event."""
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(text)) + text.encode()
        for name, text in ((":event-type", kind), (":content-type", "application/json"), (":message-type", "event"))
    )
    payload = encoded(value)
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return body + struct.pack("!I", zlib.crc32(body))


def event(kind: str, value: Any, *, content: bool = False, told: Tokens | None = None) -> Frame:
    return Frame(message(kind, value), content, told)


def broken() -> bytes:
    """An event whose checksum is wrong."""
    data = message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "x"}})
    return data[:-1] + bytes([data[-1] ^ 0xFF])
