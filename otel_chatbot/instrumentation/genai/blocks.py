"""The block of code in which a model is being asked: its call's span is the current one, and no second call begins inside.

Fed by `genai.call`, whose calls are blocks; feeds the transports and boundaries, which ask whether a call is running, and OpenTelemetry's
context. A generator may enter a block in one thread and leave it in another one, so a block can be left where it is not the current one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span

from ...metrics.series import get_current

_current: ContextVar[Block | None] = ContextVar("otel_chatbot_ai_call", default=None)


class Block:
    """What a call is while its code runs."""

    span: Span | None
    _left = False
    _inside: Context
    _outer: tuple[Block | None, Context]

    def enter(self) -> None:
        """From here to `leave_block` the model is being asked: the call's span is the current one."""
        context = get_current()
        self._outer = None if _current.get() is None else current(), context
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
        if _current.get() is not None:
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


entered: Final[Callable[[], Block | None]] = _current.get
"""The call whose block was entered last, for a quick look: `current` says whether it is still the one."""


def current() -> Block | None:
    """The call in whose block this code runs. Blocks that a generator left elsewhere are left here too."""
    call = _current.get()
    while call is not None and call._left and get_current() is call._inside:
        call._step_out()
        call = _current.get()
    while call is not None and call._left:
        call = call._outer[0]
    return call
