"""The protobuf wire format: what we write, protobuf reads."""

from __future__ import annotations

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_chatbot.distro.delivery.encoding.wire import any_value, field, key_value, number_field, text_field, varint


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (300, b"\xac\x02"),
        (16_384, b"\x80\x80\x01"),
        (2**64 - 1, b"\xff" * 9 + b"\x01"),
    ],
)
def test_a_number_has_seven_bits_per_byte_the_low_ones_first(number: int, written: bytes) -> None:
    assert varint(number) == written


@pytest.mark.parametrize("length", [0, 1, 127, 128, 20_000])
def test_a_field_has_its_length_before_it(length: int) -> None:
    assert AnyValue.FromString(field(b"\x0a", b"x" * length)).string_value == "x" * length


def test_defaults_are_left_out() -> None:
    assert (text_field(b"\x0a", ""), text_field(b"\x0a", None), number_field(b"\x10", 0), number_field(b"\x10", None)) == (
        b"",
    ) * 4
    assert (text_field(b"\x0a", "é"), number_field(b"\x10", 300)) == (b"\x0a\x02\xc3\xa9", b"\x10\xac\x02")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", "string_value"), ("é", "string_value"), (True, "bool_value"), (False, "bool_value"), (0, "int_value"),
        (-1, "int_value"), (-(2**63), "int_value"), (2**63 - 1, "int_value"), (0.0, "double_value"), (-2.5, "double_value"),
        (b"\x00x", "bytes_value"),
    ],
)  # fmt: skip
def test_a_plain_value_is_read_back_as_its_own_kind(value: object, kind: str) -> None:
    read = AnyValue.FromString(any_value(value))
    assert read.WhichOneof("value") == kind
    assert getattr(read, kind) == value


def test_lists_and_dictionaries_hold_values_of_their_own_and_none_is_an_empty_one() -> None:
    read = AnyValue.FromString(any_value({"list": [1, None, ("a",)], 2: {}}))
    pairs = {pair.key: pair.value for pair in read.kvlist_value.values}
    assert list(pairs) == ["list", "2"]
    assert [one.WhichOneof("value") for one in pairs["list"].array_value.values] == ["int_value", None, "array_value"]
    assert pairs["2"].WhichOneof("value") == "kvlist_value"


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (2**63, OverflowError, "a number of 64 bits does not fit into the 64 signed bits of OTLP"),
        (-(2**63) - 1, OverflowError, "a number of 64 bits"),
        ({1, 2}, TypeError, "a value of type set cannot be sent"),
        ([object()], TypeError, "a value of type object cannot be sent"),
    ],
)
def test_what_otlp_cannot_hold_is_refused_with_its_type(value: object, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        any_value(value)


def test_a_pair_always_has_its_value_even_an_empty_one() -> None:
    pair = KeyValue.FromString(key_value("", None))
    assert (pair.key, pair.HasField("value"), pair.value.WhichOneof("value")) == ("", True, None)
