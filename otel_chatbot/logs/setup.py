"""Logging set up by the application's own call: level and console on the root logger, files through the sink.

Fed by the application (`setup_logger`, `ChatbotLogger`, `get_logger`); feeds the sink. Without `setup_logger` no logger's
handlers are touched.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import Final

from .. import config
from .._wiring import ensure_configured
from ..semconv import logs as names
from . import sink
from .console import ConsoleHandler, show, show_no_more
from .files import MIB, LogFiles


class _Unset(str):
    """A default that differs from an equal explicit argument. The order is: explicit argument, environment, default."""

    __slots__ = ()


_LOG_DIR: Final = _Unset("logs")
_LOG_LEVEL: Final = _Unset("INFO")


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
    ) -> logging.Logger:
        """Write all loggers' records to rotated files in `log_dir` and show them on the console; return the logger "chatbot".

        A second call changes nothing. The files are `chatbot.json.log` and `chatbot.error.log`; with `json_output=False`
        there is one, `chatbot.log`. A missing argument comes from the environment (LOG_DIR, LOG_LEVEL), else its default.
        """
        ensure_configured()
        settings = config.current()
        sink.install(settings)
        logger = logging.getLogger(names.LOGGER)
        with cls._lock:
            if cls._done:
                return logger
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
        return logger

    @classmethod
    def _set_level(cls, level: int) -> None:
        for name in cls._levelled:  # get_logger set these levels before; from now on the root's level applies
            logging.getLogger(name).setLevel(logging.NOTSET)
        cls._levelled.clear()
        show_no_more()
        logging.getLogger().setLevel(level)

    @classmethod
    def get_logger(cls, name: str) -> logging.Logger:
        """A logger whose records at or above LOG_LEVEL are kept, and shown on the console if nothing else shows them.

        Neither this logger nor the root gets a handler, so a handler that the application adds later shows each record once.
        """
        ensure_configured()
        settings = config.current()
        sink.install(settings)
        logger = logging.getLogger(name)
        level = _level(settings.log_level)
        if not cls._done and logger.level == logging.NOTSET and logger.getEffectiveLevel() > level:
            logger.setLevel(level)
            cls._levelled.add(logger.name)
        if not cls._done:
            show(logger.name, settings.production)
        return logger


setup_logger = ChatbotLogger.setup
"""Set logging up and return the logger "chatbot"; see `ChatbotLogger.setup`."""


def get_logger(name: str = names.LOGGER) -> logging.Logger:
    """A logger whose records at or above LOG_LEVEL are kept and shown; see `ChatbotLogger.get_logger`."""
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
