"""Logs: formatters, redaction, the sink that feeds files and OTLP, set-up, `LogOperation`, `LogEvents`, access records.

Fed by the application's log records and the Flask hook; feeds the rotated files and the listeners in `distro`. Names
are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .access import access_record
    from .errors import safe_exception_message, safe_stack
    from .events import LogEvents
    from .formatters import ColoredFormatter, JsonFormatter
    from .operation import LogOperation
    from .records import export_copy
    from .redaction import Redactor, policy
    from .setup import ChatbotLogger, get_logger, setup_logger
    from .sink import SINK, add_listener, install

__all__ = [
    "SINK",
    "ChatbotLogger",
    "ColoredFormatter",
    "JsonFormatter",
    "LogEvents",
    "LogOperation",
    "Redactor",
    "access_record",
    "add_listener",
    "export_copy",
    "get_logger",
    "install",
    "policy",
    "safe_exception_message",
    "safe_stack",
    "setup_logger",
]

_HOMES = {
    "SINK": "sink",
    "ChatbotLogger": "setup",
    "ColoredFormatter": "formatters",
    "JsonFormatter": "formatters",
    "LogEvents": "events",
    "LogOperation": "operation",
    "Redactor": "redaction",
    "access_record": "access",
    "add_listener": "sink",
    "export_copy": "records",
    "get_logger": "setup",
    "install": "sink",
    "policy": "redaction",
    "safe_exception_message": "errors",
    "safe_stack": "errors",
    "setup_logger": "setup",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{home}", __name__), name)
