"""What came of a scenario, as JSON: the objects that the app got, as data, and the exception where there was one."""

from __future__ import annotations

import base64
import dataclasses
import re
from typing import Any

from .scenario import Prompt, Scenario

RANDOM = re.compile(
    r"(?:lc_)?run-+[0-9a-f-]{36}(?:-\d+)?|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|0x[0-9a-f]+|'date': '[^']*'|127\.0\.0\.1:\d+"
)
"""Ids that a client draws by lot, addresses in memory, the time of day, the server's port."""


def run(scenario: Scenario, prompt: Prompt) -> dict[str, Any]:
    """Run a scenario to its end. No exception leaves: a chatbot catches them too."""
    try:
        got = scenario.run(prompt)
    except Exception as error:
        return {"outcome": f"{type(error).__module__}.{type(error).__qualname__}", "says": RANDOM.sub("*", str(error))[:500]}
    return {"outcome": "ok", "text": got.text, "input": got.input, "output": got.output, "objects": plain(got.objects)}


def plain(value: Any, depth: int = 12) -> Any:
    """An object as JSON data that shows its type and everything that it holds."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return RANDOM.sub("*", value)
    if isinstance(value, bytes | bytearray):
        return {"bytes": base64.b64encode(value).decode()}
    if depth == 0:
        return RANDOM.sub("*", repr(value))
    if isinstance(value, dict):
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item, depth - 1) for item in value]
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if hasattr(value, "model_dump"):
        # The parts are dumped one by one, so that each shows its own type.
        parts = dict(value) | (getattr(value, "__pydantic_extra__", None) or {})
        return {"type": kind, **{str(key): plain(item, depth - 1) for key, item in parts.items()}}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {"type": kind, **{key: plain(item, depth - 1) for key, item in parts.items()}}
    return {"type": kind, "shown": RANDOM.sub("*", repr(value))}
