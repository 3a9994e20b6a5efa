"""Calls of models that leave through the standard library: `urllib.request.urlopen`, `http.client`, and what is built on them.

Fed by `HTTPConnection.request`; feeds `genai.exchange`. Where urllib3 sends, whose connections derive from these, its transport
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
from ..exchange import Exchange, begin
from ..recognise import Place

_READS: Final = ("read", "read1", "readline")
"""Iteration, `readlines` and text wrappers go through these (Modules/_io/iobase.c, Lib/http/client.py)."""
_READER: Final = "_otel_chatbot_reader"


def instrument(module: ModuleType, patches: Patches) -> None:
    """Follow the calls of the module's connections."""
    patches.wrap(module.HTTPConnection, "request", asking)


def asking(original: Method) -> Method:
    """The method `request` of connections."""

    def request(self: Any, method: str, url: Any, body: Any = None, *args: Any, **kwargs: Any) -> Any:
        exchange = _begin(self, url, body) if method == "POST" else None
        if exchange is None:
            return original(self, method, url, body, *args, **kwargs)
        with exchange:
            sent = original(self, method, url, body, *args, **kwargs)
        _await(self, exchange)
        return sent

    return request


@never_raise
def _begin(connection: Any, url: Any, body: Any) -> Exchange | None:
    if not isinstance(url, str):
        return None
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


class _Reader:
    """Holds the exchange for one answer, and nothing else: what is thrown away goes at once, as without us."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.inside = False
        """Whether one of the methods runs: those that it calls are not followed."""

    def __del__(self) -> None:
        self.exchange.abandon()


@never_raise
def _await(connection: Any, exchange: Exchange) -> None:
    connection.getresponse = _answering(type(connection).getresponse, weakref.ref(connection), _Reader(exchange))


def _answering(original: Method, here: Callable[[], Any], reader: _Reader) -> Method:
    @functools.wraps(original)
    def getresponse() -> Any:
        connection = here()
        vars(connection).pop("getresponse", None)
        try:
            response = original(connection)
        except BaseException as error:
            reader.exchange.fail(error)
            raise
        _follow(response, reader)
        return response

    return getresponse


@never_raise
def _follow(response: Any, reader: _Reader) -> None:
    if not reader.exchange.responded(response.status, response.headers.get, decoded=False):
        return
    if response.isclosed():  # no body
        reader.exchange.finish()
        return
    vars(response)[_READER] = reader
    kind: Any = type(response)
    response.__class__ = _followed(kind)


@functools.lru_cache(maxsize=16)
def _followed(kind: Any) -> type:
    """The response's class, whose reading methods are ours: they are bound as methods are, for many write `urlopen(…).read()`."""
    made: dict[str, Any] = {name: _reading(getattr(kind, name)) for name in _READS}
    made |= {"readinto": _filling(kind.readinto), "close": _closing(kind.close)}
    return type(kind.__name__, (kind,), {**made, "__module__": kind.__module__, "__qualname__": kind.__qualname__})


def _reading(original: Method) -> Method:
    @functools.wraps(original)
    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        reader = vars(self)[_READER]
        if reader.inside:
            return original(self, *args, **kwargs)
        with _inside(reader):
            data = original(self, *args, **kwargs)
        _took(reader.exchange, data, self, over=not data and 0 not in args)
        return data

    return read


def _filling(original: Method) -> Method:
    @functools.wraps(original)
    def readinto(self: Any, buffer: Any, *args: Any) -> Any:
        reader = vars(self)[_READER]
        if reader.inside:
            return original(self, buffer, *args)
        with _inside(reader):
            size = original(self, buffer, *args)
        _took(reader.exchange, bytes(memoryview(buffer).cast("B")[: size or 0]), self, over=not size)
        return size

    return readinto


class _inside:  # noqa: N801 - used as a function
    """A block in which a method runs that may call others; an exception in it ends the answer."""

    __slots__ = ("_reader",)

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    def __enter__(self) -> None:
        self._reader.inside = True

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._reader.inside = False
        if error is not None:
            self._reader.exchange.fail(error)


@never_raise
def _took(exchange: Exchange, data: Any, response: Any, *, over: bool) -> None:
    if isinstance(data, bytes) and data:
        exchange.feed(data)
    if over or response.isclosed():  # by itself, when all of the body has been read
        exchange.finish()


def _closing(original: Method) -> Method:
    @functools.wraps(original)
    def close(self: Any) -> None:
        reader = vars(self)[_READER]
        try:
            original(self)
        finally:
            if not reader.inside:
                reader.exchange.closed()

    return close
