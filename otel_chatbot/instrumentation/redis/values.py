"""Reads values of Redis that may hold a chat: arrays of messages in a value, and documents that are one message.

Fed by `redis.histories` with values as they were sent or received. It parses JSON, and skips values that cannot be a chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from ..chats.growth import Array

_LONGEST: Final = 1024 * 1024
"""A longer value is not read."""
STARTS: Final = ("[", "{", b"[", b"{")
"""JSON that may be a chat begins with one of these."""


def may_chat(value: Any) -> bool:
    """Whether a value may hold a chat. It looks only at the first character, which is fast."""
    return (type(value) is bytes or type(value) is str) and value[:1] in STARTS


def parsed(value: Any) -> Any:
    """The content of a value, parsed if it is JSON; None if it cannot be a chat."""
    if isinstance(value, (Mapping, list)):
        return value
    if not may_chat(value) or len(value) > _LONGEST:
        return None
    if value[:1] in ("[", b"["):
        second = value[1:64].strip()[:1]
        if (second.encode() if isinstance(second, str) else second) not in (b"{", b'"', b"]"):
            return None  # for example a vector
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def arrays_of(value: Any) -> dict[str, Array]:
    """The arrays in a value by field; under the empty name if the value is an array itself."""
    if isinstance(value, list):
        return {"": tuple(value)}
    if isinstance(value, Mapping):
        return {name: tuple(found) for name, found in value.items() if isinstance(found, list) and isinstance(name, str)}
    return {}
