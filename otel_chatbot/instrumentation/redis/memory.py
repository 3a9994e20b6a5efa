"""Keys of Redis that the running request has read or written. If a chat is written as a whole, only its new messages count.

Fed by `redis.histories`. The memory is kept in the scope of the request, or of the thread or task outside of a request, and
ends with it. It holds a few keys at most. A read that finds nothing may be a new chat or a miss of a cache. So inside a request
it is counted at the request's end: then it is known whether a chat was written there.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final

from ..._guard import never_raise
from ...metrics import deduplication
from ..chats.growth import Array

MOST: Final = 64
"""The most keys that a scope remembers; beyond it the oldest is forgotten."""

Place = tuple[Any, ...]
"""A server's address, a key, and a field of its value."""


class KnownList:
    """A list whose whole content is known, or that was emptied."""

    __slots__ = ("_items", "_old", "lost")

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._items = list(items)
        self._old: Counter[bytes] = Counter()
        """The items that it held before it was emptied. If one of them is written again, it is not new."""
        self.lost = False
        """It was emptied, and its content before is not known."""

    @property
    def empty(self) -> bool:
        """Whether it is empty, and was empty before too."""
        return not (self._items or self._old or self.lost)

    def clear(self) -> None:
        """The list was deleted."""
        if self._items:
            self._old, self._items, self.lost = Counter(map(_bytes, self._items)), [], False

    def add(self, item: Any) -> bool:
        """An item was pushed. True if it is new."""
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
        """The arrays in a value by field; under the empty name if the value is an array itself. None if nothing is known."""
        return self._values.get(place)

    def keep_value(self, place: Place, arrays: dict[str, Array]) -> None:
        """Remember the arrays in a value; none where there is no value."""
        _keep(self._values, place, arrays)

    def listed(self, place: Place) -> KnownList | None:
        """What is known of a list."""
        return self._lists.get(place)

    def unknown(self, place: Place) -> bool:
        """Whether the content of a list is not known."""
        known = self._lists.get(place)
        return known is None or known.lost

    def keep_list(self, place: Place, listed: KnownList) -> KnownList:
        """Remember what a list holds."""
        _keep(self._lists, place, listed)
        return listed

    def wait(self, place: Place, count: Callable[[int], None]) -> None:
        """A read found nothing: call `count` at the end of the request, unless a chat is written there until then."""
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
        """The request has ended: count the reads that still wait as misses."""
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
    """Whether the scope has an end, so that a miss can be counted then."""
    return deduplication.current().ends
