"""Makes values fit for OTLP: an encoder drops a value that it cannot encode, or even the whole batch around it.

Called by `distro.providers`, `distro.metrics.data` and `encoding.attributes`, before an exporter encodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...logs.errors import encodable, printable
from ...logs.redaction import INT64


def fit(value: Any) -> Any:
    """A text that UTF-8 can hold, a number of 64 bits or its text, deep in mappings and lists; anything else as it is."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, int) and not -INT64 <= value < INT64:
        return str(printable(value))
    if isinstance(value, Mapping):
        return {encodable(str(name)): fit(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [fit(item) for item in value]
    return value
