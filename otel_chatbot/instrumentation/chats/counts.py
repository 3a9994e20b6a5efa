"""How many business events something stands for; made by `recognise`, added up by `documents`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple


class Counts(NamedTuple):
    """Business events."""

    conversations: int = 0
    sent: int = 0
    received: int = 0

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(self.conversations + other.conversations, self.sent + other.sent, self.received + other.received)

    def times(self, number: int) -> Counts:
        """The same, a number of times."""
        return Counts(self.conversations * number, self.sent * number, self.received * number)


NOTHING: Final = Counts()
CONVERSATION: Final = Counts(1)
SENT: Final = Counts(0, 1, 0)
RECEIVED: Final = Counts(0, 0, 1)
BOTH: Final = Counts(0, 1, 1)


def total(counts: Iterable[Counts]) -> Counts:
    """All together."""
    result = NOTHING
    for item in counts:
        if item is not NOTHING:
            result = result.plus(item)
    return result
