"""What keys change in `otel-chatbot top`."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest

from otel_chatbot.ui.top.state import WINDOWS, Seen, State, ordered, place, pressed


def turn(number: int, **more: Any) -> dict[str, Any]:
    told = {"trace": f"{number:032x}", "start": number, "ms": 10, "tokens_in": 1, "tokens_out": 1, "cost": 0.0, "failed": False}
    return {**told, **more}


SEEN = Seen(
    turns=[turn(3, ms=5), turn(2, ms=90, failed=True), turn(1, tokens_in=50, cost=2.0)],
    errors=[
        {"kind": "A", "place": "x", "signal": "log", "count": 1, "last": 9, "trace": ""},
        {"kind": "B", "place": "x", "signal": "span", "count": 5, "last": 8, "trace": "b" * 32},
    ],
)


def after(*keys: str, seen: Seen = SEEN, state: State = State()) -> State:  # noqa: B008 - it does not change
    return reduce(lambda one, key: pressed(one, key, seen), keys, state)


@pytest.mark.parametrize(("key", "first"), [("t", 3), ("d", 2), ("o", 1), ("c", 1), ("f", 2)])
def test_letters_sort_the_turns_the_largest_first(key: str, first: int) -> None:
    assert ordered(after(key), SEEN)[0][0]["start"] == first


def test_the_same_letters_sort_the_errors_when_they_are_in_hand() -> None:
    state = after("tab", "n")
    assert [error["kind"] for error in ordered(state, SEEN)[1]] == ["B", "A"]
    assert state.turn_order == "t"
    assert [error["kind"] for error in ordered(after("tab", "n", "t"), SEEN)[1]] == ["A", "B"]


def test_enter_opens_the_trace_of_the_chosen_row_and_keys_lead_back() -> None:
    assert after("down", "enter").trace == f"{2:032x}"
    assert after("tab", "down", "enter").trace == "b" * 32
    assert after("tab", "enter").trace == "", "an error without a trace opens none"
    assert after("enter", "down", "down", "up").scroll == 1
    for key in ("escape", "left", "q"):
        state = after("enter", "down", key)
        assert (state.trace, state.scroll, state.ended) == ("", 0, False)


def test_a_chosen_row_stays_chosen_when_others_come_above_it() -> None:
    state = after("down")
    more = Seen([], [turn(5), turn(4), *SEEN.turns])
    assert ordered(state, more)[0][place(state, ordered(state, more)[0])]["start"] == 2
    gone = Seen([], [turn(8), turn(7)])
    assert place(state, ordered(state, gone)[0]) == 1
    assert place(state, []) == 0
    assert after("down", "down", "down", "up", "up", "up").held == "", "the first row is whichever is first"


def test_windows_go_round_and_an_unknown_key_changes_nothing() -> None:
    assert [after(*"w" * times).seconds for times in range(5)] == [3600, 86_400, 0, 300, 3600]
    assert after(*"w" * len(WINDOWS)) == State() == after("x", "f12", "")
    assert after("enter", "down", seen=Seen()) == State()
    assert after("q").ended
    assert after("enter", "end").ended
