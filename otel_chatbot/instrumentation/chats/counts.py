"""A number of conversations and messages. `recognise` tells it of a document; the instrumentations of databases add up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple


class Counts(NamedTuple):
    """How many conversations were begun, and how many messages were sent and received."""

    conversations: int = 0
    sent: int = 0
    received: int = 0

    def plus(self, other: Counts) -> Counts:
        """The sum of these counts and the other ones."""
        return Counts(self.conversations + other.conversations, self.sent + other.sent, self.received + other.received)

    def times(self, number: int) -> Counts:
        """These counts, multiplied by a number."""
        return Counts(self.conversations * number, self.sent * number, self.received * number)


NOTHING: Final = Counts()
CONVERSATION: Final = Counts(1)
SENT: Final = Counts(0, 1, 0)
RECEIVED: Final = Counts(0, 0, 1)
BOTH: Final = Counts(0, 1, 1)


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of all the counts."""
    result = NOTHING
    for item in counts:
        if item is not NOTHING:
            result = result.plus(item)
    return result
