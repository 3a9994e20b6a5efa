"""Calls of models that leave through urllib3: requests, botocore, google-generativeai, and applications that use it themselves.

Fed by `HTTPConnectionPool.urlopen`; feeds `genai.wire_call`. Of an answer that is read later, the reading methods are ours, on
the response itself, and give what they give without us.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from ...._guard import never_raise
from ...common.patching import Method, Patches
from .. import runs
from ..recognise import Place, asks_none, may_ask
from ..wire_call import WireCall, begin
from .reading import Reader, read_along, reader_of


def instrument(module: ModuleType, patches: Patches) -> None:
    """Follow the calls of the module's pools."""
    pools: Any = module.connectionpool
    # The default of the method's `timeout`, which has no public name: urllib3/connectionpool.py, of version 2 and of version 1.
    unset = pools._DEFAULT_TIMEOUT if hasattr(pools, "_DEFAULT_TIMEOUT") else pools._Default
    patches.wrap(pools.HTTPConnectionPool, "urlopen", lambda original: _opening(original, unset))


def _opening(original: Method, unset: Any) -> Method:
    # The method's own parameters, one by one: to pass on whatever comes costs five times as many instructions. By their names,
    # as urllib3's callers give them: what else has wrapped the method finds them under these.
    def urlopen(
        self: Any,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        retries: Any = None,
        redirect: Any = True,
        assert_same_host: Any = True,
        timeout: Any = unset,
        pool_timeout: Any = None,
        release_conn: Any = None,
        chunked: Any = False,
        body_pos: Any = None,
        preload_content: Any = True,
        decode_content: Any = True,
        **more: Any,
    ) -> Any:
        passing = functools.partial(original, **more) if more else original
        asks = method == "POST" and not asks_none(url, self.host) and may_ask(url, self.host, looks=True)
        wire_call = _begin(self, url, body) if asks else None
        if wire_call is None:
            response = passing(
                self, method, url, body, headers=headers, retries=retries, redirect=redirect, assert_same_host=assert_same_host,
                timeout=timeout, pool_timeout=pool_timeout, release_conn=release_conn, chunked=chunked, body_pos=body_pos,
                preload_content=preload_content, decode_content=decode_content,
            )  # fmt: skip
            if runs.WAITING and method == "GET" and runs.asks(url):
                _follow(runs.Poll(), response)
            return response
        with wire_call:
            response = passing(
                self, method, url, body, headers=headers, retries=retries, redirect=redirect, assert_same_host=assert_same_host,
                timeout=timeout, pool_timeout=pool_timeout, release_conn=release_conn, chunked=chunked, body_pos=body_pos,
                preload_content=preload_content, decode_content=decode_content,
            )  # fmt: skip
        _follow(wire_call, response)
        return response

    return urlopen


@never_raise
def _begin(pool: Any, url: str, body: Any) -> WireCall | None:
    path = url if url.startswith("/") else "/" + url.partition("://")[2].partition("/")[2]  # whole, for a proxy
    port = pool.port if pool.port not in (80, 443) else None
    return begin(Place(pool.host or "", port, path, pool.scheme), lambda: _body(body))


def _body(body: Any) -> bytes | None:
    if isinstance(body, str):
        return body.encode()
    return bytes(body) if isinstance(body, (bytes, bytearray)) else None


@never_raise
def _follow(wire_call: WireCall | runs.Poll, response: Any) -> None:
    # The body that urllib3 has read before it returned (urllib3/response.py); there is no public way to ask without reading.
    body = getattr(response, "_body", None)
    if isinstance(body, bytes):
        wire_call.answered(response.status, response.headers.get, body)
    elif wire_call.responded(response.status, response.headers.get, decoded=False):
        read_along(response, Reader(wire_call), _methods)


def _methods(kind: Any) -> dict[str, Method]:
    made = {name: _reading(getattr(kind, name)) for name in ("read", "read1") if hasattr(kind, name)}
    return made | {name: _streaming(getattr(kind, name)) for name in ("stream", "read_chunked") if hasattr(kind, name)}


def _reading(original: Method) -> Method:
    @functools.wraps(original)
    def read(self: Any, amt: Any = None, decode_content: Any = None, *args: Any, **kwargs: Any) -> Any:
        reader = reader_of(self)
        if reader.inside:
            return original(self, amt, decode_content, *args, **kwargs)
        with reader:
            data = original(self, amt, decode_content, *args, **kwargs)
        _took(reader.wire_call, data, decoded=_decodes(self, decode_content))
        if amt is None or amt < 0 or (amt and not data):
            reader.wire_call.finish()
        return data

    return read


def _streaming(original: Method) -> Method:
    @functools.wraps(original)
    def stream(self: Any, amt: Any = 2**16, decode_content: Any = None) -> Iterator[bytes]:
        reader = reader_of(self)
        if reader.inside:
            yield from original(self, amt, decode_content)
            return
        pieces = original(self, amt, decode_content)
        # In chunks, urllib3 decodes only if it is told to (urllib3/response.py, `read_chunked`).
        decoded = decode_content if _is_chunked(self) else _decodes(self, decode_content)
        while True:
            reader.inside = True
            try:
                piece = next(pieces)
            except StopIteration:
                break
            except BaseException as error:
                reader.wire_call.fail(error)
                raise
            finally:
                reader.inside = False
            _took(reader.wire_call, piece, decoded=bool(decoded))
            yield piece
        reader.wire_call.finish()

    return stream


def _decodes(response: Any, asked: Any) -> bool:
    return bool(response.decode_content if asked is None else asked)


def _is_chunked(response: Any) -> bool:
    return bool(getattr(response, "chunked", False)) and response.supports_chunked_reads()


@never_raise
def _took(wire_call: WireCall | runs.Poll, data: Any, *, decoded: bool) -> None:
    if isinstance(data, bytes) and data:
        wire_call.feed(data, decoded=decoded)
