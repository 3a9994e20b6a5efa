"""One call of a model, from its request to the end of its answer: what is measured, counted and told of it, once.

Fed by `genai.wire_call` (what the transports see), `genai.boundaries` (the clients' outer calls) and `genai.completion` (calls
that the application tells of itself); feeds the metrics of AI calls, their span, and the request's turn. No figure comes from a
span: all figures are right when nothing is sampled.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace

from ... import _wiring
from ..._clock import perf_counter
from ..._guard import never_raise
from ...metrics import deduplication, record
from ...metrics.series import get_current
from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.spec import Kind
from ..common import chat_turn, savings, seen
from ..common.savings import Model
from . import cost, figures, signals
from . import spans as genai_spans
from .cost import Usage
from .protocols.answer import Answer
from .protocols.protocol import ModelRequest, asks_of_a_user, characters
from .recognise import Place

_CHARACTERS_A_TOKEN: Final = 4
"""The usual estimate for English text."""
_LONGEST_TOKEN: Final = 8
"""Chunks with more characters than this, on average, hold more than one token each."""
BROKEN: Final = "InvalidAnswer"
"""The kind of failure of an answer that is not what its protocol says, where no client has said so by an exception."""

_abandoned: deque[Call] = deque()
_current: ContextVar[Call | None] = ContextVar("otel_chatbot_ai_call", default=None)


class Call:
    """A call of a model. Ends once: by `end`, whoever calls it first."""

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
        end_abandoned()
        current()  # so that nothing begins inside a block that has ended
        deduplication.current()  # where no request runs, the scope is made here rather than in the copy below
        self.provider = provider
        self.asked = asked
        self.model = asked.model
        self.operation = asked.operation
        self.answer: Answer | None = None
        """What is read of the answer, where it is read: looked at when the call ends."""
        self.response_model: str | None = None
        self.usage: Usage | None = None
        self.failure: str | None = None
        """A failure that the answer itself tells of."""
        self._place = place
        self._turn = chat_turn.running()
        self.span = genai_spans.start(provider, asked, place) if spans else None
        self._rated = chat_turn.ModelAnswer(self._span_context() or genai_spans.theirs(), self.model)
        if self._turn is not None:
            self._turn.calls += 1
            if self.operation is not a.GenAiOperation.EMBEDDINGS:
                self._turn.model, self._turn.answer = Model(provider, self.model), self._rated
        self._context = copy_context()  # the request's scope, also where a stream ends outside of it
        self._chunks = self._characters = 0
        self._first_chunk = self._last_chunk = 0.0
        self._ended = self._left = False
        self.started = started or perf_counter()

    def enter(self) -> None:
        """From here to `leave_block` the model is being asked: the call's span is the current one."""
        context = get_current()
        self._outer = current(), context
        _current.set(self)
        if self.span is None:
            self._inside = context
        else:
            self._inside = trace.set_span_in_context(self.span, context)
            otel_context.attach(self._inside)

    def leave_block(self) -> None:
        """Undo `enter`. Where this is not the place (a generator closed in another thread), `current` will undo it there."""
        self._left = True
        if _current.get() is self:
            self._step_out()
        current()

    def _step_out(self) -> None:
        outer, context = self._outer
        _current.set(outer)
        if get_current() is not context:
            otel_context.attach(context)

    @contextmanager
    def around(self) -> Iterator[None]:
        """A block around attempts that join the call: its span is the current one; who asks for the call finds none."""
        token = None if self.span is None else otel_context.attach(trace.set_span_in_context(self.span))
        try:
            yield
        finally:
            if token is not None:
                otel_context.detach(token)

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
        if not self._chunks:
            self._first_chunk = now
        first, later = figures.chunks(self._kind())
        if self._chunks:
            later.observe(now - self._last_chunk, self._span_context())
        else:
            first.observe(now - self.started, self._span_context())
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
        kind = error if error is None or isinstance(error, type) else type(error)
        if kind is not None and issubclass(kind, Exception):
            self.failure = kind.__qualname__
        hearing = chat_turn.running()
        self._context.run(self._finish, perf_counter(), hearing, abandoned=error is not None and self.failure is None)

    @never_raise
    def _read(self, answer: Answer) -> None:
        self.response_model = answer.model or self.response_model
        self.usage = answer.usage or self.usage
        self._rated.response_id = answer.id or ""
        self.failure = answer.failure or self.failure or (BROKEN if answer.broken else None)

    def leave(self) -> None:
        """The application does not want the rest of the answer."""
        self.end(GeneratorExit())

    def abandon(self) -> None:
        """Nobody will read the rest. Runs in a finalizer: what takes locks is left to `end_abandoned`."""
        if not self._ended:
            _abandoned.append(self)

    @never_raise
    def _finish(self, now: float, hearing: chat_turn.ChatTurn | None, *, abandoned: bool) -> None:
        estimated = self.usage is None and self._estimate()
        attributes: dict[str, Any] = {a.TOKENS_ESTIMATED: True} if estimated else {}
        if abandoned:
            attributes[a.ABANDONED] = True
        if self._first_chunk:
            attributes[a.GEN_AI_FIRST_CHUNK] = self._first_chunk - self.started
        self._measure(now - self.started)
        self._price(attributes)
        self._time_turn(now)
        if self.operation is not a.GenAiOperation.EMBEDDINGS:
            signals.heard(self, self._turn)
            if not abandoned and self.failure is None:
                self._reply(hearing)
        genai_spans.end(self.span, self, attributes)

    def _estimate(self) -> bool:
        """Estimate the tokens of an answer of which something arrived, where the model has not told them."""
        if not self._chunks:
            return False
        few = self._characters <= _LONGEST_TOKEN * self._chunks
        output = self._chunks if few else math.ceil(self._characters / _CHARACTERS_A_TOKEN)
        self.usage = Usage(math.ceil(characters(self.asked.said) / _CHARACTERS_A_TOKEN), output)
        return True

    @never_raise
    def _measure(self, elapsed: float) -> None:
        context, kind = self._span_context(), self._kind()
        response_time, duration = figures.times(kind, self.failure)
        response_time.observe(elapsed, context)
        if self.failure is not None:
            record.count(m.ERRORS, 1.0, {a.ERROR_TYPE: self.failure})
        duration.observe(elapsed, context)
        if self.usage is not None:
            self._count_tokens(self.usage, kind, context)

    def _count_tokens(self, usage: Usage, kind: figures.CallKind, context: trace.SpanContext | None) -> None:
        for spec, part in m.TOKENS:
            if part is a.TokenType.OUTPUT and self.operation is a.GenAiOperation.EMBEDDINGS:
                continue
            tokens = usage.input if part is a.TokenType.INPUT else usage.output
            if spec.kind is Kind.HISTOGRAM:
                figures.tokens(spec, part, kind).observe(tokens, context)
            else:
                record.count(spec, tokens, figures.named(kind))

    @never_raise
    def _price(self, attributes: dict[str, Any]) -> None:
        if self.usage is None:
            if self.failure is None:
                record.count(m.AI_UNPRICED, 1.0, {a.GEN_AI_REQUEST_MODEL: self.model})
            return
        models = (self.response_model, self.model) if self.response_model else (self.model,)
        dollars = cost.cost(self.provider, "" if self._place is None else self._place.url, models, self.usage)
        _wiring.CALL_COST(models, dollars, self.usage.input + self.usage.output)
        if dollars is None:
            record.count(m.AI_UNPRICED, 1.0, {a.GEN_AI_REQUEST_MODEL: self.model})
            return
        attributes[a.COST] = amount = float(dollars)
        if amount:
            figures.priced(self.provider, self.model).add(amount)
        if self._turn is not None:
            self._turn.cost = dollars + (self._turn.cost or 0)
        if self.operation is not a.GenAiOperation.EMBEDDINGS and self.failure is None and a.ABANDONED not in attributes:
            savings.cost_of(Model(self.provider, self.model), dollars)

    @never_raise
    def _time_turn(self, now: float) -> None:
        if self._turn is None:
            return
        if self._first_chunk:
            self._turn.spent(a.Phase.FIRST_CHUNK, self._first_chunk - self.started)
        self._turn.spent(a.Phase.GENERATION, now - (self._first_chunk or self.started))

    @never_raise
    def _reply(self, hearing: chat_turn.ChatTurn | None) -> None:
        """A model has answered: in the turn that asked it, or, where that is over, in the one that heard of it."""
        turn = self._turn
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

    def _span_context(self) -> trace.SpanContext | None:
        return None if self.span is None else self.span.get_span_context()

    @property
    def has_ended(self) -> bool:
        """Whether the call is over."""
        return self._ended


def current() -> Call | None:
    """The call in whose block this code runs. Blocks that a generator left elsewhere are left here too."""
    call = _current.get()
    while call is not None and call._left and get_current() is call._inside:
        call._step_out()
        call = _current.get()
    while call is not None and call._left:
        call = call._outer[0]
    return call


def end_abandoned() -> None:
    """End the calls whose streams were thrown away unread."""
    while _abandoned:
        try:
            call = _abandoned.popleft()
        except IndexError:
            return
        call.leave()
