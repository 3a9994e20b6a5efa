"""A streamed answer, followed to its last byte, its failure, or its client's disconnect.

Fed by the body that an app returned to the server; feeds `flask.request.ServedRequest.finish`.

All of an app's code for one body runs in one copy of the request's context (`contextvars`): the span, the scope of the
request and whatever the generator itself sets are the same at every chunk, in whichever thread the server asks for it.
Where somebody keeps the request's contexts to push them again (Flask's test client in a `with` block, werkzeug's debugger),
the body runs in the reader's own context: a context that Flask has pushed in one can only be popped in the same one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from ...metrics import deduplication

if TYPE_CHECKING:
    from .request import ServedRequest
    from .server_span import Environ


_T = TypeVar("_T")
Run = Callable[..., Any]
"""Runs a callable with its arguments as a part of the request, as `contextvars.Context.run` does."""

_KEEPS_CONTEXTS: Final = "werkzeug.debug.preserve_context"
"""Set by Flask's test client and by werkzeug's debugger: it is called with the contexts of Flask that are to live on."""


def follow(body: Iterable[bytes], served: ServedRequest, environ: Environ) -> Iterable[bytes]:
    """The body to give to the server instead of `body`; the same one where the server sends files by itself."""
    # Where the span is adopted, the other instrumentation has already left its context.
    spans = trace.set_span_in_context(served.tracing.span) if served.tracing.adopts else otel_context.get_current()
    run: Run = _InPlace(spans, served.scope) if _KEEPS_CONTEXTS in environ else copy_context().run
    if served.tracing.adopts and _KEEPS_CONTEXTS not in environ:
        run(otel_context.attach, spans)
    wrapper = environ.get("wsgi.file_wrapper")
    if wrapper is None or served.finished:
        return FollowedBody(body, served, run)
    if isinstance(wrapper, type):
        return _follow_file(body, served, run) if isinstance(body, wrapper) else FollowedBody(body, served, run)
    if type(body).__module__ == getattr(wrapper, "__module__", None):  # uWSGI's: nothing can be hooked
        served.finish()
        return body
    return FollowedBody(body, served, run)


def _follow_file(body: Any, served: ServedRequest, run: Run) -> Iterable[bytes]:
    """Hook the close of a server's own file wrapper and leave it what it is: servers send it with sendfile(2)."""
    close: Callable[[], object] | None = getattr(body, "close", None)

    def close_and_finish() -> None:
        if isinstance(sys.exc_info()[1], OSError):  # servers close in a `finally` around the sending
            served.disconnect()
        else:
            served.answer.sent = served.answer.expected or 0
        try:
            if close is not None:
                run(close)
        finally:
            run(served.finish)

    body.close = close_and_finish
    return body  # type: ignore[no-any-return]


class _InPlace:
    """Runs a request's code in the context of whoever asks, with the request's span and scope there for as long as it runs.

    The span that the code leaves as the current one is current again at its next chunk.
    """

    def __init__(self, spans: Context, scope: deduplication.Scope) -> None:
        self._spans = spans
        self._scope = scope

    def __call__(self, call: Callable[..., _T], *arguments: Any) -> _T:
        __traceback_hide__ = True
        of_reader = otel_context.attach(self._spans)
        entered = deduplication.enter(self._scope)
        try:
            return call(*arguments)
        finally:
            self._spans = otel_context.get_current()
            deduplication.leave(entered)
            otel_context.detach(of_reader)


class FollowedBody:
    """An answer's body that finishes its request at the end."""

    __slots__ = ("_body", "_ended", "_given", "_iterator", "_run", "_served")

    def __init__(self, body: Iterable[bytes], served: ServedRequest, run: Run) -> None:
        self._body = body
        self._served = served
        self._run = run
        self._iterator: Iterator[bytes] | None = None
        self._ended = False
        self._given = False

    def __iter__(self) -> FollowedBody:
        return self

    def __next__(self) -> bytes:
        __traceback_hide__ = True  # werkzeug's debugger shows the app's frames, not ours
        run = self._run
        try:
            if self._iterator is None:
                self._iterator = run(iter, self._body)
            chunk: bytes = run(next, self._iterator)
        except StopIteration:
            self._ended = True
            run(self._served.finish)
            raise
        except BaseException as error:
            self._ended = True
            answer = self._served.answer
            (answer.fail if self._given else answer.fail_unsent)(error)
            run(self._served.finish)
            raise
        self._given = True
        self._served.answer.sent += len(chunk)
        return chunk

    def close(self) -> None:
        """Close the app's body in its context, whoever closes it."""
        __traceback_hide__ = True
        served = self._served
        if not self._ended and not served.finished:
            self._ended = True
            if served.answer.expected is None or served.answer.sent < served.answer.expected:
                served.disconnect()
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                self._run(close)
        finally:
            self._run(served.finish)

    def __del__(self) -> None:
        if not self._served.finished:  # a test client that neither read nor closed it
            self._served.disconnect()
            self._served.abandon()
