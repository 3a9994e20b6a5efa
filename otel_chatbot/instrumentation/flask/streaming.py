"""A streamed answer, followed to its last byte, its failure, or its client's disconnect.

Fed by the body that an app returned to the server; feeds `exchange.Exchange.finish`.

All of an app's code for one body runs in one copy of the request's context (`contextvars`): the span, the scope of the
request and whatever the generator itself sets are the same at every chunk, in whichever thread the server asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import trace

if TYPE_CHECKING:
    from .request import Exchange
    from .server_span import Environ


def follow(body: Iterable[bytes], exchange: Exchange, environ: Environ) -> Iterable[bytes]:
    """The body to give to the server instead of `body`; the same one where the server sends files by itself."""
    context = copy_context()
    if exchange.adopts:
        # The other instrumentation has already left the span's context.
        context.run(otel_context.attach, trace.set_span_in_context(exchange.span))
    wrapper = environ.get("wsgi.file_wrapper")
    if wrapper is None or exchange.finished:
        return Body(body, exchange, context)
    if isinstance(wrapper, type):
        return _follow_file(body, exchange, context) if isinstance(body, wrapper) else Body(body, exchange, context)
    if type(body).__module__ == getattr(wrapper, "__module__", None):  # uWSGI's: nothing can be hooked
        exchange.finish()
        return body
    return Body(body, exchange, context)


def _follow_file(body: Any, exchange: Exchange, context: Context) -> Iterable[bytes]:
    """Hook the close of a server's own file wrapper and leave it what it is: servers send it with sendfile(2)."""
    close: Callable[[], object] | None = getattr(body, "close", None)

    def close_and_finish() -> None:
        if isinstance(sys.exc_info()[1], OSError):  # servers close in a `finally` around the sending
            exchange.disconnect()
        else:
            exchange.sent = exchange.expected or 0
        try:
            if close is not None:
                context.run(close)
        finally:
            context.run(exchange.finish)

    body.close = close_and_finish
    return body  # type: ignore[no-any-return]


class Body:
    """An answer's body that finishes its exchange at the end."""

    __slots__ = ("_body", "_context", "_ended", "_exchange", "_iterator")

    def __init__(self, body: Iterable[bytes], exchange: Exchange, context: Context) -> None:
        self._body = body
        self._exchange = exchange
        self._context = context
        self._iterator: Iterator[bytes] | None = None
        self._ended = False

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        __traceback_hide__ = True  # werkzeug's debugger shows the app's frames, not ours
        run = self._context.run
        try:
            if self._iterator is None:
                self._iterator = run(iter, self._body)
            chunk = run(next, self._iterator)
        except StopIteration:
            self._ended = True
            run(self._exchange.finish)
            raise
        except BaseException as error:
            self._ended = True
            self._exchange.fail(error)
            run(self._exchange.finish)
            raise
        self._exchange.sent += len(chunk)
        return chunk

    def close(self) -> None:
        """Close the app's body in its context, whoever closes it."""
        __traceback_hide__ = True
        exchange = self._exchange
        if not self._ended and not exchange.finished:
            self._ended = True
            if exchange.expected is None or exchange.sent < exchange.expected:
                exchange.disconnect()
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                self._context.run(close)
        finally:
            self._context.run(exchange.finish)

    def __del__(self) -> None:
        if not self._exchange.finished:  # a test client that neither read nor closed it
            self._exchange.disconnect()
            self._exchange.abandon()
