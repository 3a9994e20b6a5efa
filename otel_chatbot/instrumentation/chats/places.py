"""What collections and arrays hold, judged by their names and by the settings. Each name is judged once, then remembered.

Fed by `recognise`; reads names by the table of `shapes`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ...config import Settings
from . import shapes
from .shapes import Place, plain

_MOST: Final = 1024
_LONGEST: Final = 256
CONVERSATIONS: Final = "conversations"
_MESSAGES: Final = "messages"
"""The names of collections that hold conversations and messages, whatever their documents look like."""


class Collection(NamedTuple):
    """What a collection's name and the settings say of it."""

    place: Place
    chat: bool
    closed: bool
    """It holds other things than chats: only an array that is named after a chat counts."""
    named: bool
    """Its name speaks of conversations, or is in the settings."""
    holds_conversations: bool
    """The settings say that its documents are conversations, whatever they look like."""
    holds_messages: bool
    """The settings or its name say that its documents are messages: a document with a role is one."""
    records: bool
    """It is a history or a log: a question with its answer counts."""
    speaks: bool
    """Its documents may be messages and exchanges."""
    converses: bool
    """Its documents may be conversations."""


class Array(NamedTuple):
    """What an array's name, its collection's and the settings say of it."""

    counts: bool
    chat: bool = False
    sure: bool = False
    """An element with a role is a message."""


class Places:
    """Knows collections and arrays by their names, under one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self._conversations = settings.conversations_collection
        self._messages = settings.messages_collection
        self._array = settings.messages_field
        self._collections: dict[str, Collection] = {}
        self._arrays: dict[tuple[str, str], Array] = {}

    def collection(self, name: str) -> Collection:
        """What is known of a collection."""
        return self._collections.get(name) or self._read_collection(name)

    def array(self, path: str, collection: str) -> Array:
        """What is known of an array in a collection's documents, by its path."""
        return self._arrays.get((collection, path)) or self._read_array(collection, path[-_LONGEST:])

    def _by_name(self, collection: str) -> Place:
        named = collection in (self._conversations, self._messages)
        return Place.CHAT if named and collection else shapes.place(collection)

    def _read_collection(self, collection: str) -> Collection:
        place, sure = self._by_name(collection), collection == (self._messages or _MESSAGES)
        if len(self._collections) >= _MOST:
            self._collections.clear()
        found = self._collections[collection] = Collection(
            place=place,
            chat=place is Place.CHAT,
            closed=place is Place.OTHER and not sure and not self._array,
            named=collection in (self._conversations, self._messages) or shapes.names_conversations(collection),
            holds_conversations=bool(self._conversations) and collection == self._conversations,
            holds_messages=sure,
            records=shapes.keeps_records(collection),
            speaks=sure or (not self._messages and place in (Place.CHAT, Place.OPEN)),
            converses=not self._conversations and not (sure and self._messages),
        )
        return found

    def _read_array(self, collection: str, array: str) -> Array:
        name = next((part for part in reversed(array.split(".")) if part[:1] not in "$0123456789"), array)
        here, own = self._by_name(collection), shapes.place(name)
        told = here is Place.CHAT and shapes.is_history(name)
        if self._conversations and collection != self._conversations:
            found = Array(counts=False)
        elif self._array:
            found = Array(array == self._array, chat=True, sure=True)
        elif (own is Place.OTHER and not told) or (here is Place.OTHER and not shapes.names_conversations(name)):
            found = Array(counts=False)
        else:
            named = collection in (self._conversations, CONVERSATIONS) and plain(name) == _MESSAGES
            found = Array(counts=True, chat=own is Place.CHAT or told, sure=named)
        if len(self._arrays) >= _MOST:
            self._arrays.clear()
        self._arrays[collection, array] = found
        return found
