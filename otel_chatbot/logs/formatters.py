"""The formatters: a JSON object a line, coloured text for a developer's console, plain text for a file.

Fed by log records, which they leave as they are; feed files and consoles. What they write is redacted.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, ClassVar, Literal

from opentelemetry import trace

from ..semconv.attributes import GEN_AI_CONVERSATION_ID as CONVERSATION
from ..semconv.logs import (
    EXCEPTION,
    FUNCTION,
    LEVEL,
    LINE,
    LOGGER_NAME,
    MESSAGE,
    MODULE,
    PROCESS_ID,
    SPAN_ID,
    STACK_INFO,
    TIMESTAMP,
    TRACE_ID,
)
from .dictionaries import unfolded
from .errors import safe_text
from .json_lines import encode
from .records import RESERVED, conversation_id, exception, extras, field_name, level, message, own_items, safe_copy, timestamp
from .redaction import Redactor, policy
from .traversal import LONGEST_TEXT

_PLAIN = str.maketrans(
    {"\r": "\\r", "\n": "\\n", "\x0b": "\\x0b", "\x0c": "\\x0c", "\x85": "\\x85", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object: time, level, logger, message, place, process, trace, extras, exception.

    Times are UTC; `trace_id` and `span_id` are hexadecimal and absent outside a span. Never raises.
    """

    def __init__(self, include_extra: bool = True, *, redactor: Redactor | None = None) -> None:
        super().__init__()
        self.include_extra = include_extra
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line as text."""
        return self.encode(record).decode("utf-8")

    def encode(self, record: logging.LogRecord) -> bytes:
        """The line in UTF-8, without a line end."""
        try:
            return encode(self._fields(record, self._redactor or policy()))
        except Exception as error:  # whatever a record may hold, the line says that it was there
            return encode(
                {
                    TIMESTAMP: timestamp(0.0) if not isinstance(record.created, float) else _time(record),
                    LEVEL: safe_text(record.levelname),
                    LOGGER_NAME: safe_text(record.name),
                    MESSAGE: f"<a record that could not be formatted: {type(error).__name__}>",
                    MODULE: safe_text(record.module),
                    FUNCTION: safe_text(record.funcName),
                    LINE: safe_text(record.lineno),
                }
            )

    def _fields(self, record: logging.LogRecord, redactor: Redactor) -> dict[str, Any]:
        record = unfolded(record, redactor)
        text = message(record)
        fields: dict[str, Any] = {
            TIMESTAMP: timestamp(record.created),
            LEVEL: record.levelname if record.levelname in ColoredFormatter.COLORS else level(record),
            LOGGER_NAME: record.name,
            MESSAGE: text,
            MODULE: record.module,
            FUNCTION: record.funcName,
            LINE: record.lineno,
            PROCESS_ID: record.process,
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            fields[TRACE_ID] = context.trace_id.to_bytes(16, "big").hex()
            fields[SPAN_ID] = context.span_id.to_bytes(8, "big").hex()
        texts = {MESSAGE: text}
        if self.include_extra:
            _add_extras(record, fields, texts, redactor)
        if CONVERSATION not in fields and (conversation := conversation_id()) is not None:
            texts[CONVERSATION] = fields[CONVERSATION] = conversation
        # One look at all texts together: most lines hold nothing that a rule could match.
        together = "\n".join(texts.values())
        if len(together) > LONGEST_TEXT or redactor.suspicious(together):
            for name, found in texts.items():
                fields[name] = redactor.bounded(found)
        if record.exc_info or record.exc_text:
            raised = exception(record, redactor)
            if raised is not None:
                fields[EXCEPTION] = raised
        if record.stack_info:
            fields[STACK_INFO] = redactor.bounded(safe_text(record.stack_info))
        return fields


def _add_extras(record: logging.LogRecord, fields: dict[str, Any], texts: dict[str, str], redactor: Redactor) -> None:
    """Add the application's fields; what is text goes to `texts` too, not yet redacted."""
    ordinary = redactor.ordinary
    for key, value in own_items(record):
        if key in ordinary:
            if type(value) is str:
                fields[key] = texts[key] = value
            else:
                fields[key] = value if type(value) is int else redactor.value(key, value)
        elif key not in RESERVED:
            name = field_name(key, fields, redactor)
            fields[name] = redactor.value(key if type(key) is str else name, value)
            if name == key and not name.endswith("_") and not redactor.sensitive(name):
                redactor.remember(name)


def _time(record: logging.LogRecord) -> str:
    try:
        return timestamp(record.created)
    except (ValueError, OverflowError, OSError):  # not a time that a calendar has
        return timestamp(0.0)


class TextFormatter(logging.Formatter):
    """Formats a record as a line of text with its extras behind it; the lines of a stack follow, indented by nothing.

    A line end inside a message is written as an escape, so that no message can pose as a record.
    """

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        *,
        redactor: Redactor | None = None,
    ) -> None:
        if fmt is None:
            fmt, style = "%(asctime)s %(levelname)-8s %(name)s: %(message)s", "%"
        super().__init__(fmt, datefmt, style)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record."""
        redactor = self._redactor or policy()
        record = unfolded(record, redactor)
        copy = safe_copy(record, redactor)
        copy.msg = self.shown(copy.msg, extras(record, redactor))
        copy.levelname = self.level(copy)
        return super().format(copy)

    def shown(self, message: str, extra: dict[str, Any]) -> str:
        """The message with the extras behind it."""
        return "  ".join([message, *(f"{key}={value}" for key, value in extra.items())]).translate(_PLAIN)

    def level(self, record: logging.LogRecord) -> str:
        """The level as it is shown."""
        return record.levelname


class ColoredFormatter(TextFormatter):
    """Formats a record as text for a developer's console, the level in colour.

    `color=None` means colour when stderr is a terminal and NO_COLOR (no-color.org) is not set. Colours that an application
    has put into its own messages are left out, for they could hide a secret from the patterns.
    """

    COLORS: ClassVar[dict[str, str]] = {
        "DEBUG": "\x1b[36m",
        "INFO": "\x1b[32m",
        "WARNING": "\x1b[33m",
        "ERROR": "\x1b[31m",
        "CRITICAL": "\x1b[1;31m",
    }
    """What switches a level's colour on; a subclass may choose others."""
    RESET = "\x1b[0m"
    """What switches it off again."""

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        *,
        color: bool | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        super().__init__(
            fmt if fmt is not None else "%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt, style, redactor=redactor
        )
        self.color = color

    def shown(self, message: str, extra: dict[str, Any]) -> str:
        """The message as it is, line ends included, with the extras behind it."""
        return "  ".join([message, *(f"{key}={value}" for key, value in extra.items())])

    def level(self, record: logging.LogRecord) -> str:
        """The level, padded, coloured where that is wanted."""
        padded = f"{record.levelname:<8}"
        color = self.COLORS.get(record.levelname)
        return f"{color}{padded}{self.RESET}" if color and self._wanted() else padded

    def _wanted(self) -> bool:
        return self.color if self.color is not None else wants_color(sys.stderr)


def wants_color(stream: Any) -> bool:
    """Whether a stream is a terminal and the user has not said NO_COLOR."""
    return not os.environ.get("NO_COLOR") and bool(getattr(stream, "isatty", bool)())
