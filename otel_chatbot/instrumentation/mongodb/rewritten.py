"""Chats whose messages are deleted and inserted again in the same request: only messages that were not there before are new.

Fed by `commands` (documents that were read) and `documents` (a delete, and the inserts after it). The state is kept in the
scope of the request, beside that of `whole_arrays`. The reply to a delete says how many documents were deleted. A read in the
same request may have shown which ones. Without such a read, the first inserted messages, as many as were deleted, are taken
for the old ones.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...metrics import deduplication
from ..chats import shapes
from ..chats.counts import NOTHING
from ..chats.current import warn_once
from ..chats.recognise import Found, Recogniser
from . import whole_arrays
from .statements import Space, Statement, StatementCounts
from .whole_arrays import ScopeDocuments

MOST_LISTED: Final = 101
"""A longer reply is not remembered. This is the number of documents in the server's first batch."""
_MOST: Final = 4
"""The most lists of documents, and the most deletes, that a scope remembers."""
_WHOSE: Final = frozenset({"uid", "owner", "ownerid", "phone", "email", "sender", "senderid"})
_REPLACED: Final = (
    "the messages of a conversation were deleted and others inserted in their place, and no read in the same request showed what "
    "there had been: what is new among them cannot be counted; insert new messages alone, read the conversation first, or count them "
    "with messages_sent and messages_received (in a request that asks a model, its answer counts as one turn)"
)


class DeletedChat:
    """The deleted messages of a chat: the known ones by what they said (`said`), the others by their number (`lost`)."""

    __slots__ = ("lost", "query", "said", "space")

    def __init__(self, space: Space, query: Mapping[str, Any], said: list[Any], lost: int) -> None:
        self.space = space
        self.query = query
        self.said = said
        self.lost = lost

    def holds(self, document: Mapping[str, Any]) -> bool:
        """Whether the delete would have taken this document too."""
        return all(document.get(name, self) == value for name, value in self.query.items())


class Rewriting:
    """Tells what inserts after a delete count for. `settle` is called when they are done."""

    def __init__(self, memory: ScopeDocuments, deleted: DeletedChat, recogniser: Recogniser, *, batch: bool) -> None:
        self._memory = memory
        self._deleted = deleted
        self._recogniser = recogniser
        self._batch = batch
        self._said = deleted.said.copy()
        # Outside of a request it is not known whether a single insert belongs to the delete.
        self._lost = deleted.lost if batch or deduplication.in_request() else 0

    def change(self, document: Mapping[str, Any], found: Found) -> StatementCounts | None:
        """What an insert counts for, if its document was there before, or may have been. None if the document is new."""
        deleted = self._deleted
        if not found.chat or not deleted.holds(document):
            return None
        if found.holds:  # a conversation with its messages inside: the insert is a replacement
            change = Statement(deleted.query, document, upsert=False, many=False).change(deleted.space, self._recogniser)
            if change.replaces:
                warn_once(_REPLACED)
            return change._replace(created=change.changed, changed=NOTHING, inserts=True)
        said = self._recogniser.said(document)
        if said in self._said:
            self._said.remove(said)
        elif self._lost:
            self._lost -= 1
        else:
            return None
        return StatementCounts(inserts=True)

    def settle(self) -> None:
        """The inserts are done. After a batch, no more inserts belong to the delete."""
        deleted = self._deleted
        if self._batch and self._lost and self._lost < deleted.lost:
            warn_once(_REPLACED)
        deleted.said, deleted.lost = self._said, self._lost
        if self._batch and deleted in self._memory.deleted:
            self._memory.deleted.remove(deleted)


def begin(space: Space, recogniser: Recogniser, *, batch: bool) -> Rewriting | None:
    """How to count inserts into a collection, if messages were deleted from it before; else None."""
    memory = whole_arrays.memory()
    if memory is None or not memory.deleted:
        return None
    deleted = next((deleted for deleted in reversed(memory.deleted) if deleted.space == space), None)
    return None if deleted is None else Rewriting(memory, deleted, recogniser, batch=batch)


def chat_of(query: Any) -> dict[str, Any] | None:
    """The fields of a query that selects exactly the documents of one chat; None for every other query."""
    if not query or not whole_arrays.is_mapping(type(query)):
        return None
    for name in query:
        if not _names_chat(name):
            return None
    fields = whole_arrays.simple(query)
    return fields if len(fields) == len(query) else None


def deleted(space: Space, query: Mapping[str, Any], number: int, recogniser: Recogniser) -> None:
    """A number of documents was deleted."""
    if number <= 0:
        return
    memory = whole_arrays.remembered()
    listed = next((known[2] for known in reversed(memory.listed) if known[:2] == (space, query)), ())
    said = [recogniser.said(document) for document in listed if isinstance(document, Mapping)]
    memory.deleted.append(DeletedChat(space, query, said, max(number - len(said), 0)))
    del memory.deleted[:-_MOST]


def shown(space: Space, query: Mapping[str, Any], documents: Sequence[Any]) -> None:
    """Documents were read: they are the current content, so deletes before the read no longer matter."""
    memory = whole_arrays.memory()
    if memory is not None and memory.deleted:
        memory.deleted[:] = [known for known in memory.deleted if known.space != space]
    if 0 < len(documents) <= MOST_LISTED and (chat := chat_of(query)) is not None:
        listed = whole_arrays.remembered().listed
        listed.append((space, chat, documents))
        del listed[:-_MOST]


@functools.lru_cache(maxsize=1024)
def _names_chat(name: str) -> bool:
    field = shapes.plain(name)
    return field in shapes.CONVERSATION_IDS or field in _WHOSE or not shapes.PEOPLE_WORDS.isdisjoint(shapes.words(name))
