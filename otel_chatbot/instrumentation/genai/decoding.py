"""Compressed answers, decoded on a copy: the application's client gets its bytes as they came and decodes them itself.

Fed by `genai.wire_call`. What a few bytes may unfold into is limited.
"""

from __future__ import annotations

import importlib
import zlib
from typing import Any, Final, Protocol

MOST: Final = 16 * 1024 * 1024
"""Bytes that one piece may unfold into."""


class UnreadableError(Exception):
    """The bytes cannot be decoded."""


class Decoder(Protocol):
    """Decodes a body piece by piece."""

    def decode(self, data: bytes) -> bytes:
        """What these bytes add to the body."""


class _Zlib:
    __slots__ = ("_first", "_inner")

    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits)
        self._first = wbits == zlib.MAX_WBITS

    def decode(self, data: bytes) -> bytes:
        try:
            return self._inner.decompress(data, MOST)
        except zlib.error as error:
            if not self._first:
                raise UnreadableError from error
            self._first = False  # some servers call the raw format `deflate`
            self._inner = zlib.decompressobj(-zlib.MAX_WBITS)
            return self.decode(data)


class _Foreign:
    """A decompressor of another library, whose decompressing method has this name."""

    __slots__ = ("_decompress",)

    def __init__(self, inner: Any, name: str) -> None:
        self._decompress = getattr(inner, name)

    def decode(self, data: bytes) -> bytes:
        try:
            return bytes(self._decompress(data))
        except Exception as error:  # each library has its own
            raise UnreadableError from error


_LIBRARIES: Final = {
    "br": (("brotli", "Decompressor", "process"), ("brotlicffi", "Decompressor", "decompress")),
    "zstd": (("compression.zstd", "ZstdDecompressor", "decompress"), ("backports.zstd", "ZstdDecompressor", "decompress")),
}
"""By encoding: module, class and method of the libraries that the clients themselves would use."""


def decoder(encoding: str) -> Decoder | None:
    """A decoder for a `Content-Encoding`; None where there is nothing to decode. UnreadableError where there is no way to."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip"):
        return _Zlib(zlib.MAX_WBITS | 16)
    if name == "deflate":
        return _Zlib(zlib.MAX_WBITS)
    if name == "zstd":
        try:
            return _Foreign(importlib.import_module("zstandard").ZstdDecompressor().decompressobj(), "decompress")
        except ImportError:
            pass
    for module, kind, method in _LIBRARIES.get(name, ()):
        try:
            return _Foreign(getattr(importlib.import_module(module), kind)(), method)
        except ImportError:
            continue
    raise UnreadableError(name)
