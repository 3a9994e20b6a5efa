"""Business events are added up."""

from __future__ import annotations

from otel_chatbot.instrumentation.chats.counts import BOTH, CONVERSATION, NOTHING, RECEIVED, SENT, Counts, total


def test_counts_are_added_kind_by_kind() -> None:
    assert CONVERSATION.plus(SENT).plus(RECEIVED) == Counts(1, 1, 1)
    assert Counts(1, 2, 3).plus(Counts(10, 20, 30)) == Counts(11, 22, 33)


def test_a_number_of_times_the_same_is_each_kind_so_often() -> None:
    assert Counts(1, 2, 3).times(4) == Counts(4, 8, 12)
    assert BOTH.times(0) == NOTHING


def test_a_total_is_all_of_them() -> None:
    assert total([]) is NOTHING
    assert total([NOTHING, NOTHING]) is NOTHING
    assert total(iter([SENT, NOTHING, BOTH, CONVERSATION])) == Counts(1, 2, 1)
