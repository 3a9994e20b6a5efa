"""One call of a model, from its request to the end of its answer: what is measured, counted and told of it, once.

Fed by `genai.wire_call` (what the transports see), `genai.boundaries` (the clients' outer calls) and `genai.completion` (calls
that the application tells of itself); feeds the metrics of AI calls, their span, and the request's turn. No figure comes from a
span: all figures are right when nothing is sampled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Final

from ... import _wiring
from ..._clock import perf_counter
from ..._guard import never_raise, report
from ...metrics import deduplication, record
from ...metrics.series import HistogramSeries, current_context
from ...semconv import attributes as a
from ...semconv import metrics as m
from ..common import chat_turn, savings, seen
from ..common.savings import Model
from . import blocks, cost, figures, signals
from . import spans as genai_spans
from .blocks import Block
from .cost import Usage
from .protocols.answer import Answer
from .protocols.protocol import ModelRequest, asks_of_a_user, characters
from .recognise import Place

BROKEN: Final = "InvalidAnswer"
"""The kind of failure of an answer that is not what its protocol says, where no client has said so by an exception."""

_abandoned: deque[Call] = deque()


class Call(Block):
    """A call of a model. Ends once: by `end`, whoever calls it first."""

    answer: Answer | None = None
    """What is read of the answer, where it is read: looked at when the call ends."""
    response_model: str | None = None
    usage: Usage | None = None
    failure: str | None = None
    """A failure that the answer itself tells of."""
    _chunks = _characters = 0
    _first_chunk = _last_chunk = 0.0
    _ended = False
    _rated: chat_turn.ModelAnswer | None = None
    """What the user may rate, in a request."""

    def __init__(
        self,
        provider: str,
        asked: ModelRequest,
        place: Place | None = None,
        started: float = 0.0,
        *,
        spans: bool = True,
    ) -> None:
        """Begin a call. `started`: on the clock `perf_counter`, if not now. `spans`: false where another tool makes its span."""
        if _abandoned:
            end_abandoned()
        if blocks.entered() is not None:
            blocks.current()  # so that nothing begins inside a block that has ended
        scope = deduplication.current()  # where no request runs, it is made here rather than in the copy below
        self.provider = provider
        self.asked = asked
        self.model = asked.model
        self.operation = asked.operation
        self._place = place
        self._asks = Model(provider, asked.model)
        self._turn = turn = chat_turn.running(scope)
        self.span = genai_spans.start(provider, asked, place) if spans else None
        if turn is not None:
            turn.calls += 1
            if self.operation is not a.GenAiOperation.EMBEDDINGS:
                turn.model = self._asks
                rated = genai_spans.theirs() if self.span is None else self.span.get_span_context()
                turn.answer = self._rated = chat_turn.ModelAnswer(rated, asked.model)
        self._context = copy_context()  # the request's scope, also where a stream ends outside of it
        self.started = started or perf_counter()

    @contextmanager
    def running(self) -> Iterator[None]:
        """A block in which the model is asked; an exception ends the call."""
        self.enter()
        try:
            yield
        except BaseException as error:
            self.end(error)
            raise
        finally:
            self.leave_block()

    @never_raise
    def chunk(self, characters: int) -> None:
        """A chunk of the answer with so many characters has arrived."""
        now = perf_counter()
        first, later = figures.chunks(self._kind())
        context = None if self.span is None else self.span.get_span_context()
        if self._chunks:
            later.observe(now - self._last_chunk, context)
        else:
            self._first_chunk = now
            first.observe(now - self.started, context)
        self._last_chunk = now
        self._chunks += 1
        self._characters += characters

    def end(self, error: BaseException | type[BaseException] | None = None) -> None:
        """The answer has ended: whole, with a failure, or abandoned; `error` is what ended it, or its class.

        What is not an `Exception` (GeneratorExit, a cancelled task) comes from the application, which has lost interest.
        """
        if self._ended:
            return
        self._ended = True
        if self.answer is not None:
            self._read(self.answer)
        if error is not None:
            kind = error if isinstance(error, type) else type(error)
            if issubclass(kind, Exception):
                self.failure = kind.__qualname__
        self._context.run(self._finish, perf_counter(), chat_turn.running(), error is not None and self.failure is None)

    def _read(self, answer: Answer) -> None:
        self.response_model = answer.model or self.response_model
        self.usage = answer.usage or self.usage
        if self._rated is not None:
            self._rated.response_id = answer.id or ""
        if answer.failure is not None:
            self.failure = answer.failure
        elif answer.broken and self.failure is None:
            self.failure = BROKEN

    def leave(self) -> None:
        """The application does not want the rest of the answer."""
        self.end(GeneratorExit())

    def abandon(self) -> None:
        """Nobody will read the rest. Runs in a finalizer: what takes locks is left to `end_abandoned`."""
        if not self._ended:
            _abandoned.append(self)

    def _finish(self, now: float, hearing: chat_turn.ChatTurn | None, abandoned: bool) -> None:
        """Never raises, and each part comes also where the one before fails. Without `never_raise`: this is most of a call's cost."""
        attributes: dict[str, Any] = {}
        try:
            if self.usage is None and self._estimate():
                attributes[a.TOKENS_ESTIMATED] = True
            if abandoned:
                attributes[a.ABANDONED] = True
            if self._first_chunk:
                attributes[a.GEN_AI_FIRST_CHUNK] = self._first_chunk - self.started
            self._measure(now - self.started)
        except Exception as error:
            report("measuring an AI call", error)
        try:
            self._price(attributes, whole=not abandoned and self.failure is None)
        except Exception as error:
            report("pricing an AI call", error)
        try:
            self._tell_turn(now, hearing, whole=not abandoned and self.failure is None)
        except Exception as error:
            report("telling a turn of an AI call", error)
        if self.span is not None:
            genai_spans.end(self.span, self, attributes)

    def _estimate(self) -> bool:
        """Estimate the tokens of an answer of which something arrived, where the model has not told them."""
        if not self._chunks:
            return False
        self.usage = cost.estimate(characters(self.asked.said), self._characters, self._chunks)
        return True

    def _measure(self, elapsed: float) -> None:
        span, usage = self.span, self.usage
        context = current_context() if span is None else span.get_span_context()
        kind = self.operation._value_, self.provider, self.model, self.response_model
        response_time, duration = figures.times(kind, self.failure)
        response_time.observe(elapsed, context)
        if self.failure is not None:
            record.count(m.ERRORS, 1.0, {a.ERROR_TYPE: self.failure})
        duration.observe(elapsed, context)
        if usage is None:
            return
        for part, series in figures.tokens(kind):
            tokens = usage.input if part is a.TokenType.INPUT else usage.output
            if isinstance(series, HistogramSeries):
                series.observe(tokens, context)
            else:
                series.add(tokens)

    def _price(self, attributes: dict[str, Any], *, whole: bool) -> None:
        dollars = None
        if self.usage is not None:
            models = (self.response_model, self.model) if self.response_model else (self.model,)
            dollars = cost.cost(self.provider, "" if self._place is None else self._place.url, models, self.usage)
            _wiring.CALL_COST(models, dollars, self.usage.input + self.usage.output)
        elif self.failure is not None:
            return
        if dollars is None:
            record.count(m.AI_UNPRICED, 1.0, {a.GEN_AI_REQUEST_MODEL: self.model})
            return
        attributes[a.COST] = amount = float(dollars)
        if amount:
            figures.priced(self.provider, self.model).add(amount)
        if self._turn is not None:
            self._turn.cost = dollars if self._turn.cost is None else dollars + self._turn.cost
        if whole and self.operation is not a.GenAiOperation.EMBEDDINGS:
            savings.cost_of(self._asks, dollars)

    def _tell_turn(self, now: float, hearing: chat_turn.ChatTurn | None, *, whole: bool) -> None:
        """A model has answered: in the turn that asked it, or, where that is over, in the one that heard of it."""
        turn = self._turn
        if turn is not None:
            if self._first_chunk:
                turn.spent(a.Phase.FIRST_CHUNK, self._first_chunk - self.started)
            turn.spent(a.Phase.GENERATION, now - (self._first_chunk or self.started))
        if self.operation is a.GenAiOperation.EMBEDDINGS:
            return
        signals.heard(self, turn)
        if not whole:
            return
        if turn is None:
            seen.note(seen.OUTSIDE, self.provider)
            return
        if turn.well is not None and hearing is not None and not (turn.stores or turn.told):
            turn = hearing
        chat_turn.replied(turn, to_a_question=asks_of_a_user(self.asked.said))

    def _kind(self) -> figures.CallKind:
        if self.response_model is None and self.answer is not None:
            self.response_model = self.answer.model
        return self.operation._value_, self.provider, self.model, self.response_model

    @property
    def has_ended(self) -> bool:
        """Whether the call is over."""
        return self._ended


def end_abandoned() -> None:
    """End the calls whose streams were thrown away unread."""
    while _abandoned:
        try:
            call = _abandoned.popleft()
        except IndexError:
            return
        call.leave()
