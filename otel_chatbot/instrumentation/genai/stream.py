"""A streamed answer of the openai client, followed to its end, its failure, or its reader's loss of interest.

Fed by `genai.openai_calls`; feeds `genai.call.Call`. The application gets the client's own stream behind a proxy: the same
chunks, less the one that we asked for (the usage at the end), and the same errors.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from wrapt import ObjectProxy

from ..._guard import never_raise
from .call import Call

if TYPE_CHECKING:
    _Proxy: TypeAlias = ObjectProxy[Any]
else:
    _Proxy = ObjectProxy

Take = Callable[[Call, Any], bool]
"""Tells a call what a chunk holds; True when the application must not see it."""


class Reader:
    """Who is reading an answer just now: the client itself closes the connection then, and that is no sign of leaving."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._who: object = None

    def __enter__(self) -> None:
        self._who = _who()

    def __exit__(self, *_: object) -> None:
        self._who = None

    @never_raise
    def closed(self) -> None:
        """The connection was closed: by the client while it reads, else by an application that leaves."""
        if self._who is None or self._who != _who():
            self.call.leave()


def _who() -> tuple[int, object]:
    try:
        return threading.get_ident(), asyncio.current_task()
    except RuntimeError:  # no loop runs here
        return threading.get_ident(), None


class _Followed(_Proxy):
    def __init__(self, stream: Any, reader: Reader, take: Take) -> None:
        super().__init__(stream)
        self._self_reader = reader
        self._self_take = take

    def __del__(self) -> None:
        self._self_reader.call.abandon()


class FollowedStream(_Followed):
    """A `Stream` whose chunks are told to a call."""

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        reader = self._self_reader
        while True:
            try:
                with reader:
                    chunk = next(self.__wrapped__)
            except StopIteration:
                reader.call.end()
                raise
            except BaseException as error:
                reader.call.end(error)
                raise
            if not self._self_take(reader.call, chunk):
                return chunk

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FollowedAsyncStream(_Followed):
    """An `AsyncStream` whose chunks are told to a call."""

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        reader = self._self_reader
        while True:
            try:
                with reader:
                    chunk = await self.__wrapped__.__anext__()
            except StopAsyncIteration:
                reader.call.end()
                raise
            except BaseException as error:
                reader.call.end(error)
                raise
            if not self._self_take(reader.call, chunk):
                return chunk

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def follow(stream: Any, call: Call, take: Take) -> Any:
    """The stream to give to the application in place of the client's own."""
    from openai import AsyncStream

    reader = Reader(call)
    plain = stream
    while hasattr(plain, "__wrapped__"):  # upstream's instrumentation has its own proxy around it
        plain = plain.__wrapped__
    watch(plain.response, reader)
    return (FollowedAsyncStream if isinstance(plain, AsyncStream) else FollowedStream)(stream, reader, take)


def watch(response: Any, reader: Reader) -> None:
    """Notice when an HTTP response is closed, which every way to leave an answer does."""
    close, aclose = getattr(response, "close", None), getattr(response, "aclose", None)
    if close is not None:

        @functools.wraps(close)
        def closing() -> None:
            try:
                close()
            finally:
                reader.closed()

        response.close = closing
    if aclose is not None:

        @functools.wraps(aclose)
        async def aclosing() -> None:
            try:
                await aclose()
            finally:
                reader.closed()

        response.aclose = aclosing
