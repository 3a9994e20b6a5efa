"""Batches of rows for the viewer's file: spans, log records and figures, and the positions in the files that were read.

Filled by `ui.otlp`, `ui.files` and `ui.figures`; feeds `ui.store`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from ..semconv import attributes as a

Row = tuple[Any, ...]
TEXT_LIMIT: Final = 32_768
"""The most characters of one text that are kept."""
MORE_LIMIT: Final = 262_144
"""The most bytes of one span's or record's attributes that are kept."""
_ROW_BYTES: Final = 150
"""Bytes of a row beside its longer texts."""
_MOST_EXACT: Final = 2**53
"""Above this, numbers are not exact in a browser."""
_MOST: Final = 2**63 - 1


@dataclass
class Batch:
    """Rows that are written in one transaction, with the position up to which each file was read."""

    resources: dict[int, Row] = field(default_factory=dict)
    spans: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)
    series: dict[int, Row] = field(default_factory=dict)
    samples: list[Row] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    written: threading.Event = field(default_factory=threading.Event)
    failure: str = ""
    """The reason if it could not be written; valid after `written` is set."""

    def __len__(self) -> int:
        return len(self.spans) + len(self.logs) + len(self.samples)

    @property
    def weight(self) -> int:
        """The approximate size in the file in bytes, without indexes."""
        texts = [row[-1] for rows in (self.spans, self.logs, self.samples) for row in rows] + [row[4] for row in self.logs]
        return _ROW_BYTES * len(self) + sum(len(text) for text in texts if isinstance(text, str))

    def resource(self, attributes: Mapping[str, Any]) -> int:
        """The number of a resource; equal attributes have the same number."""
        text = orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS).decode()
        found = number(text)
        if found not in self.resources:
            service = str(attributes.get(a.SERVICE_NAME) or "")
            self.resources[found] = (found, service, str(attributes.get(a.SERVICE_INSTANCE_ID) or ""), text)
        return found


def number(text: str) -> int:
    """A number that identifies a text."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big") >> 1


def clip(text: str) -> str:
    """The text, cut if it is too long, with a note of what was left out."""
    left = len(text) - TEXT_LIMIT
    return text if left <= 0 else f"{text[:TEXT_LIMIT]} … ({left} characters more)"


def whole(value: int) -> int:
    """The number, limited to the range that SQLite can hold."""
    return min(value, _MOST)


def plain(value: Any) -> Any:
    """The value as JSON can hold it and a browser shows it exactly."""
    if isinstance(value, str):
        return clip(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -_MOST_EXACT <= value <= _MOST_EXACT else str(value)
    if isinstance(value, Mapping):
        return {clip(str(name)): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def packed(more: Mapping[str, Any]) -> str:
    """The rest of a row as JSON; if it is too large, only a note that says so."""
    try:
        text = orjson.dumps(more)
    except TypeError:  # a text with half of a surrogate pair, from a log line of another program
        text = json.dumps(more).encode()
    if len(text) > MORE_LIMIT:
        text = orjson.dumps({"a": {"left out": f"{len(text)} bytes of attributes, more than the {MORE_LIMIT} that are kept"}})
    return text.decode()
