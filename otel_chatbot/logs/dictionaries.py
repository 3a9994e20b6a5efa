"""Records whose message is a dictionary, or which carry one: those of structlog, loguru, python-json-logger and others.

Fed by the formatters and the export; feeds them a copy whose message is a text and whose fields are fields, so that both are
redacted as all others are. A record whose message is a text is passed on as it is.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from .errors import safe_text
from .redaction import Redactor

_MOST_FIELDS: Final = 200
_STRUCTLOG: Final = ("_logger", "_name")
"""What structlog's `ProcessorFormatter.wrap_for_formatter` puts beside its dictionary."""
_SAID: Final = ("level", "logger")
"""What a record says itself, and structlog adds."""
_TEXTS: Final = ("message", "event", "msg")
"""Where a dictionary has its text; structlog's has it in `event` first."""
_LOGURU: Final = frozenset({"elapsed", "extra", "file", "level", "message", "process", "record", "thread", "time"})
"""Keys of loguru's record that logging's own says already; what was bound is in `extra`."""
_LOGURU_TELLS: Final = frozenset({"elapsed", "extra", "level", "message", "time"})
_TRACEBACK: Final = re.compile(r"\n *(?:\+ Exception Group )?Traceback \(most recent call last\):")


def unfolded(record: logging.LogRecord, redactor: Redactor) -> logging.LogRecord:
    """The record itself, or a copy with the dictionary's text as its message and the dictionary's items as its fields.

    Never raises: a dictionary that cannot be read stays what it is.
    """
    own = record.__dict__
    if type(record.msg) is str and "extra" not in own and "level" not in own:
        return record
    try:
        return _unfolded(record, redactor)
    except Exception:  # of a mapping that does not let itself be read; its text is shown as any object's is
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
    """A mapping's first items by names; the rest is counted."""
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
    for name in ("exc_info", "exception"):
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
    for name in ("stack", "stack_info"):
        found = fields.get(name)
        if isinstance(found, str) and not copy.stack_info:
            copy.stack_info = fields.pop(name)
        elif isinstance(found, bool):
            del fields[name]


def _leave_out_doubles(copy: logging.LogRecord, fields: dict[str, Any]) -> None:
    """Leave out what the record says itself: structlog adds level and logger, loguru the level."""
    level = fields.get("level")
    if isinstance(level, str) and level.lower() == copy.levelname.lower():
        del fields["level"]
    if fields.get("logger") == copy.name:
        del fields["logger"]
    for name in ("_record", "_from_structlog"):
        fields.pop(name, None)
