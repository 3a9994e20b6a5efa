"""OTEL_RESOURCE_ATTRIBUTES: `key=value,key=value`, the values percent-encoded.

Feeds `config`, `distro.environment` and the row of the variable in `variables.table`: decoded here, and nowhere else of ours.
https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote, unquote_to_bytes

from .checks import Problem

NAME = "OTEL_RESOURCE_ATTRIBUTES"
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def attributes(text: str) -> dict[str, str]:
    """The attributes, decoded as the SDK does; what is not a pair is left out."""
    return {key.strip(): unquote(value.strip()) for key, value in _pairs(text)}


def check(text: str, _: Mapping[str, str]) -> Problem | None:
    """Items that are not a pair, which are left out, and escapes that cannot be decoded, which stay as they are written."""
    items = [item for item in text.split(",") if item.strip()]
    wrong = [f"{item.strip()!r} is not a key=value pair" for item in items if not _is_pair(item)]
    escapes = [f"the value of {key.strip()!r} has a bad escape" for key, value in _pairs(text) if not _decodes(value)]
    if not wrong and not escapes:
        return None
    why = "; ".join(wrong + escapes)
    remedy = "write %25 for a percent sign, %2C for a comma, %3D for an equals sign"
    if not wrong:
        return Problem(why, remedy, kept="it stays as it is written")
    return Problem(why, remedy, ",".join(f"{key}={value}" for key, value in _pairs(text)) or None)


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(key, value) for key, _, value in (item.partition("=") for item in text.split(",") if _is_pair(item))]


def _is_pair(item: str) -> bool:
    key, equals, _ = item.partition("=")
    return bool(key.strip() and equals)


def _decodes(value: str) -> bool:
    if _BAD_ESCAPE.search(value):
        return False
    try:
        unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        return False
    return True
