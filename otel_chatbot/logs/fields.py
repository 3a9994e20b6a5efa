"""A record's redacted fields and the line made of them: read once, for the file and for the export.

Fed by log records, which it does not change; feeds the JSON formatter, the files and the takers of the sink's events.
"""

from __future__ import annotations

import logging
from typing import Any, Final

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
from .records import RESERVED, conversation_id, exception, field_name, level, message, own_items, timestamp
from .redaction import Redactor
from .traversal import LONGEST_TEXT

LEVELS: Final = frozenset({"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"})
"""The standard levels, whose names need no check."""


def line_of(record: logging.LogRecord, redactor: Redactor, *, extras: bool = True) -> tuple[bytes, dict[str, Any] | None]:
    """A record's line of JSON in UTF-8, without its end, and its fields; None if they could not be read. Never raises."""
    try:
        fields = fields_of(record, redactor, extras=extras)
        return encode(fields), fields
    except Exception as error:  # whatever the record holds, a line says that there was a record
        line = encode(
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
        return line, None


def fields_of(record: logging.LogRecord, redactor: Redactor, *, extras: bool = True) -> dict[str, Any]:
    """The fields of a record, redacted, with the application's `extras`; raises if the object is not a record of logging's."""
    record = unfolded(record, redactor)
    text = message(record)
    fields: dict[str, Any] = {
        TIMESTAMP: timestamp(record.created),
        LEVEL: record.levelname if record.levelname in LEVELS else level(record),
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
    if extras:
        _add_extras(record, fields, texts, redactor)
    if CONVERSATION not in fields and (conversation := conversation_id()) is not None:
        texts[CONVERSATION] = fields[CONVERSATION] = conversation
    # All texts are checked together: most lines hold nothing that a rule could match.
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
    """Add the application's fields. Texts go to `texts` too, not yet redacted."""
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
