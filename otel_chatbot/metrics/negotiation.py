"""Chooses the text format for a scraper by its Accept header.

Fed by a request's header, whatever it holds; feeds the view of `/metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from .exposition import openmetrics_text, prometheus_text
from .view import Family

_MOST: Final = 2000


class Format(NamedTuple):
    """A content type and the function that writes it."""

    content_type: str
    write: Callable[[Iterable[Family]], bytes]


TEXT: Final = Format("text/plain; version=0.0.4; charset=utf-8", prometheus_text)
"""The format that every scraper understands."""
_TEXT_1: Final = Format("text/plain; version=1.0.0; charset=utf-8; escaping=underscores", prometheus_text)
_OPEN: Final = Format("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores", openmetrics_text)
_OPEN_0: Final = Format("application/openmetrics-text; version=0.0.1; charset=utf-8", openmetrics_text)

_FORMATS: Final[dict[tuple[str, str], Format]] = {
    ("application/openmetrics-text", ""): _OPEN,
    ("application/openmetrics-text", "1.0.0"): _OPEN,
    ("application/openmetrics-text", "0.0.1"): _OPEN_0,
    ("text/plain", "1.0.0"): _TEXT_1,
    ("text/plain", "0.0.4"): TEXT,
    ("text/plain", ""): TEXT,
    ("text/*", ""): TEXT,
    ("*/*", ""): TEXT,
}


def choose(accept: str) -> Format:
    """The acceptable format of the highest quality, the first of equals; the plain one when none is (RFC 9110, 12.5.1)."""
    best, quality = TEXT, 0.0
    for item in accept[:_MOST].split(","):
        media, *rest = (part.strip() for part in item.lower().split(";"))
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        found = _FORMATS.get((media, parameters.get("version", "").strip('"')))
        weight = _quality(parameters.get("q", "1"))
        if found is not None and weight > quality:
            best, quality = found, weight
    return best


def _quality(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 <= value <= 1.0 else 0.0
