"""The formatters: one JSON object per line, coloured text for a developer's console, plain text for a file.

Fed by log records, which they leave as they are; feed files and consoles. What they write is redacted.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, ClassVar, Literal

from .dictionaries import unfolded
from .fields import line_of
from .records import extras, safe_copy
from .redaction import Redactor, policy

Style = Literal["%", "{", "$"]
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
        return line_of(record, self._redactor or policy(), extras=self.include_extra)[0]


class TextFormatter(logging.Formatter):
    """Formats a record as a line of text with its extras behind it. The lines of a stack follow, not indented.

    A line end inside a message is written as an escape, so that no message can pose as a record.
    """

    _usual = "%(asctime)s %(levelname)-8s %(name)s: %(message)s"
    """The format where none is given."""

    def __init__(
        self, fmt: str | None = None, datefmt: str | None = None, style: Style = "%", *, redactor: Redactor | None = None
    ) -> None:
        if fmt is None:
            fmt, style = self._usual, "%"
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
    has put into its own messages are removed, because they could hide a secret from the patterns.
    """

    _usual = "%(asctime)s %(levelname)s %(name)s: %(message)s"
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
        style: Style = "%",
        *,
        color: bool | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        super().__init__(fmt, datefmt, style, redactor=redactor)
        self.color = color

    def shown(self, message: str, extra: dict[str, Any]) -> str:
        """The message as it is, line ends included, with the extras behind it."""
        return "  ".join([message, *(f"{key}={value}" for key, value in extra.items())])

    def level(self, record: logging.LogRecord) -> str:
        """The level, padded, and coloured if colours are wanted."""
        padded = f"{record.levelname:<8}"
        color = self.COLORS.get(record.levelname)
        return f"{color}{padded}{self.RESET}" if color and self._wanted() else padded

    def _wanted(self) -> bool:
        return self.color if self.color is not None else wants_color(sys.stderr)


def wants_color(stream: Any) -> bool:
    """Whether a stream is a terminal and the user has not said NO_COLOR."""
    return not os.environ.get("NO_COLOR") and bool(getattr(stream, "isatty", bool)())
