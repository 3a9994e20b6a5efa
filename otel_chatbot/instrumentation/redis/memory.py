"""What the running request has seen of keys of Redis: so that a chat that is written as a whole counts by what is new in it.

Fed by `redis.histories`; kept in the scope of the request, outside of one of the thread or task, so it ends with it. A few
keys at most. A read that finds nothing may be a new chat or a miss of a cache: inside a request it waits for the request's
end, which knows whether a chat was written there.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final

from ..._guard import never_raise
from ...metrics import deduplication
from ..chats.growth import Array

MOST: Final = 64
"""Keys that a scope remembers; beyond it the oldest is given up."""

Place = tuple[Any, ...]
"""A server's address, a key, and a field of its value."""


class KnownList:
    """A list whose whole content is known, or that was emptied."""

    __slots__ = ("_items", "_old", "lost")

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._items = list(items)
        self._old: Counter[bytes] = Counter()
        """What it held before it was emptied: what of it is written again is not new."""
        self.lost = False
        """It was emptied, and what it had held is not known."""

    @property
    def empty(self) -> bool:
        """Whether nothing is in it, and nothing was."""
        return not (self._items or self._old or self.lost)

    def clear(self) -> None:
        """It was deleted."""
        if self._items:
            self._old, self._items, self.lost = Counter(map(_bytes, self._items)), [], False

    def add(self, item: Any) -> bool:
        """An item was pushed: whether it is new."""
        self._items.append(item)
        raw = _bytes(item)
        if self._old[raw] > 0:
            self._old[raw] -= 1
            return False
        return not self.lost


class ScopeMemory:
    """What one scope has seen of Redis."""

    def __init__(self) -> None:
        self._values: OrderedDict[Place, dict[str, Array]] = OrderedDict()
        self._lists: OrderedDict[Place, KnownList] = OrderedDict()
        self._missed: list[Place] = []
        self._count: Callable[[int], None] | None = None

    def value(self, place: Place) -> dict[str, Array] | None:
        """The arrays in a value, by field, under the empty name where it is an array; None where nothing is known."""
        return self._values.get(place)

    def keep_value(self, place: Place, arrays: dict[str, Array]) -> None:
        """Remember the arrays in a value; none where there is no value."""
        _keep(self._values, place, arrays)

    def listed(self, place: Place) -> KnownList | None:
        """What is known of a list."""
        return self._lists.get(place)

    def unknown(self, place: Place) -> bool:
        """Whether what a list holds is not known."""
        known = self._lists.get(place)
        return known is None or known.lost

    def keep_list(self, place: Place, listed: KnownList) -> KnownList:
        """Remember what a list holds."""
        _keep(self._lists, place, listed)
        return listed

    def wait(self, place: Place, count: Callable[[int], None]) -> None:
        """A read found nothing: call `count` at the end, unless a chat is written there meanwhile."""
        self._count = count
        self._missed.append(place)
        if len(self._missed) > MOST:
            del self._missed[0]
            count(1)

    def is_chat(self, place: Place) -> None:
        """A chat lies there: reads of it were no misses."""
        self._missed = [known for known in self._missed if known[:2] != place[:2]]

    @never_raise
    def close(self) -> None:
        """The request has ended: what was missed was missed."""
        missed, self._missed = self._missed, []
        if missed and self._count is not None:
            self._count(len(missed))


def _bytes(item: Any) -> bytes:
    return bytes(item) if isinstance(item, (bytes, bytearray, memoryview)) else str(item).encode("utf-8", "surrogatepass")


def _keep(memory: OrderedDict[Place, Any], place: Place, what: Any) -> None:
    memory[place] = what
    memory.move_to_end(place)
    if len(memory) > MOST:
        memory.popitem(last=False)


def current() -> ScopeMemory:
    """The memory of the running scope."""
    scope = deduplication.current()
    memory = scope.keys
    if memory is None:
        memory = scope.keys = ScopeMemory()
    return memory  # type: ignore[return-value]


def can_wait() -> bool:
    """Whether the scope has an end for which a miss can wait."""
    return deduplication.current().ends
