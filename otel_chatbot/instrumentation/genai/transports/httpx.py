"""Calls of models that leave through httpx, or httpx2, which is the same under a new name: most clients' and the application's own.

Fed by `Client.send` and `AsyncClient.send`; feeds `genai.wire_call`. The application gets its own response; of one that is read
piece by piece, the stream is ours and hands on the same pieces.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

from ...._guard import report
from ...common.patching import Method, Patches
from .. import runs
from ..recognise import Place, asks_none, may_ask
from ..wire_call import WireCall, begin


def instrument(module: ModuleType, patches: Patches) -> None:
    """Follow the calls of the module's clients."""
    sync, asynchronous = _streams(module)
    unset = module.USE_CLIENT_DEFAULT
    patches.wrap(module.Client, "send", lambda original: _sending(original, sync, unset))
    patches.wrap(module.AsyncClient, "send", lambda original: _sending_async(original, asynchronous, unset))


def _sending(original: Method, followed: Callable[..., Any], unset: Any) -> Method:
    # The method's own parameters, one by one: to pass on whatever comes costs four times as many instructions.
    def send(
        self: Any, request: Any, *, stream: bool = False, auth: Any = unset, follow_redirects: Any = unset, **more: Any
    ) -> Any:
        passing = partial(original, **more) if more else original
        wire_call = _begin(request) if request.method == "POST" else None
        if wire_call is None:
            response = passing(self, request, stream=stream, auth=auth, follow_redirects=follow_redirects)
            if runs.WAITING and request.method == "GET" and runs.asks(request.url.path):
                _follow(runs.Poll(), response, followed)
            return response
        with wire_call:
            response = passing(self, request, stream=stream, auth=auth, follow_redirects=follow_redirects)
        _follow(wire_call, response, followed)
        return response

    return send


def _sending_async(original: Method, followed: Callable[..., Any], unset: Any) -> Method:
    async def send(
        self: Any, request: Any, *, stream: bool = False, auth: Any = unset, follow_redirects: Any = unset, **more: Any
    ) -> Any:
        passing = partial(original, **more) if more else original
        wire_call = _begin(request) if request.method == "POST" else None
        if wire_call is None:
            response = await passing(self, request, stream=stream, auth=auth, follow_redirects=follow_redirects)
            if runs.WAITING and request.method == "GET" and runs.asks(request.url.path):
                _follow(runs.Poll(), response, followed)
            return response
        with wire_call:
            response = await passing(self, request, stream=stream, auth=auth, follow_redirects=follow_redirects)
        _follow(wire_call, response, followed)
        return response

    return send


def _begin(request: Any) -> WireCall | None:
    try:
        url = request.url
        path, host = url.raw_path.decode("ascii"), url.host
        if asks_none(path, host) or not may_ask(path, host, looks=True):
            return None
        place = Place(host, url.port, path, url.scheme)
        return begin(place, lambda: _body(request))
    except Exception as fault:
        report("looking at a request of httpx", fault)
        return None


def _body(request: Any) -> bytes | None:
    # A body that the client reads while it sends is none of ours to read; `content` raises for it.
    content = getattr(request, "_content", None)
    return content if isinstance(content, bytes) else None


def _follow(wire_call: WireCall | runs.Poll, response: Any, stream: Callable[..., Any]) -> None:
    try:
        if response.is_closed:
            wire_call.answered(response.status_code, response.headers.get, response.content)
        elif wire_call.responded(response.status_code, response.headers.get, decoded=False):
            response.stream = stream(response.stream, wire_call)
    except Exception as fault:
        report("following an answer of httpx", fault)


class _Followed:
    """The stream of a response, read along."""

    def __init__(self, stream: Any, wire_call: WireCall | runs.Poll) -> None:
        self._stream = stream
        self._exchange = wire_call

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_stream"], name)  # httpx2 and anthropic's client ask a stream for more

    def __del__(self) -> None:
        self._exchange.abandon()


class _FollowedSync(_Followed):
    def __iter__(self) -> Iterator[bytes]:
        wire_call = self._exchange
        try:
            for piece in self._stream:
                wire_call.feed(piece)
                yield piece
        except GeneratorExit:
            raise
        except BaseException as error:
            wire_call.fail(error)
            raise
        wire_call.finish()

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._exchange.closed()


class _FollowedAsync(_Followed):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        wire_call = self._exchange
        try:
            async for piece in self._stream:
                wire_call.feed(piece)
                yield piece
        except GeneratorExit:
            raise
        except BaseException as error:
            wire_call.fail(error)
            raise
        wire_call.finish()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._exchange.closed()


def _streams(module: ModuleType) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Streams for the module's responses, which look at their base class."""
    sync = type("Followed", (_FollowedSync, module.SyncByteStream), {})
    return sync, type("FollowedAsync", (_FollowedAsync, module.AsyncByteStream), {})
