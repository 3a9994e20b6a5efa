"""The chat turn that a request is: where its time went, what it cost, which conversation it belongs to.

Fed by the instrumentations of MongoDB (reads), Redis and cachelib (operations) and AI clients (calls), and by Flask, which
knows the request; feeds `chatbot.turn.time`, the request's span, the spans of AI calls and, through `logs`, log records.

A turn is a request in which a model was asked, or in which an answer came from the cache: one with a cache hit that stored
a message of the assistant.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from opentelemetry.trace import SpanContext

from ...logs.conversation import Conversation
from ...metrics import deduplication, record
from ...semconv import attributes as a
from ...semconv import metrics as m

READS: Final = frozenset({"find", "aggregate", "getMore", "count", "distinct"})
"""MongoDB's commands that read: before a model is asked, they fetch the history."""


class Turn:
    """What is known of one request so far; times in seconds."""

    __slots__ = ("answered", "calls", "conversation", "cost", "named", "phases")

    def __init__(self) -> None:
        self.phases: dict[a.Phase, float] = {}
        self.calls = 0
        self.answered = False
        """Whether the application said that its answer came from its cache."""
        self.cost: Decimal | None = None
        """US dollars of the calls whose price is known."""
        self.conversation: str | None = None
        """The conversation that the request has written to."""
        self.named: str | None = None
        """The conversation that the request itself names."""

    def spent(self, phase: a.Phase, seconds: float) -> None:
        """Add to the time of a phase."""
        self.phases[phase] = self.phases.get(phase, 0.0) + seconds


class Look:
    """Where the conversation of the running request is looked for; Flask's instrumentation sets it."""

    conversation: Callable[[], str | None] | None = None


class Pending:
    """What AI calls may have left behind; `genai.call` sets how to deal with it."""

    end: Callable[[], None] | None = None
    """Ends the calls that were thrown away unread."""
    leave: Callable[[], object] | None = None
    """Leaves the blocks of calls that ended in another thread than the one that they began in."""


def running() -> Turn | None:
    """The turn of the running request; None outside of one."""
    scope = deduplication.current()
    if not scope.ends:
        return None
    turn = scope.turn
    if turn is None:
        turn = scope.turn = Turn()
    return turn  # type: ignore[return-value]


def spent(phase: a.Phase, seconds: float) -> None:
    """Add to the time of a phase of the running request, if there is one. What MongoDB reads after a call is no history."""
    turn = running()
    if turn is not None and (phase is not a.Phase.HISTORY or not turn.calls):
        turn.spent(phase, seconds)


def met(conversation: object) -> None:
    """The running request has written to this conversation; the first one that is known counts."""
    turn = running()
    if turn is not None and turn.conversation is None and conversation is not None:
        turn.conversation = str(conversation)


def conversation_id() -> str | None:
    """The conversation of the running request, as soon as it can be known."""
    turn = running()
    if turn is None:
        return None
    if turn.conversation is not None:
        return turn.conversation
    if turn.named is None and Look.conversation is not None:
        turn.named = Look.conversation()
    return turn.named


def written_conversation(scope: deduplication.Scope) -> str | None:
    """The conversation that a request has written to; None where it wrote to none that is known."""
    turn = scope.turn
    return turn.conversation if isinstance(turn, Turn) else None


def finish(scope: deduplication.Scope, seconds: float, context: SpanContext, attributes: dict[str, Any]) -> None:
    """The request has ended after so many seconds: measure its turn, if it was one, and add to its span's attributes."""
    if Pending.end is not None:
        Pending.end()
    turn = scope.turn
    if not isinstance(turn, Turn):
        return
    conversation = turn.conversation or turn.named
    if conversation is not None:
        attributes.setdefault(a.GEN_AI_CONVERSATION_ID, conversation)
    if turn.cost is not None:
        attributes[a.COST] = float(turn.cost)
    if not (turn.calls or turn.answered or _from_cache(scope)):
        return
    turn.phases[a.Phase.TOTAL] = seconds
    for phase, spent_seconds in turn.phases.items():
        attributes[a.PHASE_SECONDS[phase]] = spent_seconds
        record.observe(m.TURN_TIME, spent_seconds, {a.PHASE: phase.value}, context)


def _from_cache(scope: deduplication.Scope) -> bool:
    hits, received = scope.tallies.get(m.CACHE_HITS.name), scope.tallies.get(m.MESSAGES_RECEIVED.name)
    return bool(hits and received and (hits.auto or hits.hand) and (received.auto or received.hand))


Conversation.find = conversation_id
