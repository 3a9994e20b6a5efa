"""A line of JSON is one line that every reader takes, whatever the fields hold."""

from __future__ import annotations

import json

import pytest

from otel_chatbot.logs.json_lines import encode


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("é", "é"),
        ("a lone \ud800 surrogate", "a lone \\ud800 surrogate"),
        (2**64 - 1, 2**64 - 1),
        (2**64, str(2**64)),
        (-(2**63), -(2**63)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        ({"deep": [2**70]}, {"deep": [str(2**70)]}),
    ],
)
def test_what_json_cannot_hold_becomes_text_and_the_rest_stays(value: object, read: object) -> None:
    assert json.loads(encode({"key": value})) == {"key": read}


def test_a_number_that_python_refuses_to_print_is_described() -> None:
    assert json.loads(encode({"key": 2**10_000, "other": (2**9_999 - 1)})) == {
        "key": "<number of 10001 bits>",
        "other": str(2**9_999 - 1),
    }


def test_a_number_that_is_none_is_text_beside_a_field_that_needs_the_strict_way() -> None:
    assert json.loads(encode({"a": 2**64, "b": float("nan"), "c": float("-inf"), "d": 0.5})) == {
        "a": str(2**64),
        "b": "nan",
        "c": "-inf",
        "d": 0.5,
    }


def test_the_largest_and_smallest_numbers_stay_numbers_beside_one_beyond_them() -> None:
    assert json.loads(encode({"a": 2**64, "b": 2**64 - 1, "c": -(2**63)})) == {"a": str(2**64), "b": 2**64 - 1, "c": -(2**63)}


def test_a_key_that_is_no_text_is_shown_as_it_is_written() -> None:
    assert json.loads(encode({7: "seven", "a": 1})) == {"7": "seven", "a": 1}  # type: ignore[dict-item]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\n", "\r"])
def test_no_character_inside_splits_the_line(separator: str) -> None:
    line = encode({"message": f"before{separator}after"})
    assert line.decode().splitlines() == [line.decode()]
    assert json.loads(line)["message"] == f"before{separator}after"


def test_a_line_of_more_than_a_mebibyte_keeps_short_fields_and_says_what_was_left_out() -> None:
    fields = {"level": "INFO", "text": "x" * 5000, "list": ["y" * 2**20], "number": 3}
    assert json.loads(encode(fields)) == {
        "level": "INFO",
        "text": "x" * 4096 + "... 904 characters left out",
        "list": "<list left out>",
        "number": 3,
    }
