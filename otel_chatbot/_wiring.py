"""The questions that a room asks of a higher room, each with the function that answers it: the only calls upwards.

A lower room cannot import a higher one, so it asks here. While the answering module is not imported, the answer is None;
only `SET_UP` imports it. Nothing has to be connected at import or at start, so it works for every way into the package.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from ._guard import report

_Answer = TypeVar("_Answer")


class Question(Generic[_Answer]):
    """A question. `function` of `module` in this package answers it; `imports` imports the module first."""

    def __init__(self, module: str, function: str, *, imports: bool = False) -> None:
        self.module = f"{__package__}.{module}"
        self.function = function
        self.imports = imports
        self._found: Callable[..., _Answer] | None = None

    def __call__(self, *about: Any) -> _Answer | None:
        """The answer; None while the answering module is not imported."""
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
NAMED_USER: Final = Question[str | None]("instrumentation.active.gauges", "named_user")
"""Feedback and budgets without a user ask for the one that the running request names."""
CALL_COST: Final = Question[None]("quality.budgets.spending", "spend")
"""A model call tells what it has cost: its model's names, its price where it is known, its tokens."""
ANSWER: Final = Question["tuple[Any, str, str] | None"]("instrumentation.common.chat_turn", "answer_to_rate")
"""An answer's id asks for the running request's answer: its span's context, its model, its response's id."""
END_ABANDONED_CALLS: Final = Question[None]("instrumentation.genai.call", "end_abandoned")
"""A request that ends asks for this: model calls whose streams were thrown away unread are ended."""
LEAVE_ENDED_CALLS: Final = Question[object]("instrumentation.genai.blocks", "current")
"""A request that begins asks for this: blocks of model calls that a generator left elsewhere are left here too."""
UNREAD_DOCUMENTS: Final = Question[None]("instrumentation.mongodb.unrecognised", "keep")
"""A chat turn reports documents that it wrote and that were not recognised as messages: collections and names of fields."""
APP: Final = Question["dict[str, object]"]("distro.state", "app_attributes")
"""`/metrics` asks for the app's identity: its resource's attributes by OpenTelemetry name."""
LIGHT_SPANS: Final = Question[Any]("distro.providers.light_maker", "maker")
"""The hooks that make spans ask for a maker of lighter spans than a tracer's."""
EMPTY_FIGURES: Final = Question["list[dict[str, str]]"]("instrumentation.empty.figures", "empty_figures")
"""`/health/detailed` asks which figures are empty although there was traffic, and why."""
SET_UP: Final = Question[None]("distro", "configure", imports=True)
"""The first count, log, blueprint or check asks for the set-up."""

QUESTIONS: Final[tuple[Question[Any], ...]] = (
    CONVERSATION,
    NAMED_CONVERSATION,
    NAMED_USER,
    CALL_COST,
    ANSWER,
    END_ABANDONED_CALLS,
    LEAVE_ENDED_CALLS,
    UNREAD_DOCUMENTS,
    APP,
    LIGHT_SPANS,
    EMPTY_FIGURES,
    SET_UP,
)
"""All questions."""


class Configured:
    """Whether the package has been set up at first use, so that no call needs to ask for it any more."""

    done = False


def ensure_configured() -> None:
    """Set the package up, if it is not; an import never does that. A fault in the set-up is reported, never raised."""
    if not Configured.done:
        try:
            SET_UP()
        except Exception as error:
            report("set-up", error)
        Configured.done = True  # not earlier: a second thread must wait inside of the set-up
