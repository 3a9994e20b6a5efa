"""Requests that look like calls of a model at an address that is not known as one: the address and the names of the fields.

Fed by `genai.wire_call` with the requests that it does not follow; feeds the facts by which `instrumentation.empty` says why a
figure is empty. Each address is looked at three times at most, so that an application that posts something else pays for three
of its requests. No value of a field is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from ..._guard import never_raise
from ...metrics import record
from ..common import seen
from . import blocks
from .protocols.protocol import Body
from .recognise import JUDGED, UNKNOWN, Place

_LOOKS: Final = 3
_MOST: Final = 256
"""Addresses that are looked at."""
_LARGEST: Final = 256 * 1024
_MOST_FIELDS: Final = 12
_SAID: Final = ("query", "question", "input", "text", "message", "inputs", "user_input")
_TELLING: Final = frozenset({
    "model", "stream", "temperature", "max_tokens", "max_new_tokens", "conversation_id", "session_id", "sessionId",
    "response_mode", "bot_id", "history", "parameters", "overrideConfig",
})  # fmt: skip
"""Beside a text, each of these says that a model is asked."""

_looked: dict[tuple[str, int | None, str], int] = {}


@never_raise
def look(place: Place, body: Callable[[], bytes | Body | None]) -> None:
    """A POST that asks no model that is known."""
    key = (place.host, place.port, place.path.partition("?")[0].rpartition("/")[2][:64])
    looks = _looked.get(key, 0)
    if looks >= _LOOKS or (not looks and len(_looked) >= _MOST):
        UNKNOWN.leave(place.host, place.path)
        return
    if record.is_own_traffic() or blocks.current() is not None:
        return
    _looked[key] = looks + 1
    data = body()
    if isinstance(data, bytes):
        data = _parsed(data)
    if isinstance(data, Mapping) and looks_like_a_call(data):
        _looked[key] = _LOOKS
        address = place.host if place.port is None else f"{place.host}:{place.port}"
        seen.note(seen.POSTED, address, *[str(name)[:64] for name in list(data)[:_MOST_FIELDS]])


def looks_like_a_call(body: Mapping[str, Any]) -> bool:
    """Whether a JSON body asks a model, by what it has."""
    messages = body.get("messages") or body.get("contents")
    if isinstance(messages, list) and messages and isinstance(messages[0], Mapping):
        return True
    if isinstance(body.get("prompt"), str):
        return True
    return any(isinstance(body.get(name), str) for name in _SAID) and not _TELLING.isdisjoint(body)


def forget() -> None:
    """Look again."""
    _looked.clear()
    UNKNOWN.let_go, UNKNOWN.watched = set(), True
    JUDGED.forget()


def _parsed(data: bytes) -> Any:
    if len(data) > _LARGEST or data[:1] != b"{":
        return None
    try:
        return orjson.loads(data)
    except ValueError:
        return None
