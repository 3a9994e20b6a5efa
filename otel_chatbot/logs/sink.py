"""The sink: sees every record that any logger accepts, and gives it to the files and to whoever listens, once.

Fed by `logging.Logger.callHandlers`, which it wraps; feeds `logs.files` and the listeners (`distro` sends records over
OTLP). No handler stands on any logger, so `basicConfig`, `dictConfig`, `propagate=False`, Flask's default handler and
`lastResort` do what they do without us, and the console prints the same lines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from .. import _guard
from .._fork import at_fork
from ..config import Settings
from .files import MAKING, LogFiles
from .records import rename_refused

Listener = Callable[[logging.LogRecord], None]

_DEEPEST: Final = 3
_depth: Final[ContextVar[int]] = ContextVar("otel_chatbot_log_depth", default=0)
_call_handlers: Final = logging.Logger.callHandlers
_make_record: Final[Callable[..., logging.LogRecord]] = logging.Logger.makeRecord


class Sink:
    """What happens to the records of this process: lowest level kept, files, listeners.

    `replaces_request_lines` says that access records stand for the servers' own request lines, which are then left out.
    """

    def __init__(self) -> None:
        self.level = logging.INFO
        self.files: LogFiles | None = None
        self.listeners: tuple[Listener, ...] = ()
        self.replaces_request_lines = False
        self.on_dropped: Callable[[str, int], None] | None = None

    def accept(self, record: logging.LogRecord) -> None:
        """Take a record; never raises into the application."""
        if record.levelno < self.level:
            return
        depth = _depth.get()
        if depth >= _DEEPEST:  # formatting a record made a record, which made one, ...
            return
        token = _depth.set(depth + 1)
        try:
            if self.replaces_request_lines and _is_request_line(record):
                return
            if self.files is not None:
                self.files.write(record)
            for listener in self.listeners:
                listener(record)
        except Exception as error:
            _guard.report("logs.sink", error)
        finally:
            _depth.reset(token)

    def use(self, files: LogFiles | None, level: int) -> None:
        """Write to these files from now on, records of this level and above."""
        before, self.files, self.level = self.files, files, level
        if files is not None:
            files.on_dropped = self.dropped
        if before is not None:
            before.close()

    def dropped(self, reason: str, lines: int) -> None:
        """Pass on what could not be written, to whoever counts it."""
        if self.on_dropped is not None:
            self.on_dropped(reason, lines)

    def after_fork(self) -> None:
        """Make anew in a forked child what it must not share with its parent."""
        if self.files is not None:
            self.files = self.files.renewed()


SINK: Final = Sink()


def add_listener(listener: Listener) -> None:
    """Give every record at or above the level to `listener`, on the thread that logs, inside its context; twice is once."""
    if listener not in SINK.listeners:
        SINK.listeners = (*SINK.listeners, listener)


def remove_listener(listener: Listener) -> None:
    """Stop giving records to a listener."""
    SINK.listeners = tuple(each for each in SINK.listeners if each != listener)


def installed() -> bool:
    """Whether the sink sees the records of this process."""
    return logging.Logger.callHandlers is _feeding_call_handlers


def install(settings: Settings) -> None:
    """Let the sink see every record, and write the files unless LOG_FILES is off; a second call changes nothing."""
    if installed():
        return
    files = LogFiles(settings.log_dir) if settings.log_files else None
    SINK.use(files, logging.getLevelName(settings.log_level))
    logging.Logger.callHandlers = _feeding_call_handlers  # type: ignore[method-assign]
    logging.Logger.makeRecord = _forgiving_make_record  # type: ignore[method-assign]


def uninstall() -> None:
    """Take the sink out again and close the files; listeners stay."""
    if installed():
        logging.Logger.callHandlers = _call_handlers  # type: ignore[method-assign]
        logging.Logger.makeRecord = _make_record  # type: ignore[method-assign]
    SINK.use(None, SINK.level)


def _feeding_call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
    SINK.accept(record)
    _call_handlers(self, record)


# logging leaves frames of its own file out of what it shows of the caller (Handler.handleError's "Call stack");
# this frame stands between two of them and has to be left out too, or the console would print a line more.
_feeding_call_handlers.__code__ = _feeding_call_handlers.__code__.replace(co_filename=_call_handlers.__code__.co_filename)


def _forgiving_make_record(self: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:
    """Make a record as logging does; an extra named like an attribute of records is renamed where logging raises."""
    try:
        return _make_record(self, *args, **kwargs)
    except KeyError:
        extra = kwargs.get("extra", args[8] if len(args) > 8 else None)
        if not isinstance(extra, dict):
            raise
        renamed = rename_refused(extra)
        if len(args) > 8:
            return _make_record(self, *args[:8], renamed, *args[9:], **kwargs)
        return _make_record(self, *args, **{**kwargs, "extra": renamed})


def _is_request_line(record: logging.LogRecord) -> bool:
    """Whether a record is a server's own line for a request (werkzeug.serving.WSGIRequestHandler.log_request)."""
    if record.name == "werkzeug":
        return isinstance(record.msg, str) and record.msg.endswith('] "%s" %s %s')
    return record.name == "gunicorn.access"


at_fork(__name__, before=MAKING.acquire, in_parent=MAKING.release, in_child=MAKING.release)
at_fork(__name__, in_child=SINK.after_fork)
