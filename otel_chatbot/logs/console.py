"""The console: the handler that `setup_logger` puts on the root logger, and one for `get_logger` if there is no handler.

Fed by the application's records; feeds stderr.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from ..semconv import logs as names
from .formatters import ColoredFormatter, JsonFormatter, wants_color

if TYPE_CHECKING:
    _Stream = logging.StreamHandler[Any]
else:  # subscriptable from Python 3.11 on
    _Stream = logging.StreamHandler


class ConsoleHandler(_Stream):
    """Writes to the current `sys.stderr`: JSON lines in production, coloured text in development."""

    def __init__(self, production: bool) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(JsonFormatter() if production else ColoredFormatter(color=wants_color(sys.stderr)))

    @property
    def stream(self) -> Any:
        """The console."""
        return sys.stderr


class LastResort(ConsoleHandler):
    """Shows the records of the loggers that `get_logger` gave; all other records go where they went before.

    It takes the place of `logging.lastResort`, which logging uses if it finds no handler at all. So no logger has a handler of
    ours; `hasHandlers()`, `basicConfig` and Flask's default handler work as without us, and no record is shown twice.
    """

    def __init__(self, production: bool, before: logging.Handler) -> None:
        super().__init__(production)
        self.loggers: set[str] = set()
        self.before = before

    def handle(self, record: logging.LogRecord) -> bool:
        """Show a record of one of the loggers or of a child of one."""
        if self._is_ours(record.name):
            return bool(super().handle(record))
        return bool(self.before.handle(record)) if record.levelno >= self.before.level else False

    def _is_ours(self, name: str) -> bool:
        while name:
            if name in self.loggers:
                return True
            name = name.rpartition(".")[0]
        return False


def show(name: str, production: bool) -> None:
    """Show the records of this logger if nothing else shows them. If the application removed `lastResort`, it stays removed."""
    resort = logging.lastResort
    if resort is None or name == names.ACCESS_LOGGER:
        return
    if not isinstance(resort, LastResort):
        # The level stays 0: `callHandlers` compares the record's with it before it calls `handle`.
        resort = LastResort(production, resort)
        logging.lastResort = resort
    resort.loggers.add(name)


def show_no_more() -> None:
    """Logging is set up: give `lastResort` back its earlier value."""
    if isinstance(logging.lastResort, LastResort):
        logging.lastResort = logging.lastResort.before
