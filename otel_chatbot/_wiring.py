"""The questions that a room asks of one above it, each with the function that answers it: the only calls that go upwards.

A lower room cannot import a higher one, so it asks here. While the answering module is not imported, the answer is None;
`SET_UP` alone imports it. Nothing has to be wired at import or at start, so every way into the package has the same wires.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from ._guard import report

_Answer = TypeVar("_Answer")


class Question(Generic[_Answer]):
    """A question and who answers it: `function` of `module` in this package; `imports` imports it first."""

    def __init__(self, module: str, function: str, *, imports: bool = False) -> None:
        self.module = f"{__package__}.{module}"
        self.function = function
        self.imports = imports
        self._found: Callable[..., _Answer] | None = None

    def __call__(self, *about: Any) -> _Answer | None:
        """The answer; None while nobody can give one."""
        function = self._found
        if function is None:
            if self.imports:
                importlib.import_module(self.module)
            elif self.module not in sys.modules:
                return None
            # A module that another thread is importing just now may not have the function yet.
            function = self._found = getattr(sys.modules[self.module], self.function, None)
        return None if function is None else function(*about)


CONVERSATION: Final = Question[str | None]("instrumentation.common.chat_turn", "conversation_id")
"""Log records ask for the id of the running request's conversation."""
NAMED_CONVERSATION: Final = Question[str | None]("instrumentation.active.gauges", "named_conversation")
"""A chat turn asks for the conversation that the running request names; Flask's instrumentation knows the request."""
END_ABANDONED_CALLS: Final = Question[None]("instrumentation.genai.call", "end_abandoned")
"""A request that ends asks that the model calls which it threw away unread end before it."""
LEAVE_ENDED_CALLS: Final = Question[object]("instrumentation.genai.call", "current")
"""A request that begins asks that the blocks of model calls which ended in another thread are left here."""
UNREAD_DOCUMENTS: Final = Question[None]("instrumentation.mongodb.unrecognised", "keep")
"""A chat turn tells of documents that it wrote and nobody recognised as messages: collections and names of fields."""
APP: Final = Question["dict[str, object]"]("distro.state", "app_attributes")
"""`/metrics` asks who the app is: its resource's attributes by OpenTelemetry name."""
LIGHT_SPANS: Final = Question[Any]("distro.providers.light_maker", "maker")
"""The hooks that make spans ask for somebody who makes lighter ones than a tracer does."""
EMPTY_FIGURES: Final = Question["list[dict[str, str]]"]("instrumentation.empty.figures", "empty_figures")
"""`/health/detailed` asks which figures are empty although there was traffic, and why."""
SET_UP: Final = Question[None]("distro", "configure", imports=True)
"""The first count, log, blueprint or check asks for the set-up."""

QUESTIONS: Final[tuple[Question[Any], ...]] = (
    CONVERSATION,
    NAMED_CONVERSATION,
    END_ABANDONED_CALLS,
    LEAVE_ENDED_CALLS,
    UNREAD_DOCUMENTS,
    APP,
    LIGHT_SPANS,
    EMPTY_FIGURES,
    SET_UP,
)
"""All of them."""


class Configured:
    """Whether the package has been set up at first use, so that no call needs to ask for it any more."""

    done = False


def ensure_configured() -> None:
    """Set the package up unless that has happened; importing it never does. A fault in it is reported, never raised."""
    if not Configured.done:
        try:
            SET_UP()
        except Exception as error:
            report("set-up", error)
        Configured.done = True  # not before: a second thread must wait inside of the set-up
