"""The outer calls of clients that try again by themselves: one call of the application is one AI call, however often it is sent.

Fed by `genai.hooks`, which wraps the methods of the table below when their library is imported; feeds `genai.call`. A boundary
knows nothing of the request: the first attempt that a transport sees begins the call, further ones join it, and the boundary
ends it with the exception that the application gets.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from ..._guard import never_raise
from ...metrics import record
from ...semconv.attributes import GenAiProvider
from . import call as genai_call
from .call import Call

if TYPE_CHECKING:
    from .exchange import Exchange
    from .recognise import Found

_current: ContextVar[Boundary | None] = ContextVar("otel_chatbot_ai_boundary", default=None)


class Boundary:
    """One outer call of a client. `provider`: what the client's name says of it, where the address says nothing."""

    __slots__ = ("_outer", "call", "exchange", "found", "inside", "provider", "spans_elsewhere", "started")

    def __init__(self, provider: str | None, *, spans_elsewhere: bool) -> None:
        self.provider = provider
        self.spans_elsewhere = spans_elsewhere
        self.call: Call | None = None
        self.found: Found | None = None
        self.exchange: Exchange | None = None
        self.inside = True
        self.started = time.perf_counter()
        self._outer = _current.get()
        _current.set(self)

    def step_out(self) -> None:
        """The client's method does not run now."""
        if _current.get() is self:
            _current.set(self._outer)

    @never_raise
    def leave(self, error: BaseException | None = None) -> None:
        """The client's method has returned, or raised this."""
        self.step_out()
        self.inside = False
        call, exchange = self.call, self.exchange
        if call is None:
            return
        if error is not None:
            call.end(error)
        elif exchange is None:
            call.end()
        elif exchange.over:
            exchange.settle(exchange.error)


def current() -> Boundary | None:
    """The boundary in which this code runs."""
    return _current.get()


@never_raise
def enter(provider: str | None, *, spans_elsewhere: bool = False) -> Boundary | None:
    """Enter a client's method; None where it is a part of another call, or the package's own."""
    if _current.get() is not None or record.is_own_traffic() or genai_call.current() is not None:
        return None
    return Boundary(provider, spans_elsewhere=spans_elsewhere)


PROVIDERS: Final[dict[str, GenAiProvider | None]] = {
    "openai": None, "anthropic": None, "groq": GenAiProvider.GROQ, "together": GenAiProvider.TOGETHER,
    "cerebras.cloud.sdk": GenAiProvider.CEREBRAS, "mistralai": GenAiProvider.MISTRAL,
}  # fmt: skip
