"""What chats in a value of Redis: arrays of messages in a value that is written as a whole, and documents that are one message.

Fed by `redis.histories` with values as they were sent or received; reads JSON, and nothing that cannot be a chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from ..chats.growth import Array

_LONGEST: Final = 1024 * 1024
"""A longer value is not read."""
STARTS: Final = ("[", "{", b"[", b"{")
"""How JSON begins that may be a chat."""


def may_chat(value: Any) -> bool:
    """Whether a value may hold a chat, by its first letter; told in no time."""
    return (type(value) is bytes or type(value) is str) and value[:1] in STARTS


def parsed(value: Any) -> Any:
    """A value, or the JSON that it is; None for what cannot be a chat."""
    if isinstance(value, (Mapping, list)):
        return value
    if not may_chat(value) or len(value) > _LONGEST:
        return None
    if value[:1] in ("[", b"["):
        second = value[1:64].strip()[:1]
        if (second.encode() if isinstance(second, str) else second) not in (b"{", b'"', b"]"):
            return None  # a vector, say
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def arrays_of(value: Any) -> dict[str, Array]:
    """The arrays in a value, by field; under the empty name where the value is one itself."""
    if isinstance(value, list):
        return {"": tuple(value)}
    if isinstance(value, Mapping):
        return {name: tuple(found) for name, found in value.items() if isinstance(found, list) and isinstance(name, str)}
    return {}
