"""Rows for the viewer's file: texts and numbers that it takes and a browser shows, and resources by their attributes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otel_chatbot.ui.rows import MORE_LIMIT, TEXT_LIMIT, Batch, clip, number, packed, plain, whole


def test_a_resource_is_one_whatever_the_order_of_its_attributes() -> None:
    batch = Batch()
    first = batch.resource({"service.name": "shop", "service.instance.id": "one", "host.name": "a"})
    assert batch.resource({"host.name": "a", "service.instance.id": "one", "service.name": "shop"}) == first
    other = batch.resource({"service.name": None})
    assert other != first
    assert [row[1:3] for row in batch.resources.values()] == [("shop", "one"), ("", "")]


def test_a_batch_is_as_long_as_what_it_says() -> None:
    batch = Batch(spans=[(1,)], logs=[(1,), (2,)], samples=[(1,)])
    batch.resource({})
    batch.series[1] = (1,)
    assert len(batch) == 4


def test_a_text_has_a_number_that_the_file_takes() -> None:
    numbers = {number(text) for text in ("", "a", "b", "ü", "\ud800", "x" * 100_000)}
    assert len(numbers) == 6
    assert all(0 <= found < 2**63 for found in numbers)
    assert number("a") == number("a")


def test_a_long_text_is_cut_and_says_so() -> None:
    assert clip("x" * TEXT_LIMIT) == "x" * TEXT_LIMIT
    assert clip("x" * (TEXT_LIMIT + 5)).endswith("x … (5 characters more)")


def test_numbers_that_are_too_large_are_the_largest() -> None:
    assert (whole(5), whole(2**63 - 1), whole(2**64)) == (5, 2**63 - 1, 2**63 - 1)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, True),
        (None, None),
        (1.5, 1.5),
        (2**53, 2**53),
        (2**53 + 1, str(2**53 + 1)),
        (-(2**60), str(-(2**60))),
        ({"a": (1, {"b": 2**60})}, {"a": [1, {"b": str(2**60)}]}),
        ({5: "x"}, {"5": "x"}),
        ("x" * (TEXT_LIMIT + 1), "x" * TEXT_LIMIT + " … (1 characters more)"),
    ],
)
def test_a_value_is_one_that_a_browser_shows_as_it_is(value: Any, shown: Any) -> None:
    assert plain(value) == shown


def test_the_rest_of_a_row_is_json_and_too_much_of_it_is_left_out_and_said() -> None:
    assert json.loads(packed({"a": {"b": 1}})) == {"a": {"b": 1}}
    assert json.loads(packed({"a": "\ud800"})) == {"a": "\ud800"}
    [(name, words)] = json.loads(packed({"a": "x" * MORE_LIMIT}))["a"].items()
    assert name == "left out"
    assert words.startswith(f"{MORE_LIMIT + 8} bytes")
