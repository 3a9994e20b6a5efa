"""The sink: sees every record that any logger accepts, and gives it once to the files and to each listener.

Fed by `logging.Logger.callHandlers`, which it wraps; feeds `logs.files` and the listeners (`distro` sends records over
OTLP). No handler stands on any logger, so `basicConfig`, `dictConfig`, `propagate=False`, Flask's default handler and
`lastResort` do what they do without us, and the console prints the same lines.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from opentelemetry.trace import SpanContext

from .. import _guard
from .._fork import at_fork
from .._patching import Patches
from ..config import Settings
from .fields import line_of
from .files import MAKING, LogFiles
from .json_lines import encode
from .records import rename_refused
from .redaction import policy

Listener = Callable[[logging.LogRecord], None]


class Entry(NamedTuple):
    """An event, read once. `fields` are those of its line, redacted; None if `record` could not be read."""

    logger: str
    created: float
    """Unix seconds."""
    level: int
    fields: dict[str, Any] | None
    span: SpanContext | None = None
    """The span to which it belongs; None: the current one."""
    record: logging.LogRecord | None = None
    """The record that `logging` made of the event; None if it made none."""
    extras: dict[str, Any] | None = None
    """Those of the fields that are not `semconv.logs.FIELDS`, where the event's maker knows them."""


Taker = Callable[[Entry], None]

_DEEPEST: Final = 3
_depth: Final[ContextVar[int]] = ContextVar("otel_chatbot_log_depth", default=0)
_accepting: Final[ContextVar[logging.LogRecord | None]] = ContextVar("otel_chatbot_log_accepting", default=None)
"""The record whose handlers are being called. It is not taken twice if other tools call our method twice."""
_patches: Final = Patches()


class Sink:
    """What happens to the records of this process: lowest level kept, files, listeners.

    If `replaces_request_lines` is set, access records take the place of the servers' own request lines, which are left out.
    """

    def __init__(self) -> None:
        self.on = False
        self.level = logging.INFO
        self.files: LogFiles | None = None
        self.listeners: tuple[Listener, ...] = ()
        self.takers: tuple[Taker, ...] = ()
        self.replaces_request_lines = False
        self.on_dropped: Callable[[str, int], None] | None = None

    def accept(self, record: logging.LogRecord) -> None:
        """Take a record; never raises into the application."""
        if record.levelno < self.level or not self.on:
            return
        depth = _depth.get()
        if depth >= _DEEPEST:  # formatting a record made a record, which made one, ...
            return
        token = _depth.set(depth + 1)
        try:
            if self.replaces_request_lines and _is_request_line(record):
                return
            fields = None if self.files is None else self.files.write(record)
            for listener in self.listeners:
                listener(record)
            if self.takers:
                fields = fields or line_of(record, policy())[1]
                entry = Entry(record.name, record.created, record.levelno, fields, None, record)
                for taker in self.takers:
                    taker(entry)
        except Exception as error:
            _guard.report("logs.sink", error)
        finally:
            _depth.reset(token)

    def is_all(self, logger: logging.Logger) -> bool:
        """Whether only the sink would see a record of this logger: no listener, handler, filter, wrapper or record factory.

        Then no record has to be made.
        """
        for handler in logger.handlers:
            if type(handler) is not logging.NullHandler:
                return False
        kind = logging.Logger
        return (
            self.on
            and not self.listeners
            and (self.files is None or self.files.json_output)
            and kind.callHandlers is _Plain.callHandlers
            and kind.makeRecord is _Plain.makeRecord
            and type(logger) is kind
            and not logger.filters
            and not logger.propagate
            and _Plain.makes(logging.getLogRecordFactory())
        )

    def take(self, entry: Entry) -> None:
        """Take an event for which no record was made; never raises into the application."""
        depth = _depth.get()
        if depth >= _DEEPEST or entry.fields is None:
            return
        token = _depth.set(depth + 1)
        try:
            if self.files is not None:
                self.files.write_line(encode(entry.fields), entry.level)
            for taker in self.takers:
                taker(entry)
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
        """Report lines that could not be written, so that they are counted."""
        if self.on_dropped is not None:
            self.on_dropped(reason, lines)

    def after_fork(self) -> None:
        """In a forked child: renew what it must not share with its parent."""
        if self.files is not None:
            self.files = self.files.renewed()


SINK: Final = Sink()


def add_listener(listener: Listener) -> None:
    """Give records at or above the level to `listener`, on the logging thread, in its context. A second call is ignored."""
    if listener not in SINK.listeners:
        SINK.listeners = (*SINK.listeners, listener)


def add_taker(taker: Taker) -> None:
    """Give every event at or above the level to `taker`, on the thread that logs. A second call changes nothing."""
    if taker not in SINK.takers:
        SINK.takers = (*SINK.takers, taker)


def remove_listener(listener: Listener) -> None:
    """Stop giving records to a listener."""
    SINK.listeners = tuple(each for each in SINK.listeners if each != listener)


def installed() -> bool:
    """Whether the sink sees the records of this process."""
    return SINK.on and _patches.holds(logging.Logger, "callHandlers")


def install(settings: Settings) -> None:
    """Let the sink see every record, and write the files unless LOG_FILES is off; a second call changes nothing.

    If other tools replaced logging's methods, before or after this call, their replacements stay and keep working.
    """
    if not SINK.on:
        SINK.use(LogFiles(settings.log_dir) if settings.log_files else None, logging.getLevelName(settings.log_level))
        SINK.on = True
    for name, make in (("callHandlers", _feeding), ("makeRecord", _forgiving)):
        before = vars(logging.Logger)[name]
        _patches.wrap(logging.Logger, name, make)
        if before in _LOGGINGS:
            setattr(_Plain, name, vars(logging.Logger)[name])


def uninstall() -> None:
    """Take the sink out again and close the files; listeners stay."""
    SINK.on = False
    _patches.restore()
    SINK.use(None, SINK.level)


_LOGGINGS: Final = tuple(
    method
    for method in (logging.Logger.callHandlers, logging.Logger.makeRecord)
    if method.__code__.co_filename == logging.Logger.handle.__code__.co_filename
)
"""Logging's own methods, if nobody had replaced them before."""


class _Plain:
    """What makes and passes on records as logging does: our methods, where they wrap logging's own and not another tool's."""

    callHandlers: Any = None  # noqa: N815 - logging's names
    makeRecord: Any = None  # noqa: N815
    factory: Any = logging.LogRecord

    @classmethod
    def makes(cls, factory: Any) -> bool:
        """Whether a record factory adds nothing that anybody would see."""
        if factory is cls.factory or factory is logging.LogRecord:
            return True
        # OpenTelemetry's instrumentation of logging puts a factory of its own around the one before, in every process that
        # `opentelemetry-instrument` starts. It adds the ids of the span, which our lines have, and calls the app's hook.
        # https://github.com/open-telemetry/opentelemetry-python-contrib/tree/main/instrumentation/opentelemetry-instrumentation-logging
        theirs: Any = getattr(sys.modules.get("opentelemetry.instrumentation.logging"), "LoggingInstrumentor", None)
        if (
            theirs is None
            or theirs._old_factory is not logging.LogRecord
            or theirs._log_hook is not None
            or getattr(factory, "__code__", None) not in theirs._instrument.__code__.co_consts
        ):
            return False
        cls.factory = factory
        return True


def _feeding(call_handlers: Callable[..., None]) -> Callable[..., None]:
    def callHandlers(self: logging.Logger, record: logging.LogRecord) -> None:  # noqa: N802, logging's name
        if _accepting.get() is record:
            call_handlers(self, record)
            return
        token = _accepting.set(record)
        try:
            SINK.accept(record)
            call_handlers(self, record)
        finally:
            _accepting.reset(token)

    # logging leaves frames of its own file out of what it shows of the caller (Handler.handleError's "Call stack");
    # this frame stands between two of them and has to be left out too, or the console would print an extra line.
    callHandlers.__code__ = callHandlers.__code__.replace(co_filename=logging.Logger.handle.__code__.co_filename)
    return callHandlers


def _forgiving(make_record: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    def makeRecord(self: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: N802, logging's name
        """Make a record as logging does; an extra named like an attribute of records is renamed where logging raises."""
        try:
            return make_record(self, *args, **kwargs)
        except KeyError:
            extra = kwargs.get("extra", args[8] if len(args) > 8 else None)
            if not isinstance(extra, dict):
                raise
            renamed = rename_refused(extra)
            if len(args) > 8:
                return make_record(self, *args[:8], renamed, *args[9:], **kwargs)
            return make_record(self, *args, **{**kwargs, "extra": renamed})

    return makeRecord


def _is_request_line(record: logging.LogRecord) -> bool:
    """Whether a record is a server's own line for a request (werkzeug.serving.WSGIRequestHandler.log_request)."""
    if record.name == "werkzeug":
        return isinstance(record.msg, str) and record.msg.endswith('] "%s" %s %s')
    return record.name == "gunicorn.access"


at_fork(__name__, before=MAKING.acquire, in_parent=MAKING.release, in_child=MAKING.release)
at_fork(__name__, in_child=SINK.after_fork)
