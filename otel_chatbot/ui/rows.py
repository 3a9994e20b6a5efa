"""What is written to the viewer's file: rows of spans, log records and figures, and where reading has come to.

Fed by `ui.otlp`, `ui.files` and `ui.runs`; feeds `ui.store`.
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
"""Characters of one text that are kept."""
MORE_LIMIT: Final = 262_144
"""Bytes of one span's or record's attributes that are kept."""
_ROW_BYTES: Final = 150
"""Bytes of a row beside its longer texts."""
_MOST_EXACT: Final = 2**53
"""From here on a browser's numbers are not exact."""
_MOST: Final = 2**63 - 1


@dataclass
class Batch:
    """What is written at one stroke, and with it how far each file was read."""

    resources: dict[int, Row] = field(default_factory=dict)
    spans: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)
    series: dict[int, Row] = field(default_factory=dict)
    samples: list[Row] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    written: threading.Event = field(default_factory=threading.Event)
    failure: str = ""
    """Why it could not be written, once `written` is set."""

    def __len__(self) -> int:
        return len(self.spans) + len(self.logs) + len(self.samples)

    @property
    def weight(self) -> int:
        """About how many bytes it is in the file, its indexes left out."""
        texts = [row[-1] for rows in (self.spans, self.logs, self.samples) for row in rows] + [row[4] for row in self.logs]
        return _ROW_BYTES * len(self) + sum(len(text) for text in texts if isinstance(text, str))

    def resource(self, attributes: Mapping[str, Any]) -> int:
        """The number of a resource, which is the same for the same attributes."""
        text = orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS).decode()
        found = number(text)
        if found not in self.resources:
            service = str(attributes.get(a.SERVICE_NAME) or "")
            self.resources[found] = (found, service, str(attributes.get(a.SERVICE_INSTANCE_ID) or ""), text)
        return found


def number(text: str) -> int:
    """A number that stands for a text."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big") >> 1


def clip(text: str) -> str:
    """A text that is not too long, with what was left out said."""
    left = len(text) - TEXT_LIMIT
    return text if left <= 0 else f"{text[:TEXT_LIMIT]} … ({left} characters more)"


def whole(value: int) -> int:
    """A number that the file takes."""
    return min(value, _MOST)


def plain(value: Any) -> Any:
    """A value that JSON takes and a browser shows as it is."""
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
    """The rest of a row as JSON; what would be too much is left out, and said."""
    try:
        text = orjson.dumps(more)
    except TypeError:  # a text with half of a surrogate pair, of a log line that somebody else wrote
        text = json.dumps(more).encode()
    if len(text) > MORE_LIMIT:
        text = orjson.dumps({"a": {"left out": f"{len(text)} bytes of attributes, more than the {MORE_LIMIT} that are kept"}})
    return text.decode()
