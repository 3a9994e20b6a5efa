"""What is new in a list of messages that was written as a whole.

Fed by the instrumentations of databases, which know what the list held before; tells them what the new one counts for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .counts import Counts, total

Array = tuple[Any, ...]
"""A list as it was: the app goes on appending to its own."""


def growth(before: Array, now: Array, counts: Callable[[Any], Counts]) -> Counts | None:
    """What is new in an array that took another's place; None when that cannot be told.

    Only what counts is compared: a system's message stays in front while the window behind it moves on.
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
