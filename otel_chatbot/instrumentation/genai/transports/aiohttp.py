"""Calls of models that leave through aiohttp: google-genai's asynchronous ones where it is installed, and the application's own.

Fed by `ClientSession._request`, behind which every method of a session is, and by the readers of bodies; feeds
`genai.wire_call`. The application gets its own response. What it reads of the body is read along, decompressed by aiohttp.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from ...._guard import never_raise
from ...common.patching import Method, Patches
from .. import runs
from ..protocols.protocol import Body
from ..recognise import JUDGED, Place, asks_none, may_ask
from ..wire_call import WireCall, begin

_followed: Final[dict[int, WireCall | runs.Poll]] = {}
"""By the identity of a body's reader (aiohttp/streams.py), which has slots: nothing can be put on it, no reference be weak.
It lives as long as its response, with which the entry goes."""

_POST, _GET = ("POST", "post"), ("GET", "get")


def instrument(module: ModuleType, patches: Patches) -> None:
    """Follow the calls of the module's sessions."""
    patches.wrap(module.ClientSession, "_request", lambda original: _sending(original, _Readers(module, patches)))


class _Readers:
    """The methods by which answers are read: ours from the first answer of a model on, so that other requests pay nothing."""

    def __init__(self, module: ModuleType, patches: Patches) -> None:
        self._module, self._patches = module, patches
        self._followed = False

    def follow(self) -> None:
        """Read along from now on."""
        if self._followed:
            return
        self._followed = True
        reader = self._module.streams.StreamReader
        self._patches.wrap(reader, "_read_nowait_chunk", _reading)
        self._patches.wrap(reader, "feed_eof", _ending)
        self._patches.wrap(reader, "set_exception", _failing)
        for name in ("close", "release"):
            self._patches.wrap(self._module.ClientResponse, name, _closing)


def _sending(original: Method, readers: _Readers) -> Method:
    async def _request(self: Any, method: str, url: Any, **kwargs: Any) -> Any:
        wire_call = None
        if method in _POST:
            if asks_none(url, self._base_url):
                return await original(self, method, url, **kwargs)
            wire_call = _begin(self, url, kwargs)
        if wire_call is None:
            response = await original(self, method, url, **kwargs)
            if runs.WAITING and method in _GET and runs.asks(str(response.url)):
                _follow(runs.Poll(), response, readers)
            return response
        with wire_call:
            response = await original(self, method, url, **kwargs)
        _follow(wire_call, response, readers)
        return response

    return _request


@never_raise
def _begin(session: Any, url: Any, kwargs: Mapping[str, Any]) -> WireCall | None:
    full = session._build_url(url)
    host, path = full.host or "", full.raw_path_qs
    if asks_none(path, host) or not may_ask(path, host, looks=True):
        JUDGED.note(url, session._base_url)
        return None
    place = Place(host, full.explicit_port, path, full.scheme)
    return begin(place, lambda: _body(kwargs))


def _body(kwargs: Mapping[str, Any]) -> bytes | Body | None:
    data, parsed = kwargs.get("data"), kwargs.get("json")
    if isinstance(parsed, dict):
        return parsed
    if isinstance(data, str):
        return data.encode()
    return bytes(data) if isinstance(data, (bytes, bytearray)) else None


@never_raise
def _follow(wire_call: WireCall | runs.Poll, response: Any, readers: _Readers) -> None:
    if not wire_call.responded(response.status, response.headers.get, decoded=True):
        return
    reader = response.content
    if not hasattr(reader, "_buffer"):  # the one reader of all empty bodies
        wire_call.whole(b"")
        return
    readers.follow()
    _followed[id(reader)] = wire_call
    weakref.finalize(response, _gone, id(reader), wire_call)
    if reader._eof and not reader._buffer:
        wire_call.finish()


def _gone(reader: int, wire_call: WireCall | runs.Poll) -> None:
    _followed.pop(reader, None)
    wire_call.abandon()


def _reading(original: Method) -> Method:
    def _read_nowait_chunk(self: Any, n: int) -> bytes:
        data: bytes = original(self, n)
        if _followed:
            _read(self, data)
        return data

    return _read_nowait_chunk


@never_raise
def _read(reader: Any, data: bytes) -> None:
    wire_call = _followed.get(id(reader))
    if wire_call is not None:
        wire_call.feed(data, decoded=True)
        if reader._eof and not reader._buffer:
            wire_call.finish()


def _ending(original: Method) -> Method:
    def feed_eof(self: Any) -> None:
        original(self)
        if _followed:
            _read(self, b"")

    return feed_eof


def _failing(original: Method) -> Method:
    def set_exception(self: Any, exc: BaseException, *args: Any, **kwargs: Any) -> None:
        original(self, exc, *args, **kwargs)
        wire_call = _followed.get(id(self)) if _followed else None
        if wire_call is not None:
            wire_call.fail(exc)

    return set_exception


def _closing(original: Method) -> Method:
    def close(self: Any) -> Any:
        if _followed:
            _left(self)  # before: a connection that is closed under a reader is a failure to it
        return original(self)

    return close


@never_raise
def _left(response: Any) -> None:
    wire_call = None if response.content is None else _followed.get(id(response.content))
    if wire_call is not None:
        wire_call.closed()
