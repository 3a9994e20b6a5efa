"""Reads a log record: message, extras, exception, trace. It never changes the record and never raises.

Fed by records as `logging` made them; feeds the formatters and, as `export_copy`, the export in `distro`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from .. import _wiring, config
from .._guard import never_raise
from ..semconv import attributes as a
from ..semconv import logs as names
from .dictionaries import unfolded
from .errors import is_told_apart, safe_exception_message, safe_stack, safe_text
from .escapes import without_escapes
from .redaction import Redactor

# Attributes that every record has, those that formatters add, and those of instrumentation-logging's record factory.
RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "otelTraceID",
    "otelSpanID",
    "otelTraceSampled",
    "otelServiceName",
}
_LAST = len(vars(logging.makeLogRecord({}))) - 1
_LAST_NAME = [*vars(logging.makeLogRecord({}))][_LAST]
_second: tuple[int, str] = (0, "1970-01-01T00:00:00")


def timestamp(created: float) -> str:
    """Seconds since the epoch as UTC, ISO 8601, milliseconds, Z."""
    global _second
    whole = int(created)
    cached, text = _second
    if cached != whole:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        _second = (whole, text)  # one tuple: another thread sees the old one or this one
    return f"{text}.{int((created - whole) * 1000):03d}Z"


_SIMPLE = frozenset((str, int, float, bool))
"""Types of arguments that are not exceptions."""
_QUOTING = frozenset({"pymongo.command", "openai._base_client"})
"""Loggers of clients that write whole documents and (older versions of openai) prompts into their records of level DEBUG."""
_LEFT_OUT = "<what the client did, left out for it holds content: CHATBOT_OTEL_CAPTURE_CONTENT=true keeps it>"


def message(record: logging.LogRecord) -> str:
    """A record's message, not redacted; wrong format arguments are shown behind it instead of raising."""
    if record.name in _QUOTING and record.levelno <= logging.DEBUG and not config.current().capture_content:
        return _LEFT_OUT
    try:
        if type(record).getMessage is not logging.LogRecord.getMessage:  # another style of formatting
            return record.getMessage()
        template = record.msg
        if type(template) is not str:
            template = safe_text(_told(template))
        arguments = record.args
        if not arguments:
            return template
        if type(arguments) is tuple and not _SIMPLE.issuperset(map(type, arguments)):
            for argument in arguments:
                if isinstance(argument, BaseException):
                    return template % tuple(_told(each) for each in arguments)
        return template % arguments
    except Exception as error:
        return f"{safe_text(record.msg)} [not formatted, {type(error).__name__}: {_shown(record.args)}]"


def _told(argument: Any) -> Any:
    """An argument; for a database's error, only the part of it that may be written."""
    if isinstance(argument, BaseException) and is_told_apart(argument):
        return safe_exception_message(argument)
    return argument


def _shown(arguments: Any) -> str:
    """Wrong arguments as text, made by `Traversal`, which never raises. They are redacted with the message."""
    return str(Redactor().value("arguments", list(arguments) if isinstance(arguments, tuple) else arguments))


def level(record: logging.LogRecord) -> str:
    """A record's level by name. An application may have put a colour into the name."""
    return without_escapes(record.levelname) if type(record.levelname) is str else safe_text(record.levelname)


def own_items(record: logging.LogRecord) -> Iterable[tuple[Any, Any]]:
    """A record's attributes, without the standard ones at the beginning if these are in their usual order."""
    items = iter(islice(record.__dict__.items(), _LAST, None))
    last = next(items, None)
    return items if last is not None and last[0] == _LAST_NAME else record.__dict__.items()


def extras(record: logging.LogRecord, redactor: Redactor) -> dict[str, Any]:
    """The application's own fields, redacted. A field named like one of ours gets an underscore behind its name."""
    found: dict[str, Any] = {}
    for key, value in own_items(record):
        if key not in RESERVED:
            found[field_name(key, found, redactor)] = redactor.value(key if type(key) is str else safe_text(key), value)
    return found


def field_name(key: Any, taken: dict[str, Any], redactor: Redactor) -> str:
    """The name of an application's field in a line. It is redacted too, because a name may come from outside."""
    name = redactor.bounded(key if type(key) is str else safe_text(key))
    while name in names.FIELDS or name in taken:
        name += "_"
    return name


def exception(record: logging.LogRecord, redactor: Redactor) -> dict[str, str] | None:
    """Type, message and stack of a record's exception, redacted; None when it has none."""
    info = record.exc_info
    if not info:
        # A queue handler leaves the text alone.
        text = record.exc_text
        return {"stack": str(redactor.attribute(a.EXCEPTION_STACKTRACE, text))} if isinstance(text, str) and text else None
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) and len(info) == 3 else None
    if error is None:
        return None
    return {
        "type": type(error).__name__,
        "message": redactor.bounded(safe_exception_message(error)),
        "stack": redactor.bounded(safe_stack(info)),
    }


def safe_copy(record: logging.LogRecord, redactor: Redactor) -> logging.LogRecord:
    """A record for a formatter that knows nothing of redaction: message without arguments, stack as text, no extras."""
    copy = logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, "", None, None, record.funcName)
    copy.__dict__.update({key: value for key, value in record.__dict__.items() if key in RESERVED})
    copy.msg, copy.args, copy.exc_info, copy.exc_text = redactor.bounded(message(record)), None, None, None
    copy.levelname = level(record)
    found = exception(record, redactor)
    if found is not None:
        copy.exc_text = found["stack"]
    if record.stack_info:
        copy.stack_info = redactor.bounded(safe_text(record.stack_info))
    return copy


@never_raise
def conversation_id() -> str | None:
    """The id of the running request's conversation, as soon as it is known."""
    return _wiring.CONVERSATION()


def export_copy(record: logging.LogRecord, redactor: Redactor) -> logging.LogRecord:
    """A record for OpenTelemetry: as `safe_copy`, with the extras and the exception's attributes."""
    record = unfolded(record, redactor)
    copy = safe_copy(record, redactor)
    for key, value in extras(record, redactor).items():
        copy.__dict__.setdefault(key, value)
    if (conversation := conversation_id()) is not None:
        copy.__dict__.setdefault(a.GEN_AI_CONVERSATION_ID, redactor.bounded(conversation))
    found = exception(record, redactor)
    if found is not None:
        copy.__dict__[a.EXCEPTION_STACKTRACE] = found["stack"]
        if "type" in found:
            copy.__dict__[a.EXCEPTION_TYPE] = found["type"]
            copy.__dict__[a.EXCEPTION_MESSAGE] = found["message"]
    copy.exc_text = None
    return copy


def rename_refused(extra: Mapping[str, Any], taken: Mapping[str, Any] = {}) -> dict[str, Any]:
    """`taken` and the extras. An extra gets an underscore behind its name if logging refuses the name or `taken` has it."""
    renamed = dict(taken)
    for key, value in extra.items():
        name = key
        while name in RESERVED or name in renamed:
            name += "_"
        renamed[name] = value
    return renamed
