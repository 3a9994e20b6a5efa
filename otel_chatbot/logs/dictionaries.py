"""Records whose message is a dictionary, or which carry one: those of structlog, loguru, python-json-logger and others.

Fed by the formatters and the export; feeds them a copy: its message is a text and the dictionary's items are its fields.
So both are redacted like all others. A record with a text as its message is passed on as it is.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from ..semconv.logs import EXCEPTION, STACK_INFO
from .errors import safe_text
from .redaction import Redactor

_MOST_FIELDS: Final = 200
_STRUCTLOG: Final = ("_logger", "_name")
"""Attributes that structlog's `ProcessorFormatter.wrap_for_formatter` adds beside its dictionary."""
_SAID: Final = ("level", "logger")
"""Keys that structlog adds although the record has the same data."""
_TEXTS: Final = ("message", "event", "msg")
"""Where a dictionary has its text; structlog's has it in `event` first."""
_LOGURU: Final = frozenset({"elapsed", "extra", "file", "level", "message", "process", "record", "thread", "time"})
"""Keys of loguru's record whose data logging's record has already; bound values are in `extra`."""
_LOGURU_TELLS: Final = frozenset({"elapsed", "extra", "level", "message", "time"})
_TRACEBACK: Final = re.compile(r"\n *(?:\+ Exception Group )?Traceback \(most recent call last\):")


def unfolded(record: logging.LogRecord, redactor: Redactor) -> logging.LogRecord:
    """The record itself, or a copy with the dictionary's text as its message and the dictionary's items as its fields.

    Never raises: a dictionary that cannot be read stays as it is.
    """
    own = record.__dict__
    if type(record.msg) is str and "extra" not in own and "level" not in own:
        return record
    try:
        return _unfolded(record, redactor)
    except Exception:  # the mapping cannot be read; it is shown as text, like any other object
        return record


def _unfolded(record: logging.LogRecord, redactor: Redactor) -> logging.LogRecord:
    copy = logging.LogRecord("", 0, "", 0, "", None, None)
    copy.__dict__.update(record.__dict__)
    given, bound = record.msg, copy.__dict__.get("extra")
    fields: dict[str, Any] = {}
    plain = type(record).getMessage is logging.LogRecord.getMessage
    if isinstance(given, Mapping) and not record.args and plain:
        fields = _items(given)
        if fields.keys() >= _LOGURU_TELLS:
            fields, bound = (
                {key: value for key, value in fields.items() if key not in _LOGURU or key == "message"},
                given["extra"],
            )
        copy.msg = _text(copy, fields, redactor)
        _take_exception(copy, fields)
    if isinstance(bound, Mapping):
        copy.__dict__.pop("extra", None)
        fields.update((key, value) for key, value in _items(bound).items() if key not in fields)
        if record.exc_text == "\n" and isinstance(copy.msg, str):  # loguru's handler for logging: the stack is in the text too
            copy.msg = _TRACEBACK.split(copy.msg, maxsplit=1)[0]
    for name in _SAID:  # structlog's `render_to_log_kwargs` has them beside a text
        if name in copy.__dict__ and name not in fields:
            fields[name] = copy.__dict__.pop(name)
    _leave_out_doubles(copy, fields)
    for key, value in fields.items():
        name = key
        while name in copy.__dict__ or name in ("message", "asctime"):
            name += "_"
        copy.__dict__[name] = value
    return copy


def _items(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    """The first items of a mapping, by name; the others are only counted."""
    found = {key if type(key) is str else safe_text(key): value for key, value in islice(mapping.items(), _MOST_FIELDS)}
    if len(mapping) > _MOST_FIELDS:
        found["..."] = f"<{len(mapping) - _MOST_FIELDS} left out>"
    return found


def _text(copy: logging.LogRecord, fields: dict[str, Any], redactor: Redactor) -> Any:
    """Take the text out of the fields; a dictionary without one is shown as a whole, redacted."""
    structlogs = all(copy.__dict__.pop(name, None) is not None for name in _STRUCTLOG)
    if structlogs and "event" in fields:
        event = fields.pop("event")
        return str(redactor.mapping(event)) if isinstance(event, Mapping) else event
    for name in _TEXTS:
        if isinstance(fields.get(name), str):
            return fields.pop(name)
    return str(redactor.mapping(fields))


def _take_exception(copy: logging.LogRecord, fields: dict[str, Any]) -> None:
    """Take exception and stack out of the fields, where structlog and loguru have them, unless the record has its own."""
    for name in ("exc_info", EXCEPTION):
        found = fields.get(name)
        if found is True:
            found = sys.exc_info()
        if isinstance(found, BaseException):
            found = (type(found), found, found.__traceback__)
        if isinstance(found, tuple) and len(found) == 3 and isinstance(found[1], BaseException):
            copy.exc_info = copy.exc_info or (type(found[1]), found[1], found[2])
        elif isinstance(found, str):
            copy.exc_text = copy.exc_text or found
        elif name != "exc_info" and found:  # structlog's list of frames stays a field
            continue
        fields.pop(name, None)
    for name in ("stack", STACK_INFO):
        found = fields.get(name)
        if isinstance(found, str) and not copy.stack_info:
            copy.stack_info = fields.pop(name)
        elif isinstance(found, bool):
            del fields[name]


def _leave_out_doubles(copy: logging.LogRecord, fields: dict[str, Any]) -> None:
    """Leave out what the record already has: structlog adds level and logger, loguru adds the level."""
    level = fields.get("level")
    if isinstance(level, str) and level.lower() == copy.levelname.lower():
        del fields["level"]
    if fields.get("logger") == copy.name:
        del fields["logger"]
    for name in ("_record", "_from_structlog"):
        fields.pop(name, None)
