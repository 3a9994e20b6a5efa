"""The span of one request: made by us or adopted from another instrumentation, current while the app runs, ended once.

Fed by `flask.request`; what the span is called and what it carries is made in `flask.server_span`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry.trace import INVALID_SPAN, Span

from ..._clock import after
from ..._guard import never_raise
from . import server_span

if TYPE_CHECKING:
    from .server_span import Environ, ServerSpans


class RequestSpan:
    """`adopts`: another instrumentation makes the span, and we end it."""

    __slots__ = ("_maker", "_start_ns", "_token", "adopts", "attributes", "span")

    def __init__(self, maker: ServerSpans) -> None:
        self._maker = maker
        self._start_ns = time.time_ns()
        self._token: object = None
        self.adopts = False
        self.span: Span = INVALID_SPAN
        self.attributes: dict[str, Any] = {}
        """What the span gets at its end."""

    def start(self, environ: Environ, method: str, route: str | None, endpoint: str | None, *, shown: str, probe: bool) -> None:
        """Start the span at the time of the request's arrival, and make it the current one."""
        self.span, running = self._maker.start(environ, method, route, endpoint, self._start_ns, shown=shown, probe=probe)
        self._token = otel_context.attach(running)

    def adopt(self, span: Span, shown: str, *, streamed: bool) -> None:
        """Take over the span of another Flask instrumentation; that of a streamed answer ends when the answer does."""
        self.span = span
        server_span.show_less(span, shown)
        if streamed:
            span.end = _not_yet  # type: ignore[assignment, method-assign]

    @never_raise
    def answer(self, headers: list[tuple[str, str]]) -> None:
        """The answer's headers are known: the span tells of them, and they tell a browser of the span."""
        if self.adopts:
            server_span.tell_browser(self.span, headers)
        elif self.span is not INVALID_SPAN:
            self._maker.answer(self.span, headers)

    def leave(self) -> None:
        """Make the context that was there before the request the current one again."""
        token, self._token = self._token, None
        if token is not None:
            otel_context.detach(token)  # type: ignore[arg-type]

    @never_raise
    def end(self, status: int, error_type: str | None, error: BaseException | None, elapsed: float) -> None:
        """End the span as the answer ended; `elapsed`: seconds since the request's arrival."""
        span = self.span
        if span is INVALID_SPAN:
            return
        if self.adopts:
            if "end" not in vars(span):  # an answer that was not streamed: the other instrumentation has ended it
                return
            del span.end
        end_ns = None if self.adopts else after(self._start_ns, elapsed)
        server_span.end_span(span, status, error_type, error, self.attributes, end_ns)


def _not_yet(_end_time: int | None = None) -> None:
    """Stand in for `Span.end` until the last byte."""
