"""Documents that chat turns wrote and nobody recognised: the names of their fields are kept, of turns that stored no message."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_chatbot.instrumentation.common import chat_turn, seen
from otel_chatbot.instrumentation.mongodb import unrecognised
from otel_chatbot.metrics import deduplication
from otel_chatbot.metrics.shared.facts import FACTS


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    unrecognised.forget(), FACTS.forget()
    yield
    unrecognised.forget(), FACTS.forget()


def test_a_turn_notes_a_few_collections_and_the_latest_fields_of_each() -> None:
    with deduplication.request_scope():
        for number in range(20):
            unrecognised.note(f"c{number}", ("a",))
        unrecognised.note("c0", ("b",))
        turn = chat_turn.running()
        assert turn is not None
        assert len(turn.unread) == unrecognised._IN_A_TURN
        assert turn.unread["c0"] == ("b",)


def test_outside_of_a_request_nothing_is_noted() -> None:
    unrecognised.note("c", ("a",))
    assert unrecognised.unrecognised() == []


def test_what_is_kept_is_known_to_the_run_once_per_collection() -> None:
    unrecognised.keep({"frames": ("a", "b")})
    unrecognised.keep({"frames": ("a", "c"), "scenes": ()})
    assert unrecognised.unrecognised() == [("frames", ("a", "c")), ("scenes", ())]
    assert FACTS.of(seen.UNREAD) == [("frames", "a", "b"), ("scenes",)]


def test_collections_without_an_end_are_not_all_kept() -> None:
    unrecognised.keep({f"c{number}": () for number in range(unrecognised.MOST + 5)})
    unrecognised.keep({"c0": ("new",)})
    assert len(unrecognised.unrecognised()) == unrecognised.MOST
    assert ("c0", ("new",)) in unrecognised.unrecognised()
