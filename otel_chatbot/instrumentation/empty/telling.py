"""One line about empty figures, after the first requests that look like a chat.

Fed by `instrumentation.flask` with requests that have ended. The line goes to the log files and the log exporters, but not to
the console, which shows what it would show without us. Only one process of a run writes it. It is not written if no figure is
empty, if CHATBOT_OTEL_START_LINE is false, and in tests of applications.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import Final

from ... import config
from ..._guard import never_raise
from ...logs import sink
from ...metrics import deduplication
from ...metrics.shared.facts import FACTS
from ...semconv.logs import PACKAGE_LOGGER
from ..common import chat_turn, seen
from . import figures

AFTER: Final = 10
"""The line is written after so many requests that look like a chat."""

_logger = logging.getLogger(PACKAGE_LOGGER)


class LineState:
    """Counts requests until the line is due. `over`: this process has nothing more to do."""

    def __init__(self) -> None:
        self.over = False
        self._chats = 0

    @never_raise
    def ended(self, scope: deduplication.Scope, method: str, route: str | None) -> None:
        """A request has ended."""
        if method != "POST" or route is None:
            return
        turn = scope.turn
        asked = isinstance(turn, chat_turn.ChatTurn) and turn.calls
        if not (asked or seen.speaks_of_chat(route)):
            return
        self._chats += 1
        if self._chats >= AFTER:
            self.over = True
            if config.current().start_line != "false" and "pytest" not in sys.modules:
                # Reading all figures also asks Redis, so it must not hold up a request's thread.
                threading.Thread(target=tell, name="otel-chatbot-empty-figures", daemon=True).start()


@never_raise
def tell() -> None:
    """Write the line, unless another process of the run has written it, or no figure needs a remedy."""
    empty = [each for each in figures.empty_figures() if each["remedy"]]
    if empty and FACTS.first(seen.TOLD):
        parts = [f"{', '.join(names)}: {each['why']} ({each['remedy']})" for names, each in figures.grouped(empty)]
        line = f"after {AFTER} chat requests these figures are empty: {'; '.join(parts)}"
        sink.SINK.accept(_logger.makeRecord(_logger.name, logging.INFO, __file__, 0, line, (), None, "tell"))


TELLING: Final = LineState()
