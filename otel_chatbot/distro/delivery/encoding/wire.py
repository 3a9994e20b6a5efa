"""The protobuf wire format: varints, fields with a length, values of attributes.

Fed by `encoding.attributes`, `encoding.traces`, `encoding.logs` and `encoding.metrics`. Pure functions.
Source: protobuf.dev/programming-guides/encoding, and opentelemetry/proto/common/v1/common.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

DOUBLE: Final = struct.Struct("<d")
FIXED32: Final = struct.Struct("<I")
FIXED64: Final = struct.Struct("<Q")
_INT64_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF


def varint(number: int) -> bytes:
    """A whole number that is not negative, seven bits per byte."""
    if number < 128:
        return _VARINTS[number]
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


_VARINTS: Final = tuple(bytes((number,)) for number in range(128))


def field(tag: bytes, data: bytes) -> bytes:
    """A field with a length: a text, bytes, or a message inside another one."""
    length = len(data)
    return tag + (_VARINTS[length] if length < 128 else varint(length)) + data


def text_field(tag: bytes, text: str | None) -> bytes:
    """A text that is left out when it is empty, as protobuf leaves out defaults."""
    return field(tag, text.encode()) if text else b""


def number_field(tag: bytes, number: int | None) -> bytes:
    """A varint that is left out when it is 0."""
    return tag + varint(number) if number else b""


def any_value(value: Any) -> bytes:
    """The fields of an `AnyValue`. TypeError for a type that it cannot hold, OverflowError for a number beyond 64 bits."""
    if isinstance(value, str):
        return field(b"\x0a", str.encode(value))
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise OverflowError(f"a number of {value.bit_length()} bits does not fit into the 64 signed bits of OTLP")
        return b"\x18" + varint(value & _INT64_MASK)
    return b"\x21" + DOUBLE.pack(value) if isinstance(value, float) else _compound(value)


def _compound(value: Any) -> bytes:
    if isinstance(value, bytes):
        return field(b"\x3a", value)
    if isinstance(value, Sequence):
        return field(b"\x2a", b"".join([field(b"\x0a", any_value(item)) for item in value]))
    if isinstance(value, Mapping):
        return field(b"\x32", b"".join([field(b"\x0a", key_value(str(key), item)) for key, item in value.items()]))
    raise TypeError(f"a value of type {type(value).__name__} cannot be sent")


def key_value(key: str, value: Any) -> bytes:
    """The fields of a `KeyValue`."""
    return text_field(b"\x0a", key) + field(b"\x12", any_value(value))
