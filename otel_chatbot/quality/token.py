"""The token that stands for an answer: which span it is and which model and release gave it, signed, in characters that URLs may hold.

Fed by `quality.answer_ids`, which signs; feeds `quality.feedback`, which reads. It holds no text and no user.

Layout, before base64: version, flags, unix seconds, the key's name (4 bytes), trace id, span id, then model, release and the
response's id with a byte of length each, and the first 16 bytes of the HMAC-SHA256 of all that.
"""

from __future__ import annotations

import binascii
import hmac
import struct
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

_VERSION: Final = 1
_HEAD: Final = struct.Struct(">BBI4s16s8s")
_SIGNATURE: Final = 16
"""Bytes of the signature: half of SHA-256's, which RFC 2104 calls the least."""
LONGEST: Final = 64
"""The most bytes of a model's name, of a release and of a response's id; what is longer is cut."""
LONGEST_TOKEN: Final = (_HEAD.size + 3 * (1 + LONGEST) + _SIGNATURE + 2) // 3 * 4
"""The most characters of a token."""
_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_CLOCKS: Final = 300
"""Seconds by which the clock of another machine may be ahead."""


class Answer(NamedTuple):
    """An answer: its span's ids as bytes and flags, its model, release and response id (empty: not known), its unix time."""

    trace_id: bytes
    span_id: bytes
    flags: int
    model: str
    release: str
    response_id: str
    at: int


class Flaw(str, Enum):
    """Why a token is not taken."""

    FORGED = "forged"
    """It is no token, or was changed."""
    FOREIGN = "foreign"
    """Another key has signed it: another app's, or that of a run that is over."""
    EXPIRED = "expired"
    """Its answer is too old to be rated."""


class SigningKey:
    """A key and its name in tokens, which tells a foreign token from a forged one and nothing of the key."""

    __slots__ = ("name", "secret")

    def __init__(self, secret: bytes) -> None:
        self.secret = hmac.digest(secret, b"otel-chatbot answer", "sha256")
        self.name = hmac.digest(secret, b"otel-chatbot name", "sha256")[:4]


def sign(answer: Answer, key: SigningKey) -> str:
    """The token of an answer."""
    told = _HEAD.pack(_VERSION, answer.flags, answer.at, key.name, answer.trace_id, answer.span_id)
    told += _names(answer.model, answer.release) + _text(answer.response_id)
    signed = told + hmac.digest(key.secret, told, "sha256")[:_SIGNATURE]
    return binascii.b2a_base64(signed, newline=False).translate(_URL).rstrip(b"=").decode()


@lru_cache(maxsize=256)
def _names(model: str, release: str) -> bytes:
    return _text(model) + _text(release)


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if len(data) > LONGEST:
        data = data[:LONGEST].decode("utf-8", "ignore").encode()  # no half of a character
    return bytes((len(data),)) + data


def read(token: object, key: SigningKey, now: float, lifetime: float) -> Answer | Flaw:
    """The answer that a token stands for, or why it is not taken. A token comes from outside: it may be anything."""
    signed = _decoded(token)
    if signed is None or len(signed) < _HEAD.size + _SIGNATURE:
        return Flaw.FORGED
    told, signature = signed[:-_SIGNATURE], signed[-_SIGNATURE:]
    version, flags, at, name, trace_id, span_id = _HEAD.unpack_from(told)
    if version != _VERSION:
        return Flaw.FORGED
    if not hmac.compare_digest(name, key.name):
        return Flaw.FOREIGN
    if not hmac.compare_digest(hmac.digest(key.secret, told, "sha256")[:_SIGNATURE], signature):
        return Flaw.FORGED
    if not -_CLOCKS <= now - at <= lifetime:
        return Flaw.EXPIRED
    place = _HEAD.size
    model, place = _text_at(told, place)
    release, place = _text_at(told, place)
    response_id, _ = _text_at(told, place)
    return Answer(trace_id, span_id, flags, model, release, response_id, at)


def _text_at(told: bytes, place: int) -> tuple[str, int]:
    end = place + 1 + told[place]
    return told[place + 1 : end].decode(), end


def _decoded(token: object) -> bytes | None:
    if not isinstance(token, str) or not token.isascii() or len(token) > LONGEST_TOKEN:
        return None
    text = token.encode().translate(_FROM_URL)
    try:
        decoded = binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    except ValueError:
        return None
    # One answer has one token: base64 ignores foreign characters and the bits beyond the last byte.
    return decoded if binascii.b2a_base64(decoded, newline=False).rstrip(b"=") == text else None
