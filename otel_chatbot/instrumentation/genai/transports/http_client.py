"""Calls of models that leave through the standard library: `urllib.request.urlopen`, `http.client`, and what is built on them.

Fed by `HTTPConnection.request`; feeds `genai.wire_call`. Where urllib3 sends, whose connections derive from these, its transport
has begun the call already. Of a connection that asks a model, `getresponse` is ours for this one answer, and of the answer the
reading methods: all on the objects themselves, so that no other request is touched.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from ...._guard import never_raise
from ...common.patching import Method, Patches
from .. import runs
from ..recognise import Place, asks_none, may_ask
from ..wire_call import WireCall, begin
from .reading import Reader, read_along, reader_of

_READS: Final = ("read", "read1", "readline")
"""Iteration, `readlines` and text wrappers go through these (Modules/_io/iobase.c, Lib/http/client.py)."""
_NONE: Final[dict[str, str]] = {}


def instrument(module: ModuleType, patches: Patches) -> None:
    """Follow the calls of the module's connections."""
    patches.wrap(module.HTTPConnection, "request", asking)


def asking(original: Method) -> Method:
    """The method `request` of connections."""

    # The method's own parameters, one by one: to pass on whatever comes costs three times as many instructions.
    def request(
        self: Any, method: str, url: Any, body: Any = None, headers: Any = _NONE, *, encode_chunked: bool = False
    ) -> Any:
        if method == "POST":
            if asks_none(url, self.host):
                return original(self, method, url, body, headers, encode_chunked=encode_chunked)
            wire_call = _begin(self, url, body) if may_ask(url, self.host, looks=True) else None
        else:
            wire_call = None
        if wire_call is None:
            sent = original(self, method, url, body, headers, encode_chunked=encode_chunked)
            if runs.WAITING and method == "GET" and runs.asks(str(url)):
                _await(self, runs.Poll())
            return sent
        with wire_call:
            sent = original(self, method, url, body, headers, encode_chunked=encode_chunked)
        _await(self, wire_call)
        return sent

    return request


@never_raise
def _begin(connection: Any, url: str, body: Any) -> WireCall | None:
    path = url if url.startswith("/") else "/" + url.partition("://")[2].partition("/")[2]  # whole, for a proxy
    https = connection.default_port == 443
    # The host behind a proxy's tunnel (Lib/http/client.py, `set_tunnel`) has no public name.
    host, port = getattr(connection, "_tunnel_host", None) or connection.host, connection.port
    place = Place(host, port if port not in (80, 443) else None, path, "https" if https else "http")
    return begin(place, lambda: _body(body))


def _body(body: Any) -> bytes | None:
    if isinstance(body, str):
        return body.encode("iso-8859-1", "replace")  # as http.client sends it
    return bytes(body) if isinstance(body, (bytes, bytearray, memoryview)) else None


@never_raise
def _await(connection: Any, wire_call: WireCall | runs.Poll) -> None:
    connection.getresponse = _answering(type(connection).getresponse, weakref.ref(connection), Reader(wire_call))


def _answering(original: Method, here: Callable[[], Any], reader: Reader) -> Method:
    @functools.wraps(original)
    def getresponse() -> Any:
        connection = here()
        vars(connection).pop("getresponse", None)
        try:
            response = original(connection)
        except BaseException as error:
            reader.wire_call.fail(error)
            raise
        _follow(response, reader)
        return response

    return getresponse


@never_raise
def _follow(response: Any, reader: Reader) -> None:
    if not reader.wire_call.responded(response.status, response.headers.get, decoded=False):
        return
    if response.isclosed():  # no body
        reader.wire_call.finish()
        return
    read_along(response, reader, _methods)


def _methods(kind: Any) -> dict[str, Method]:
    made: dict[str, Method] = {name: _reading(getattr(kind, name)) for name in _READS}
    return made | {"readinto": _filling(kind.readinto)}


def _reading(original: Method) -> Method:
    @functools.wraps(original)
    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        reader = reader_of(self)
        if reader.inside:
            return original(self, *args, **kwargs)
        with reader:
            data = original(self, *args, **kwargs)
        _took(reader.wire_call, data, self, over=not data and 0 not in args)
        return data

    return read


def _filling(original: Method) -> Method:
    @functools.wraps(original)
    def readinto(self: Any, buffer: Any, *args: Any) -> Any:
        reader = reader_of(self)
        if reader.inside:
            return original(self, buffer, *args)
        with reader:
            size = original(self, buffer, *args)
        _took(reader.wire_call, bytes(memoryview(buffer).cast("B")[: size or 0]), self, over=not size)
        return size

    return readinto


@never_raise
def _took(wire_call: WireCall | runs.Poll, data: Any, response: Any, *, over: bool) -> None:
    if isinstance(data, bytes) and data:
        wire_call.feed(data)
    if over or response.isclosed():  # by itself, when all of the body has been read
        wire_call.finish()
