"""Any value becomes plain, redacted data, within bounds of depth, width and length."""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType

import pytest

from otel_chatbot.logs.redaction import Redactor
from otel_chatbot.logs.traversal import LONGEST_TEXT, Traversal


def plain(value: object) -> object:
    return Traversal(Redactor()).plain(value, 0)


class Hostile(dict):  # type: ignore[type-arg]
    def items(self):
        raise OSError("gone")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (0.5, 0.5),
        (float("inf"), "inf"),
        (b"caf\xc3\xa9 \xff", "café \\xff"),
        (dt.date(2026, 2, 3), "2026-02-03"),
        (ValueError("bad"), "ValueError: bad"),
        ((1, "a"), [1, "a"]),
        (MappingProxyType({1: "one"}), {"1": "one"}),
        ("to alice@example.com", "to ****"),
        (Hostile(a=1), "<unreadable Hostile: OSError>"),
    ],
)
def test_a_value_is_shown_in_terms_of_what_json_can_hold(value: object, shown: object) -> None:
    assert plain(value) == shown


def test_the_value_of_a_secret_key_is_masked_at_any_depth_but_not_an_answer_of_yes_or_none() -> None:
    value = {"a": [{"password": "hunter2", "token": None, "secret": True, "api_key": {"deep": 1}}]}
    assert plain(value) == {"a": [{"password": "****", "token": None, "secret": True, "api_key": "****"}]}


def test_a_value_that_holds_itself_ends_and_one_that_stands_twice_is_shown_twice() -> None:
    cycle: list[object] = [1]
    cycle.append(cycle)
    twice = [2]
    assert plain(cycle) == [1, "<cycle>"]
    assert plain([twice, twice]) == [[2], [2]]


def test_beyond_eight_levels_containers_are_left_out() -> None:
    value: object = "innermost"
    for _ in range(9):
        value = [value]
    shown = plain(value)
    for _ in range(8):
        assert isinstance(shown, list)
        (shown,) = shown
    assert shown == "<list left out>"


def test_beyond_two_hundred_items_the_rest_is_counted() -> None:
    assert plain(list(range(203)))[200:] == ["<3 left out>"]  # type: ignore[index]
    shown = plain({str(n): n for n in range(201)})
    assert isinstance(shown, dict)
    assert (len(shown), shown["199"], shown["..."]) == (201, 199, "<1 left out>")


def test_a_wide_and_deep_value_yields_no_more_than_a_large_one() -> None:
    shown = plain([[[1] * 100] * 100] * 100)
    assert "<list left out>" in str(shown)
    assert len(str(shown)) < 20_000


def test_texts_are_cut_and_beyond_the_characters_of_eight_long_ones_left_out() -> None:
    shown = plain(["x" * LONGEST_TEXT] * 9)
    assert isinstance(shown, list)
    assert shown[7] == "x" * LONGEST_TEXT
    assert shown[8] == f"<{LONGEST_TEXT} characters left out>"
