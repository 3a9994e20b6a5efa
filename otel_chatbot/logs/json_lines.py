"""A record's fields as one line of JSON, whatever they hold.

Fed by the JSON formatter with plain data (see `logs.redaction`); feeds files and consoles. It uses orjson if there
is a wheel of it, otherwise the standard library's encoder, with the same result.
"""

from __future__ import annotations

import json
from typing import Any

try:
    from orjson import dumps as _dumps
except ImportError:  # no wheel for this platform

    def _dumps(fields: dict[str, Any]) -> bytes:  # type: ignore[misc]
        return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode("ascii")


_LONGEST_LINE = 1024 * 1024
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1


def encode(fields: dict[str, Any]) -> bytes:
    """One line of JSON in UTF-8, without its line end; what JSON cannot hold becomes text. At most about 1 MiB.

    Raises only for data that is not plain (dict, list, str, int, float, bool, None).
    """
    try:
        line = _dumps(fields)
    except (TypeError, ValueError, RecursionError):  # a lone surrogate, a number beyond 64 bits, a key that is no string
        line = _dumps(_strict(fields))
    if len(line) > _LONGEST_LINE:
        line = _dumps(_strict({key: _shortened(value) for key, value in list(fields.items())[:200]}))
    if not line.isascii():
        # They are valid inside JSON, but many readers split lines at them (str.splitlines, JavaScript before 2019).
        line = line.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029").replace(b"\xc2\x85", b"\\u0085")
    return line


def _strict(value: Any) -> Any:
    """Plain data, turned into what every JSON encoder and decoder accepts."""
    if isinstance(value, str):
        return str.encode(value, "utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_strict(key if isinstance(key, str) else repr(key)): _strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
        # str() refuses numbers of more than 4300 digits.
        return str(value) if value.bit_length() < 10_000 else f"<number of {value.bit_length()} bits>"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):  # noqa: PLR0124
        return str(value)
    return value


def _shortened(value: Any) -> Any:
    """A field of a line that is too long: a long text is cut, a container left out."""
    if isinstance(value, str):
        return value if len(value) <= 4096 else f"{value[:4096]}... {len(value) - 4096} characters left out"
    return f"<{type(value).__name__} left out>" if isinstance(value, (dict, list)) else value
