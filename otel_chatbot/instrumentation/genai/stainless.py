"""The outer call of the clients that Stainless generates: openai, anthropic, groq, together, cerebras share one base.

Fed by `request` of that base, which `genai.hooks` wraps: importing the client loads none of its resources for us. Feeds
`genai.boundaries`, and asks for the tokens of streams (`genai.stream_usage`). The application gets the client's own objects.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from ..._guard import never_raise
from ..common.patching import Method
from . import boundaries, stream_usage
from .boundaries import Boundary
from .exchange import Exchange
from .stream_usage import Added, Habit

_ITERATOR: Final = "_iterator"
"""The attribute of a `Stream` that its iteration reads (openai/_streaming.py): there is no public way to see what an application
gets of a stream without giving it another object."""
_AGAIN: Final = object()


def following(provider: str | None, elsewhere: Callable[[], bool]) -> Callable[[Method], Method]:
    """Make the method of the synchronous base. `elsewhere`: whether another tool makes the spans."""

    def make(original: Method) -> Method:
        def request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
            boundary = boundaries.enter(provider, spans_elsewhere=elsewhere())
            if boundary is None:
                return original(self, cast_to, options, *args, **kwargs)
            added = stream_usage.ask(self, options) if kwargs.get("stream") else None
            asking = options if added is None or added.options is None else added.options
            try:
                try:
                    answer = original(self, cast_to, asking, *args, **kwargs)
                except Exception as error:
                    if added is None or not added.refused(error):
                        raise
                    answer = _AGAIN
                if answer is _AGAIN:
                    answer = original(self, cast_to, options, *args, **kwargs)
                    _remember_refusal(added)
                    added = None
            except BaseException as error:
                boundary.leave(error)
                raise
            boundary.leave()
            _follow(answer, boundary, added, _chunks)
            return answer

        return request

    return make


def following_async(provider: str | None, elsewhere: Callable[[], bool]) -> Callable[[Method], Method]:
    """As `following`, of the asynchronous base."""

    def make(original: Method) -> Method:
        async def request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
            boundary = boundaries.enter(provider, spans_elsewhere=elsewhere())
            if boundary is None:
                return await original(self, cast_to, options, *args, **kwargs)
            added = stream_usage.ask(self, options) if kwargs.get("stream") else None
            asking = options if added is None or added.options is None else added.options
            try:
                try:
                    answer = await original(self, cast_to, asking, *args, **kwargs)
                except Exception as error:
                    if added is None or not added.refused(error):
                        raise
                    answer = _AGAIN
                if answer is _AGAIN:
                    answer = await original(self, cast_to, options, *args, **kwargs)
                    _remember_refusal(added)
                    added = None
            except BaseException as error:
                boundary.leave(error)
                raise
            boundary.leave()
            _follow(answer, boundary, added, _chunks_async)
            return answer

        return request

    return make


@never_raise
def _remember_refusal(added: Added | None) -> None:
    if added is not None:
        stream_usage.remember(added.key, Habit.REFUSES)


@never_raise
def _follow(answer: Any, boundary: Boundary, added: Added | None, follow: Callable[..., Any]) -> None:
    exchange = boundary.exchange
    if (
        exchange is None
        or exchange.over
        or _ITERATOR not in getattr(answer, "__dict__", ())
        or not hasattr(answer, "__stream__")
    ):
        return
    # The generator that the client has made, and not begun, refers to its stream: a stream that is thrown away would stay until
    # the garbage collector comes, and its call with it. Anthropic's client makes it of a copy, for the same reason.
    inner = copy.copy(answer)
    inner._iterator = None
    answer._iterator = follow(inner.__stream__(), exchange, added)


def _chunks(iterator: Iterator[Any], exchange: Exchange, added: Added | None) -> Iterator[Any]:
    hides = None if added is None or added.options is None else added.hides
    exchange.judged = True
    try:
        for chunk in iterator:
            if hides is None or not hides(chunk):
                yield chunk
    except GeneratorExit:
        raise
    except BaseException as error:
        exchange.settle(error)
        raise
    _ended(exchange, added)


async def _chunks_async(iterator: AsyncIterator[Any], exchange: Exchange, added: Added | None) -> AsyncIterator[Any]:
    hides = None if added is None or added.options is None else added.hides
    exchange.judged = True
    try:
        async for chunk in iterator:
            if hides is None or not hides(chunk):
                yield chunk
    except GeneratorExit:
        raise
    except BaseException as error:
        exchange.settle(error)
        raise
    _ended(exchange, added)


@never_raise
def _ended(exchange: Exchange, added: Added | None) -> None:
    if added is not None and added.options is None and exchange.answer.done:
        stream_usage.remember(added.key, Habit.SILENT if exchange.answer.usage is None else Habit.TELLS)
    if exchange.over:
        exchange.settle(exchange.error)
