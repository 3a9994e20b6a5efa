"""Turns any value into what JSON can hold: redacted, and within limits of depth, width and length.

`logs.redaction` uses it, and redacts the texts that are found.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..config import MASK
from .errors import printable, safe_exception_message, safe_text

if TYPE_CHECKING:
    from .redaction import Redactor

LONGEST_TEXT = 32_768
"""Characters of one text that are kept."""
_DEEPEST = 8
_WIDEST = 200
_MOST_NODES = 2_000


class Traversal:
    """One pass over a value. It counts the items that it visits and stops at a limit, so that a huge value stays cheap."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._nodes = 0
        self._characters = 0
        self._open: set[int] = set()

    def plain(self, value: Any, depth: int) -> Any:
        """The value in terms of dict, list, str, int, float, bool and None; never raises."""
        kind = type(value)
        if kind is str:
            return self._text(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return printable(value)
        if kind is float:
            return value if math.isfinite(value) else str(value)
        try:
            return self._other(value, depth)
        except Exception as error:
            return f"<unreadable {kind.__name__}: {type(error).__name__}>"

    def _text(self, text: str) -> str:
        self._characters += len(text)
        if self._characters > 8 * LONGEST_TEXT:
            return f"<{len(text)} characters left out>"
        return self._redactor.bounded(text)

    def _other(self, value: Any, depth: int) -> Any:
        if isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return self._container(value, depth)
        if isinstance(value, (bytes, bytearray)):
            return self._text(bytes(value[: LONGEST_TEXT + 1]).decode("utf-8", "backslashreplace"))
        if isinstance(value, (dt.datetime, dt.date, dt.time)):
            return value.isoformat()
        if isinstance(value, BaseException):
            return self._text(f"{type(value).__name__}: {safe_exception_message(value)}")
        return self._text(safe_text(value))

    def _container(self, value: Any, depth: int) -> Any:
        self._nodes += 1
        if id(value) in self._open:
            return "<cycle>"
        if depth >= _DEEPEST or self._nodes > _MOST_NODES:
            return f"<{type(value).__name__} left out>"
        self._open.add(id(value))
        try:
            return self._mapping(value, depth) if isinstance(value, Mapping) else self._items(value, depth)
        finally:
            self._open.discard(id(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, item in list(islice(value.items(), _WIDEST)):
            name = key if type(key) is str else safe_text(key)
            self._nodes += 1
            masked = self._redactor.sensitive(name) and item is not None and not isinstance(item, bool)
            plain[self._text(name[:256])] = MASK if masked else self.plain(item, depth + 1)
        if len(value) > _WIDEST:
            plain["..."] = f"<{len(value) - _WIDEST} left out>"
        return plain

    def _items(self, value: Any, depth: int) -> list[Any]:
        plain = [self.plain(item, depth + 1) for item in islice(value, _WIDEST)]
        self._nodes += len(plain)
        if len(value) > _WIDEST:
            plain.append(f"<{len(value) - _WIDEST} left out>")
        return plain
