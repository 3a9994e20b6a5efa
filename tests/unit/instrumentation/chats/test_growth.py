"""What is new in a list of messages that was written as a whole."""

from __future__ import annotations

import pytest

from otel_chatbot.instrumentation.chats.counts import BOTH, NOTHING, RECEIVED, SENT, Counts
from otel_chatbot.instrumentation.chats.growth import growth

ONE, TWO, THREE, FOUR = (("user", 1), ("bot", 2), ("user", 3), ("bot", 4))
SYSTEM = ("system", 0)


def said(item: tuple[str, int]) -> Counts:
    return {"user": SENT, "bot": RECEIVED}.get(item[0], NOTHING)


@pytest.mark.parametrize(
    ("before", "now", "grown"),
    [
        ((), (ONE, TWO), BOTH),
        ((ONE, TWO), (ONE, TWO), NOTHING),
        ((ONE, TWO), (ONE, TWO, THREE, FOUR), BOTH),
        ((ONE, TWO, THREE), (TWO, THREE, FOUR), RECEIVED),
        ((SYSTEM, ONE, TWO), (SYSTEM, TWO, THREE), SENT),
        ((ONE, ONE), (ONE, ONE, ONE), SENT),
        ((ONE, TWO), (), NOTHING),
        ((ONE, TWO), (("user", 9), ("bot", 9), THREE), SENT),
        ((ONE, TWO), (("user", 9), ("bot", 9)), None),
    ],
)
def test_an_array_grows_by_what_is_new_in_it(before: tuple, now: tuple, grown: Counts | None) -> None:
    assert growth(before, now, said) == grown
