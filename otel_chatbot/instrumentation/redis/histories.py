"""Chats in Redis: what elements, values and documents under a key count for, compared with what the request has seen there.

Fed by `redis.writes` and `redis.reads`; tells the chat turn the conversation's id, which it takes from the key or a message.
`chats.recognise` tells what a message is. The server is never asked. A conversation begins with the first message under a key
that was empty; the reply of a write, or a read in the same request, shows that it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ... import config
from ..chats import current, shapes
from ..chats.counts import CONVERSATION, NOTHING, Counts, total
from ..chats.growth import Array, growth
from ..chats.recognise import Found, Recogniser
from ..chats.shapes import Place
from ..common import chat_turn, seen
from ..common.redis_addresses import Address
from . import keys, memory
from .keys import Key
from .memory import KnownList
from .values import arrays_of

_FIRST: Final = 8
"""So many elements of an array are looked at to tell whether it is a chat."""
_MOST_NAMES: Final = 1024
_MOST_TOLD: Final = 50
"""The most names that this process tells the other processes of the run."""
_REPLACED = (
    "a chat in Redis was written as a whole, and no read in the same request showed what it held: what is new in it cannot be "
    "counted; push new messages, read the chat first, or count them with messages_sent and messages_received"
)
NAMES: Final[set[str]] = set()
"""Names of keys whose values were chats; for keys without a name, their form (`keys.form`)."""


class History:
    """The content of one key, as one command shows or writes it."""

    def __init__(self, address: Address, key: Any) -> None:
        self.key: Key = keys.read(key)
        self.place = (address, self.key.text)
        self.memory = memory.current()
        self.recogniser: Recogniser = current.current()
        settings = config.current()
        named = (settings.messages_collection, settings.conversations_collection)
        self.name = next((given for given in named if given and self.key.text.startswith(given)), self.key.name)

    def elements(self, items: Sequence[Any], *, began: bool) -> Counts:
        """Elements that were added; `began`: nothing was there before."""
        batch = len(items) > 1 and not self.key.varies
        found = [self.recogniser.element(item, self.name, batch=batch) for item in items]
        return self._count(found, None if self.key.varies else items[0], began=began)

    def pushed(self, items: Sequence[Any], length: int) -> Counts:
        """Elements that were pushed into a list, which has this length now."""
        began = length == len(items)
        known = self.memory.listed(self.place)
        if known is None:
            if began:
                self.memory.keep_list(self.place, KnownList(items))
            return self.elements(items, began=began)
        began = began and known.empty
        lost = known.lost
        new = [item for item in items if known.add(item)]
        if new:
            return self.elements(new, began=began)
        if lost and self.elements(items, began=False) is not NOTHING:
            current.warn_once(_REPLACED)
        return NOTHING

    def whole(self, field: str, value: Any, before: dict[str, Array] | None) -> Counts | None:
        """A value that was written as a whole; None where it is no chat."""
        arrays = arrays_of(value)
        chats = [path for path, array in arrays.items() if self._chats(array, path or field)]
        self.memory.keep_value((*self.place, field), arrays)
        if not chats:
            return None
        self._met(None)
        self._is_chat()
        counts = NOTHING
        for path in chats:
            if before is None:
                current.warn_once(_REPLACED)
            else:
                counts = counts.plus(self._grown(path or field, before.get(path, ()), arrays[path]))
        return counts

    def document(self, value: Any, *, began: bool = False) -> Counts:
        """A document that is new and may be a message."""
        found = self.recogniser.element(value, self.name)
        if found.chat:
            self._is_chat()
        return self._count([found], value, began=began)

    def empty(self) -> bool:
        """Whether a read showed that nothing was there, and nothing was written since."""
        known = self.memory.listed(self.place)
        if known is None or not known.empty:
            return False
        known.add(b"")
        return True

    def _count(self, found: Sequence[Found], first: Any, *, began: bool) -> Counts:
        if not any(one.chat for one in found):
            return NOTHING
        self._met(first)
        self.memory.is_chat(self.place)
        counts = total(one.counts for one in found)
        if counts.sent or counts.received:
            chat_turn.stores()
        return counts.plus(CONVERSATION) if began and not counts.conversations else counts

    def _grown(self, path: str, before: Array, now: Array) -> Counts:
        if before and now[: len(before)] == before:
            return total(self._counts(item, path) for item in now[len(before) :])
        grown = growth(before, now, lambda item: self._counts(item, path))
        if grown is None:
            current.warn_once(_REPLACED)
            return NOTHING
        return grown if before else grown.plus(CONVERSATION)

    def _counts(self, item: Any, path: str) -> Counts:
        found = self.recogniser.elements((item,), path or self.name, self.name)
        return found[0].counts if found else NOTHING

    def _chats(self, array: Array, path: str) -> bool:
        return any(found.chat for found in self.recogniser.elements(array[:_FIRST], path or self.name, self.name))

    def shows(self, field: str, value: Any) -> bool:
        """Whether a value that was read is a chat; it is remembered."""
        arrays = arrays_of(value)
        self.memory.keep_value((*self.place, field), arrays)
        if any(self._may_chat(array, path or field) for path, array in arrays.items()):
            self._is_chat()
            return True
        return False

    def _may_chat(self, array: Array, path: str) -> bool:
        """Whether an array is part of a chat; it may have no messages yet."""
        if array:
            return self._chats(array, path)
        return shapes.place(self.name) is Place.CHAT and shapes.is_history(path or self.name)

    def _met(self, document: Any) -> None:
        """The request has written to a conversation. Its id is the one that the document names, else the one in the key."""
        found = None if document is None else self.recogniser.names_conversation(document)
        chat_turn.met(self.key.chat if found is None else found)

    def _is_chat(self) -> None:
        self.memory.is_chat(self.place)
        name = self.key.name or keys.form(self.key.text)
        if name and name not in NAMES and len(NAMES) < _MOST_NAMES:
            NAMES.add(name)
            if len(NAMES) <= _MOST_TOLD:
                seen.note(seen.HISTORY, name)
