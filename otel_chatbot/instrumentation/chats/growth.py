"""What is new in a list of messages that was written as a whole.

Fed by the instrumentations of databases, which know what the list held before. They get back how many messages are new.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .counts import Counts, total

Array = tuple[Any, ...]
"""A copy of a list: the app may append to the list itself later."""


def growth(before: Array, now: Array, counts: Callable[[Any], Counts]) -> Counts | None:
    """What the new elements of an array count for, when it replaced an older array. None if that cannot be told.

    Only messages that count are compared. An app that keeps the last messages alone often keeps the system's message in front
    of them; that message must not disturb the comparison.
    """
    old, new = (tuple((item, found) for item in array if any(found := counts(item))) for array in (before, now))
    items = tuple(item for item, _ in new)
    for start in range(len(old) + 1):
        tail = tuple(item for item, _ in old[start:])
        if items[: len(tail)] == tail and (tail or not old):
            return total(found for _, found in new[len(tail) :])
    if not new:
        return Counts()  # the chat was cleared
    return total(found for _, found in new[len(old) :]) if len(new) > len(old) else None
