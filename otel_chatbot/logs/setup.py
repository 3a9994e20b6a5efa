"""Logging set up by the application's own call: level and console on the root logger, files through the sink.

Fed by the application (`setup_logger`, `ChatbotLogger`, `get_logger`); feeds the sink. Without such a call no logger's
handlers are touched.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from .. import config
from .._wiring import ensure_configured
from ..semconv import logs as names
from . import sink
from .files import MIB, LogFiles
from .formatters import ColoredFormatter, JsonFormatter, wants_color


class _Unset(str):
    """A default that an explicit equal argument can be told from: explicit argument, environment, default, in this order."""

    __slots__ = ()


_LOG_DIR: Final = _Unset("logs")
_LOG_LEVEL: Final = _Unset("INFO")


if TYPE_CHECKING:
    _Stream = logging.StreamHandler[Any]
else:  # subscriptable from Python 3.11 on
    _Stream = logging.StreamHandler


class ConsoleHandler(_Stream):
    """Writes to what `sys.stderr` is at the time: JSON lines in production, coloured text in development."""

    def __init__(self, production: bool) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(JsonFormatter() if production else ColoredFormatter(color=wants_color(sys.stderr)))

    @property
    def stream(self) -> Any:
        """The console."""
        return sys.stderr


class ChatbotLogger:
    """Sets logging up for the application, once."""

    _lock = threading.Lock()
    _done = False
    _levelled: set[str] = set()  # noqa: RUF012

    @classmethod
    def setup(
        cls,
        log_dir: str = _LOG_DIR,
        log_level: str = _LOG_LEVEL,
        json_output: bool = True,
        console_output: bool = True,
        max_bytes: int = 10 * MIB,
        backup_count: int = 5,
    ) -> None:
        """Write records of every logger to rotated files in `log_dir` and show them on the console; a second call does nothing.

        The files are `chatbot.json.log` and `chatbot.error.log`, or `chatbot.log` with `json_output=False`.
        An argument that is not given is taken from the environment (LOG_DIR, LOG_LEVEL) before its default.
        """
        ensure_configured()
        settings = config.current()
        sink.install(settings)
        with cls._lock:
            if cls._done:
                return
            cls._done = True
        folder = settings.log_dir if log_dir is _LOG_DIR else log_dir
        level = _level(settings.log_level if log_level is _LOG_LEVEL else log_level)
        files = None
        if settings.log_files:
            files = LogFiles(str(folder), json_output=json_output, max_bytes=max_bytes, backup_count=backup_count)
        sink.SINK.use(files, level)
        cls._set_level(level)
        if console_output and not _has_console():
            logging.getLogger().addHandler(ConsoleHandler(settings.production))
        elif not console_output:
            # Without any handler, logging's last resort would print warnings after all.
            logging.getLogger().addHandler(logging.NullHandler())

    @classmethod
    def _set_level(cls, level: int) -> None:
        for name in cls._levelled:  # levels that get_logger gave before; from here on the root's holds
            logging.getLogger(name).setLevel(logging.NOTSET)
        cls._levelled.clear()
        logging.getLogger().setLevel(level)

    @classmethod
    def get_logger(cls, name: str) -> logging.Logger:
        """A logger whose records at or above LOG_LEVEL are kept; creates no file."""
        ensure_configured()
        settings = config.current()
        sink.install(settings)
        logger = logging.getLogger(name)
        level = _level(settings.log_level)
        if not cls._done and logger.level == logging.NOTSET and logger.getEffectiveLevel() > level:
            logger.setLevel(level)
            cls._levelled.add(logger.name)
        return logger


def setup_logger(
    log_dir: str = _LOG_DIR,
    log_level: str = _LOG_LEVEL,
    json_output: bool = True,
    console_output: bool = True,
    max_bytes: int = 10 * MIB,
    backup_count: int = 5,
) -> None:
    """Set logging up; see `ChatbotLogger.setup`."""
    ChatbotLogger.setup(log_dir, log_level, json_output, console_output, max_bytes, backup_count)


def get_logger(name: str = names.LOGGER) -> logging.Logger:
    """A logger whose records at or above LOG_LEVEL are kept; creates no file."""
    return ChatbotLogger.get_logger(name)


def _level(level: str | int) -> int:
    """A level by name or number; an unknown one is INFO, and one line says so."""
    found = level if isinstance(level, int) else logging.getLevelName(str(level).strip().upper())
    if isinstance(found, int):
        return found
    logging.getLogger(names.PACKAGE_LOGGER).warning("log level %r is not known; using INFO", level)
    return logging.INFO


def _has_console() -> bool:
    """Whether the application put a console on the root logger itself: a second one would print every line twice."""
    consoles = (sys.stderr, sys.stdout, sys.__stderr__, sys.__stdout__)
    return any(getattr(handler, "stream", None) in consoles for handler in logging.getLogger().handlers)
