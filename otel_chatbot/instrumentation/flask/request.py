"""One request and its answer: what is counted, measured and told of it, once, when the answer has really ended.

Fed by `instrumentation.flask.hooks` (the hooks of an app) and `instrumentation.flask.streaming` (the last byte); feeds the metrics
of requests, the request's span and the access record. No figure comes from a span: all are right when nothing is sampled.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span

from ..._clock import after, perf_counter
from ..._guard import never_raise
from ...logs.access import access_record
from ...metrics import deduplication
from ...metrics.series import GaugeSeries
from ...semconv import attributes as a
from ..active.gauges import ACTIVE, Found
from ..common import chat_turn
from ..empty.telling import TELLING
from . import figures, routes, server_span, upgrade
from .server_span import Environ, ServerSpans
from .shown_path import shown_path

_EMPTY_BODY: Final = frozenset({204, 304})


_ASKING: Final = ("GET", "HEAD")
"""How probers and scrapers ask."""
_abandoned: deque[Exchange] = deque()


class Exchange:
    """A request from its arrival to its last byte. `adopts`: another instrumentation makes the span, we end it."""

    __slots__ = (
        "_active", "_headers", "_start_response", "adopts", "begun", "closes", "disconnected", "error", "expected",
        "finished", "ids", "method", "path", "probe", "protocol", "raised", "reached", "route", "scheme", "scope", "sent",
        "shown", "span", "span_attributes", "spans", "start_ns", "started", "status", "streamed", "token", "upgrade",
    )  # fmt: skip

    def __init__(self, environ: Environ, start_response: Callable[..., Any], spans: ServerSpans, *, probe: bool) -> None:
        self.started = perf_counter()
        self.start_ns = time.time_ns()
        self.spans = spans
        self.scope = deduplication.Scope(ends=True)
        self.method = server_span.known_method(environ)
        self.scheme = server_span.scheme(environ)
        self.protocol = server_span.protocol_version(environ)
        self.path = self.shown = str(environ.get("PATH_INFO", ""))
        self.route: str | None = None
        self.status: int | None = None
        self.error: BaseException | None = None
        """What ended the answer: no server can send the rest of it."""
        self.raised: BaseException | None = None
        """What was raised on the way to the answer, which may be any answer nevertheless."""
        self.upgrade = upgrade.upgrade_of(environ)
        self.span: Span = INVALID_SPAN
        self.span_attributes: dict[str, Any] = {}
        self.token: object = None
        self.ids = Found()
        """Who the request is from, and which conversation it belongs to."""
        self.sent = 0
        """Bytes of the body so far."""
        self.expected: int | None = None
        """The answer's Content-Length, where it has one."""
        self.streamed: bool | None = None
        """Whether Flask's answer has no known end; None when no answer of Flask was seen."""
        self.closes = False
        """Whether the app wants to be called when the answer is closed."""
        self.begun = self.finished = self.disconnected = self.adopts = self.reached = False
        self.probe = probe
        self._start_response = start_response
        self._active: GaugeSeries | None = None
        if not probe:
            self._active = figures.running(method=self.method, scheme=self.scheme)
            self._active.move(1.0)

    def become_probe(self) -> None:
        """Take the request out of the app's figures: it is one of our routes under another path."""
        self.probe = True
        self._leave_active()

    def begin(self, environ: Environ, route: str | None, endpoint: str | None, *, adopts: bool) -> None:
        """The request has been matched: begin its span, unless another instrumentation does."""
        if self.begun:
            return
        self.begun, self.route, self.adopts = True, route, adopts
        self.shown = shown_path(self.shown, route)
        if not adopts:
            self.span, running = self.spans.start(
                environ, self.method, route, endpoint, self.start_ns, shown=self.shown, probe=self.probe
            )
            self.token = otel_context.attach(running)

    def start_response(self, status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        """The server's `start_response`, which tells us status and headers as the client gets them."""
        self._note(status, headers)
        return self._start_response(status, headers, *more)

    @never_raise
    def _note(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status = int(status[:3])
        for name, value in headers:
            if name.lower() == "content-length" and value.isdecimal():
                self.expected = int(value)
        if self.adopts:
            server_span.tell_browser(self.span, headers)
        elif self.span is not INVALID_SPAN:
            self.spans.answer(self.span, headers)

    def has_body(self) -> bool:
        """Whether an answer with this method and status may have a body at all."""
        return self.method != "HEAD" and self.status not in _EMPTY_BODY

    def meet(self, error: BaseException) -> None:
        """An exception that Flask was told of. It is a failure where the client gets one; the first one counts."""
        if self.raised is None:
            self.raised = error

    def fail(self, error: BaseException) -> None:
        """An exception that ended the answer; the first one counts."""
        if self.error is None:
            self.error = error

    def escape(self, error: BaseException) -> None:
        """An exception has left the app before a byte was sent: servers answer 500, whatever the app had begun to answer."""
        if self.raised is None and upgrade.says_the_end(self.upgrade, self.status, error):
            return
        first = self.raised if self.status is None or self.status >= 500 else None
        self.fail(first or error)
        self.status = 500

    def fall(self, error: BaseException) -> None:
        """The body has raised instead of its first chunk: the status had not been sent, and servers answer 500."""
        self.fail(error)
        self.status = 500

    def disconnect(self) -> None:
        """The client went away before the last byte."""
        self.disconnected = True
        self.span_attributes[a.CLIENT_DISCONNECTED] = True

    def abandon(self) -> None:
        """Nobody will ever read or close the answer. Runs in a finalizer: what takes locks is left to `finish_abandoned`."""
        _abandoned.append(self)

    def leave(self) -> None:
        """Make the context that was there before the request the current one again."""
        token, self.token = self.token, None
        if token is not None:
            otel_context.detach(token)  # type: ignore[arg-type]

    @property
    def error_type(self) -> str | None:
        """The kind of failure: an exception's class, else a 5xx status; None when there was none."""
        if self.error is not None:
            return type(self.error).__qualname__
        status = self.status
        return str(status) if status is not None and status >= 500 else None

    def finish(self) -> None:
        """The answer has ended: count and measure it, write its access record, end its span. Later calls do nothing."""
        if self.finished:
            return
        self.finished = True
        elapsed = perf_counter() - self.started
        if self.error is None:
            if self.raised is None and upgrade.switched(self.upgrade, self.status):
                self.status = upgrade.SWITCHED
            elif self.status is None or self.status >= 500:
                self.error = self.raised
        if self.status is None:
            self.status = 500  # what servers answer for an application that raises
        self._leave_active()
        if self.probe:
            if self.method in _ASKING:
                routes.watch(self.path, self.status, reached=self.reached)
        else:
            self._count(elapsed)
            self._see()
            self._turn(elapsed)
            self._tell(elapsed)
            if not TELLING.over:
                TELLING.ended(self.scope, self.method, self.route)
        self._end_span(elapsed)
        self.scope.close()

    def _leave_active(self) -> None:
        series, self._active = self._active, None
        if series is not None:
            series.move(-1.0)

    @never_raise
    def _count(self, elapsed: float) -> None:
        assert self.status is not None
        figures.count(
            self.scope,
            elapsed,
            self.span.get_span_context(),
            method=self.method,
            route=self.route,
            status=self.status,
            error=self.error_type,
            scheme=self.scheme,
            protocol=self.protocol,
        )

    @never_raise
    def _see(self) -> None:
        assert self.status is not None
        written, begun = chat_turn.written_conversation(self.scope), chat_turn.begun_conversation(self.scope)
        conversation = written or self.ids.conversation or begun
        if conversation is not None:
            self.span_attributes[a.GEN_AI_CONVERSATION_ID] = conversation
        if self.status < 400:
            ACTIVE.see(Found(self.ids.user, conversation))

    @never_raise
    def _turn(self, elapsed: float) -> None:
        turns = self.status == upgrade.SWITCHED  # a connection may have had many: it is none itself
        seconds = None if turns else elapsed
        context = self.span.get_span_context()
        well = self.status is not None and self.status < 400
        chat_turn.finish(self.scope, seconds, context, self.span_attributes, self.route, self.ids.model, well=well)

    @never_raise
    def _tell(self, elapsed: float) -> None:
        assert self.status is not None
        inside = trace.get_current_span() is self.span
        access_record(
            self.shown,
            self.method,
            self.status,
            elapsed * 1000,
            self.sent,
            route=self.route,
            aborted=self.disconnected,
            context=None if inside else trace.set_span_in_context(self.span),
        )

    @never_raise
    def _end_span(self, elapsed: float) -> None:
        span = self.span
        if span is INVALID_SPAN:
            return
        if self.adopts:
            if "end" not in vars(span):  # an answer that was not streamed: the other instrumentation has ended it
                return
            del span.end
        assert self.status is not None
        end_ns = None if self.adopts else after(self.start_ns, elapsed)
        server_span.end_span(span, self.status, self.error_type, self.error, self.span_attributes, end_ns)

    def adopt(self, span: Span) -> None:
        """Take over the span of another Flask instrumentation; that of a streamed answer ends when the answer does."""
        self.span = span
        server_span.show_less(span, self.shown)
        if self.streamed:
            span.end = _not_yet  # type: ignore[assignment, method-assign]


def _not_yet(_end_time: int | None = None) -> None:
    """Stand in for `Span.end` until the last byte."""


def finish_abandoned() -> None:
    """Finish the requests whose answers were thrown away unread, as tests do."""
    while _abandoned:
        try:
            exchange = _abandoned.popleft()
        except IndexError:
            return
        exchange.finish()
