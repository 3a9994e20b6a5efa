"""The chat turn of a request: its time by phase, its cost, and its conversation.

Fed by the instrumentations of MongoDB (reads), Redis and cachelib (operations) and AI clients (calls), and by Flask, which
knows the request; feeds `chatbot.turn.time`, the request's span, the spans of AI calls and, through `logs`, log records; and
`told_messages`, with turns that models have answered.

A request is a turn if it asked a model, or if its answer came from the cache: the application said so, or there was a cache
hit and a message of the assistant was stored.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import SpanContext

from ... import _wiring
from ...metrics import deduplication
from ...metrics.store import STORE, HistogramSeries
from ...quality.signals import figures as signals
from ...quality.signals.figures import Course
from ...semconv import attributes as a
from ...semconv import metrics as m
from . import savings, seen, told_messages
from .savings import Model, WantedModel

READS: Final = frozenset({"find", "aggregate", "getMore", "count", "distinct"})
"""MongoDB's commands that read: before a model is asked, they fetch the history."""


class ModelAnswer:
    """What a user may rate: the span and the model of a call, and the answer's id as soon as it is known."""

    __slots__ = ("context", "model", "response_id")

    def __init__(self, context: SpanContext | None, model: str) -> None:
        self.context = context
        self.model = model
        self.response_id = ""


class ChatTurn:
    """The data of one request so far; times in seconds."""

    __slots__ = (
        "answer", "answered", "calls", "conversation", "cost", "course", "made", "model", "named", "phases", "questions", "replies",
        "stores", "told", "unread", "well",
    )  # fmt: skip

    def __init__(self) -> None:
        self.phases: dict[a.Phase, float] = {}
        self.calls = 0
        self.answer: ModelAnswer | None = None
        """The answer of the call that began last, which may still be under way."""
        self.answered = False
        """Whether the application said that its answer came from its cache."""
        self.replies = 0
        """The number of chat calls whose answers were complete and without an error."""
        self.questions = 0
        """The number of these calls that sent a user's message, and not a tool's result."""
        self.stores = False
        """Whether the request stores messages, or has tried to."""
        self.told: dict[str, float] = {}
        """Messages that were counted because a model had answered, less those that were stored later; by metric."""
        self.well: bool | None = None
        """Whether the request ended below 400; None while it runs."""
        self.model: Model | None = None
        """The model that was last asked for an answer."""
        self.cost: Decimal | None = None
        """US dollars of the calls whose price is known."""
        self.course: Course | None = None
        """What the turn's answer tells of its quality, where a model was asked for one."""
        self.conversation: str | None = None
        """The conversation that the request has written to."""
        self.named: str | None = None
        """The conversation that the request itself names."""
        self.made: str | None = None
        """The id of a conversation that the request began, as the database's driver or server chose it."""
        self.unread: dict[str, tuple[str, ...]] = {}
        """Collections with new documents that were not recognised as messages, and the fields of the last such document."""

    def spent(self, phase: a.Phase, seconds: float) -> None:
        """Add to the time of a phase."""
        phases = self.phases
        phases[phase] = phases[phase] + seconds if phase in phases else seconds


def running(scope: deduplication.Scope | None = None) -> ChatTurn | None:
    """The turn of the running request, which has this scope; None outside of a request."""
    scope = scope or deduplication.current()
    if not scope.ends:
        return None
    turn = scope.turn
    if turn is None:
        turn = scope.turn = ChatTurn()
    return turn  # type: ignore[return-value]


def spent(phase: a.Phase, seconds: float, scope: deduplication.Scope | None = None) -> None:
    """Add to the time of a phase of the running request, if there is one. Reads from MongoDB after a model call are no history."""
    turn = running(scope)
    if turn is not None and (phase is not a.Phase.HISTORY or not turn.calls):
        turn.spent(phase, seconds)


def met(conversation: object) -> None:
    """Note that the running request has written to this conversation; only the first known one counts."""
    turn = running()
    if turn is not None and turn.conversation is None and conversation is not None:
        turn.conversation = str(conversation)


def began(conversation: object) -> None:
    """Note that the running request has begun a conversation with this id. An id that the app uses for it wins."""
    turn = running()
    if turn is not None and turn.made is None and conversation is not None:
        turn.made = str(conversation)


def conversation_id() -> str | None:
    """The conversation of the running request, as soon as it can be known."""
    turn = running()
    if turn is None:
        return None
    if turn.conversation is not None:
        return turn.conversation
    if turn.named is None:
        turn.named = _wiring.NAMED_CONVERSATION()
    return turn.named or turn.made


def answer_to_rate() -> tuple[SpanContext, str, str] | None:
    """The answer of the running request: its span, its model, its response's id. None outside of a request.

    It is the model's call that began last. Where no model was asked, it is the request itself, as for answers from a cache.
    """
    scope = deduplication.current()
    turn = running(scope)
    if turn is None:
        return None
    answer = turn.answer
    if answer is not None and answer.context is not None:
        return answer.context, answer.model, answer.response_id
    span = scope.span or trace.get_current_span()
    return span.get_span_context(), answer.model if answer else "", answer.response_id if answer else ""


def is_chat(scope: deduplication.Scope) -> bool:
    """Whether a running request has an answer of a chat to rate: it has asked a model, or taken an answer from its cache.

    An answer that is streamed from the cache is stored at its end, so what the user said is enough here.
    """
    turn = scope.turn
    if not isinstance(turn, ChatTurn):
        return m.CACHE_HITS.name in scope.tallies and _from_cache(scope)
    if turn.answer is not None or turn.answered:
        return True
    hits = scope.tallies.get(m.CACHE_HITS.name)
    return bool(hits and (hits.auto or hits.hand)) and (turn.stores or _from_cache(scope))


def replied(turn: ChatTurn, *, to_a_question: bool) -> None:
    """Note that a model has answered well in a turn. The turn may be over: a thread went on, or another request reads it."""
    turn.replies += 1
    turn.questions += to_a_question
    if turn.well is not None and turn.replies == 1:
        told_messages.tell(deduplication.current(), turn, 1)


def stores() -> None:
    """Note that the running request stores recognised messages."""
    turn = running()
    if turn is not None:
        turn.stores = True


def writes(conversation: object, says: Callable[[], bool]) -> None:
    """The running request writes: note the conversation, if known (see `met`), and messages, if it `says` any (`stores`)."""
    turn = running()
    if turn is not None:
        if turn.conversation is None and conversation is not None:
            turn.conversation = str(conversation)
        if not turn.stores and says():
            turn.stores = True


def written_conversation(scope: deduplication.Scope) -> str | None:
    """The conversation that a request has written to; None if no known one."""
    turn = scope.turn
    return turn.conversation if isinstance(turn, ChatTurn) else None


def begun_conversation(scope: deduplication.Scope) -> str | None:
    """The conversation that a request has begun, by the id that the database gave it."""
    turn = scope.turn
    return turn.made if isinstance(turn, ChatTurn) else None


def finish(
    scope: deduplication.Scope,
    seconds: float | None,
    context: SpanContext,
    attributes: dict[str, Any],
    route: str | None = None,
    model: str | None = None,
    *,
    well: bool = True,
) -> None:
    """The request has ended after so many seconds: if it was a turn, measure it; add to the attributes of its span.

    `model` is the one that the request names, if any; `well`: its status was below 400. Without `seconds`, it was not a
    request but a connection, in which there may have been several turns.
    """
    _wiring.END_ABANDONED_CALLS()
    turn = scope.turn
    from_cache = m.CACHE_HITS.name in scope.tallies and _from_cache(scope)
    if turn is None and from_cache:  # all of it was counted by hand
        turn = ChatTurn()
    if not isinstance(turn, ChatTurn):
        return
    if route is not None:
        _save(turn, WantedModel(route, model), from_cache=from_cache)
    conversation = turn.conversation or turn.named or turn.made
    if conversation is not None:
        attributes.setdefault(a.GEN_AI_CONVERSATION_ID, conversation)
    if turn.cost is not None:
        attributes[a.COST] = float(turn.cost)
    is_turn = turn.calls or turn.answered or from_cache
    if turn.unread and (is_turn or (route is not None and seen.speaks_of_chat(route))) and not _stored(scope):
        _wiring.UNREAD_DOCUMENTS(turn.unread)
    turn.well = well
    if turn.replies:
        told_messages.tell(scope, turn, turn.questions if seconds is None else 1)
    _judge(turn, seconds, attributes.get(a.GEN_AI_CONVERSATION_ID), well=well, is_turn=bool(is_turn))
    if seconds is None or not is_turn:
        return
    turn.phases[a.Phase.TOTAL] = seconds
    for phase, spent_seconds in turn.phases.items():
        name, series = _times(phase)
        attributes[name] = spent_seconds
        series.observe(spent_seconds, context)


def _judge(turn: ChatTurn, seconds: float | None, conversation: str | None, *, well: bool, is_turn: bool) -> None:
    """Have the signals counted that the turn's answer gives."""
    if turn.course is not None:
        signals.ended(turn.course, conversation, seconds, well=well)
    elif is_turn and not turn.calls and conversation is not None:
        signals.touched(conversation)


@functools.lru_cache(maxsize=len(a.Phase))
def _times(phase: a.Phase) -> tuple[str, HistogramSeries]:
    """The attribute and the series for the time of a phase."""
    return a.PHASE_SECONDS[phase], STORE.histogram(m.TURN_TIME).bind({a.PHASE: phase.value})


def _save(turn: ChatTurn, wish: WantedModel, *, from_cache: bool) -> None:
    """Remember which model such requests ask. If the cache answered, count the saved cost, unless the application does."""
    if turn.model is not None:
        savings.asked(wish, turn.model)
    elif from_cache and not turn.answered:
        savings.count(wish)


def _from_cache(scope: deduplication.Scope) -> bool:
    hits, received = scope.tallies.get(m.CACHE_HITS.name), scope.tallies.get(m.MESSAGES_RECEIVED.name)
    return bool(hits and received and (hits.auto or hits.hand) and (received.auto or received.hand))


def _stored(scope: deduplication.Scope) -> bool:
    """Whether a message was recognised, or counted by hand."""
    tallies = (scope.tallies.get(spec.name) for spec in (m.MESSAGES_SENT, m.MESSAGES_RECEIVED))
    return any(tally.auto or tally.hand for tally in tallies if tally is not None)
