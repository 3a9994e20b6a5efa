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
from .boundaries import Client
from .stream_usage import StreamOptions, UsageReporting
from .wire_call import WireCall

_ITERATOR: Final = "_iterator"
"""The attribute of a `Stream` that its iteration reads (openai/_streaming.py): there is no public way to see what an application
gets of a stream without giving it another object."""
_AGAIN: Final = object()


def owners(base: type) -> Iterator[type]:
    """The base, and the classes below it that have a `request` of their own: another tool's, which knows the base's from before ours."""
    yield base
    below: type
    for below in base.__subclasses__():
        yield from (kind for kind in owners(below) if "request" in vars(kind))


def following(client: Client) -> Callable[[Method], Method]:
    """Make the method of the synchronous base."""

    def make(original: Method) -> Method:
        def request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
            boundary = boundaries.enter(client)
            if boundary is None:
                return original(self, cast_to, options, *args, **kwargs)
            added = stream_usage.ask(self, options) if kwargs.get("stream") and not client.ignored else None
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
            if boundary.wire_call is not None and not boundary.wire_call.over:
                _follow(answer, boundary.wire_call, added, _chunks)
            return answer

        return request

    return make


def following_async(client: Client) -> Callable[[Method], Method]:
    """As `following`, of the asynchronous base."""

    def make(original: Method) -> Method:
        async def request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
            boundary = boundaries.enter(client)
            if boundary is None:
                return await original(self, cast_to, options, *args, **kwargs)
            added = stream_usage.ask(self, options) if kwargs.get("stream") and not client.ignored else None
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
            if boundary.wire_call is not None and not boundary.wire_call.over:
                _follow(answer, boundary.wire_call, added, _chunks_async)
            return answer

        return request

    return make


@never_raise
def _remember_refusal(added: StreamOptions | None) -> None:
    if added is not None:
        stream_usage.remember(added.key, UsageReporting.REFUSES)


@never_raise
def _follow(answer: Any, wire_call: WireCall, added: StreamOptions | None, follow: Callable[..., Any]) -> None:
    while not hasattr(type(answer), "__stream__"):
        answer = getattr(answer, "__wrapped__", None)  # another tool's proxy around the stream, which it reads
        if answer is None:
            return
    if _ITERATOR not in vars(answer):
        return
    # The generator that the client has made, and not begun, refers to its stream: a stream that is thrown away would stay until
    # the garbage collector comes, and its call with it. Anthropic's client makes it of a copy, for the same reason.
    inner = copy.copy(answer)
    inner._iterator = None
    answer._iterator = follow(inner.__stream__(), wire_call, added)


def _chunks(iterator: Iterator[Any], wire_call: WireCall, added: StreamOptions | None) -> Iterator[Any]:
    hides = None if added is None or added.options is None else added.hides
    wire_call.judged = True
    try:
        for chunk in iterator:
            if hides is None or not hides(chunk):
                yield chunk
    except GeneratorExit:
        raise
    except BaseException as error:
        wire_call.settle(error)
        raise
    _ended(wire_call, added)


async def _chunks_async(iterator: AsyncIterator[Any], wire_call: WireCall, added: StreamOptions | None) -> AsyncIterator[Any]:
    hides = None if added is None or added.options is None else added.hides
    wire_call.judged = True
    try:
        async for chunk in iterator:
            if hides is None or not hides(chunk):
                yield chunk
    except GeneratorExit:
        raise
    except BaseException as error:
        wire_call.settle(error)
        raise
    _ended(wire_call, added)


@never_raise
def _ended(wire_call: WireCall, added: StreamOptions | None) -> None:
    if added is not None and added.options is None and wire_call.answer.done:
        stream_usage.remember(added.key, UsageReporting.SILENT if wire_call.answer.usage is None else UsageReporting.TELLS)
    if wire_call.over:
        # After the last event the client reads on to the end of the body, and says nothing of what goes wrong there.
        wire_call.settle(None if wire_call.answer.done else wire_call.error)
