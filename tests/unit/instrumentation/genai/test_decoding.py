"""Compressed answers: decoded piece by piece on a copy, within a limit, and unreadable where there is no way."""

from __future__ import annotations

import sys
import zlib
from contextlib import suppress
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_chatbot.instrumentation.genai import decoding

BODY = b'data: {"text": "na\xc3\xafve"}\n\n' * 60


@pytest.mark.parametrize(
    ("encoding", "wbits"), [("gzip", 31), ("deflate", 15), ("deflate", -15), ("x-gzip", 31)], ids=lambda value: str(value)
)
def test_compressed_bytes_are_decoded_piece_by_piece(encoding: str, wbits: int) -> None:
    packer = zlib.compressobj(wbits=wbits)
    packed = packer.compress(BODY) + packer.flush()
    decoder = decoding.decoder(encoding)
    assert decoder is not None
    assert b"".join(decoder.decode(packed[place : place + 7]) for place in range(0, len(packed), 7)) == BODY


@given(st.sampled_from(["gzip", "deflate"]), st.binary(max_size=200))
def test_bytes_that_cannot_be_decoded_are_unreadable_and_nothing_else(encoding: str, data: bytes) -> None:
    decoder = decoding.decoder(encoding)
    assert decoder is not None
    with suppress(decoding.UnreadableError):
        assert isinstance(decoder.decode(data), bytes)


def test_an_unknown_encoding_is_unreadable() -> None:
    with pytest.raises(decoding.UnreadableError):
        decoding.decoder("secret, gzip")


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_where_there_is_nothing_to_decode_there_is_no_decoder(encoding: str) -> None:
    assert decoding.decoder(encoding) is None


def test_a_few_bytes_unfold_into_no_more_than_the_limit() -> None:
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(b"\0" * (decoding.MOST + 1_000_000)) + packer.flush()
    decoder = decoding.decoder("gzip")
    assert decoder is not None
    assert len(packed) < 100_000
    assert len(decoder.decode(packed)) == decoding.MOST


class Reverse:
    """As the decompressor of such a library."""

    def process(self, data: bytes) -> bytes:
        if data == b"broken":
            raise RuntimeError("brotli: decoder failed")
        return data[::-1]


def test_the_library_that_the_client_itself_would_use_decodes_and_its_error_means_unreadable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = ModuleType("brotli")
    library.Decompressor = Reverse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "brotli", library)
    decoder = decoding.decoder("BR")
    assert decoder is not None
    assert decoder.decode(b"abc") == b"cba"
    with pytest.raises(decoding.UnreadableError):
        decoder.decode(b"broken")


@pytest.mark.parametrize("encoding", ["br", "zstd"])
def test_an_encoding_whose_library_is_missing_is_unreadable(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    missing: Any = None
    for name in ("brotli", "brotlicffi", "zstandard", "compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, missing)
    with pytest.raises(decoding.UnreadableError):
        decoding.decoder(encoding)
