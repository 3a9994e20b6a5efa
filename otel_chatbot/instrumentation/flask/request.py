"""One request from its arrival to its last byte: what is counted, measured and told of it, each once.

Fed by `instrumentation.flask.hooks` (the hooks of an app) and `instrumentation.flask.streaming` (the last byte); feeds the metrics
of requests, the request's span and the access record. No figure comes from a span: all are right when nothing is sampled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import Span, SpanContext

from ... import config
from ..._clock import perf_counter
from ..._guard import never_raise
from ...logs.access import access_record
from ...metrics import deduplication
from ...metrics.gauge_series import GaugeSeries
from ...quality.answer_ids import answer_id
from ...semconv import attributes as a
from ..active.gauges import ACTIVE, Found
from ..common import chat_turn
from ..empty.telling import TELLING
from . import figures, routes, server_span, upgrade
from .answer import Answer
from .request_span import RequestSpan
from .server_span import Environ, ServerSpans
from .shown_path import shown_path

_ASKING: Final = ("GET", "HEAD")
"""How probers and scrapers ask."""
_NOBODY: Final = Found()
_abandoned: deque[ServedRequest] = deque()


class ServedRequest:
    """A request that is being served: what was asked here, what the client gets in `answer`, its span in `tracing`."""

    __slots__ = (
        "_active", "_start_response", "answer", "begun", "finished", "ids", "method", "path", "probe", "protocol", "reached",
        "route", "scheme", "scope", "shown", "started", "tracing",
    )  # fmt: skip

    def __init__(self, environ: Environ, start_response: Callable[..., Any], spans: ServerSpans, *, probe: bool) -> None:
        self.started = perf_counter()
        self.tracing = RequestSpan(spans)
        self.scope = deduplication.Scope(ends=True)
        self.method = server_span.known_method(environ)
        self.scheme = server_span.scheme(environ)
        self.protocol = server_span.protocol_version(environ)
        self.path = self.shown = str(environ.get("PATH_INFO", ""))
        self.route: str | None = None
        self.answer = Answer(self.method, upgrade.upgrade_of(environ))
        self.ids = _NOBODY
        """Who the request is from, and which conversation it belongs to."""
        self.begun = self.finished = self.reached = False
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
        self.begun, self.route, self.tracing.adopts = True, route, adopts
        self.shown = shown_path(self.shown, route)
        if not adopts:
            self.tracing.start(environ, self.method, route, endpoint, shown=self.shown, probe=self.probe)
            self.scope.span = self.tracing.span

    def adopt(self, span: Span) -> None:
        """Take over the span of another Flask instrumentation."""
        self.tracing.adopt(span, self.shown, streamed=bool(self.answer.streamed))
        self.scope.span = span

    def start_response(self, status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        """The server's `start_response`, which tells us status and headers as the client gets them."""
        self.answer.begin(status, headers)
        self.tracing.answer(headers)
        if config.current().feedback_header and not self.probe:
            tell_answer_id(headers, self.scope)
        return self._start_response(status, headers, *more)

    def disconnect(self) -> None:
        """The client went away before the last byte."""
        self.answer.disconnected = True
        self.tracing.attributes[a.CLIENT_DISCONNECTED] = True

    def abandon(self) -> None:
        """Nobody will ever read or close the answer. Runs in a finalizer: what takes locks is left to `finish_abandoned`."""
        _abandoned.append(self)

    def finish(self) -> None:
        """The answer has ended: count and measure it, write its access record, end its span. Later calls do nothing."""
        if self.finished:
            return
        self.finished = True
        elapsed = perf_counter() - self.started
        status = self.answer.end()
        error, context = self.answer.error_type, self.tracing.span.get_span_context()
        self._leave_active()
        if self.probe:
            if self.method in _ASKING:
                routes.watch(self.path, status, reached=self.reached)
        else:
            self._count(status, error, elapsed, context)
            self._see_active(status)
            self._finish_turn(status, elapsed, context)
            self._write_access_record(status, elapsed)
            if not TELLING.over:
                TELLING.ended(self.scope, self.method, self.route)
        self.tracing.end(status, error, self.answer.error, elapsed)
        self.scope.close()

    def _leave_active(self) -> None:
        series, self._active = self._active, None
        if series is not None:
            series.move(-1.0)

    @never_raise
    def _count(self, status: int, error: str | None, elapsed: float, context: SpanContext) -> None:
        figures.count(
            self.scope,
            elapsed,
            context,
            method=self.method,
            route=self.route,
            status=status,
            error=error,
            scheme=self.scheme,
            protocol=self.protocol,
        )

    @never_raise
    def _see_active(self, status: int) -> None:
        written, begun = chat_turn.written_conversation(self.scope), chat_turn.begun_conversation(self.scope)
        conversation = written or self.ids.conversation or begun
        if conversation is not None:
            self.tracing.attributes[a.GEN_AI_CONVERSATION_ID] = conversation
        if status < 400:
            user = ACTIVE.see(Found(self.ids.user, conversation))
            if user is not None:
                self.tracing.attributes[a.USER_HASH] = user

    @never_raise
    def _finish_turn(self, status: int, elapsed: float, context: SpanContext) -> None:
        seconds = None if status == upgrade.SWITCHED else elapsed  # a connection may have had many turns: it is none itself
        attributes, well = self.tracing.attributes, status < 400
        chat_turn.finish(self.scope, seconds, context, attributes, self.route, self.ids.model, well=well)

    @never_raise
    def _write_access_record(self, status: int, elapsed: float) -> None:
        span = self.tracing.span
        access_record(
            self.shown,
            self.method,
            status,
            elapsed * 1000,
            self.answer.sent,
            route=self.route,
            aborted=self.answer.disconnected,
            context=None if trace.get_current_span() is span else trace.set_span_in_context(span),
        )


@never_raise
def tell_answer_id(headers: list[tuple[str, str]], scope: deduplication.Scope) -> None:
    """Tell the client the id of an answer that it may rate, unless the application has done so in the same header."""
    name = config.current().feedback_header
    if not chat_turn.is_chat(scope) or any(known.lower() == name.lower() for known, _ in headers):
        return
    token = answer_id()
    if token is not None:
        headers.append((name, token))


def finish_abandoned() -> None:
    """Finish the requests whose answers were thrown away unread, as tests do."""
    while _abandoned:
        try:
            abandoned = _abandoned.popleft()
        except IndexError:
            return
        abandoned.finish()
