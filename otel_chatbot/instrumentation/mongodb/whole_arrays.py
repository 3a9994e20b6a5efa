"""Arrays of messages that the running request has read or written. If one is written as a whole, only its new elements count.

Fed by `commands` (documents that were read) and `documents` (arrays that were written). They are kept in the scope of the
request, or of the thread or task outside of a request, and end with it. At most a few documents are kept. Arrays are copied as
tuples of references, because the application may append to the lists that it was given; the messages are not copied.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ...metrics import deduplication
from ..chats.growth import Array

if TYPE_CHECKING:
    from .rewritten import DeletedChat

MOST: Final = 16
"""The most documents that a scope remembers; beyond it the oldest is forgotten."""
_MOST_READ: Final = 8
"""A read of more documents is not remembered: it is a list, and the app will hardly write one of them back."""


class ScopeDocuments:
    """What one scope has seen of documents."""

    __slots__ = ("arrays", "deleted", "listed")

    def __init__(self) -> None:
        self.arrays: deque[ReadDocument] = deque(maxlen=MOST)
        self.listed: list[tuple[tuple[str, str], dict[str, Any], Sequence[Any]]] = []
        """Replies for `rewritten`: database and collection, the query, the documents."""
        self.deleted: list[DeletedChat] = []
        """What `rewritten` knows of chats whose messages were deleted."""


class ReadDocument:
    """One document: its database and collection, its simple fields, its arrays."""

    __slots__ = ("arrays", "fields", "space", "whole")

    def __init__(self, space: tuple[str, str], fields: Mapping[str, Any], arrays: dict[str, Array], *, whole: bool) -> None:
        self.space = space
        self.fields = fields
        self.arrays = arrays
        self.whole = whole
        """Whether every array of the document is known. Then an array that is missing here is empty."""

    def array(self, path: str) -> Array | None:
        """The array at a path; None where it is not known."""
        found = self.arrays.get(path)
        return () if found is None and self.whole and "." not in path else found


def read(space: tuple[str, str], query: Mapping[str, Any], documents: Sequence[Any], *, whole: bool) -> None:
    """Documents were read; `whole`: with all of their fields."""
    if len(documents) > _MOST_READ:
        return
    for document in documents:
        if type(document) is dict or isinstance(document, Mapping):
            # Most documents have no array. The types of their values tell that fastest.
            arrays = _arrays(document) if type(document) is not dict or list in map(type, document.values()) else {}
            fields = {**document, **simple(query)} if len(documents) == 1 else document
            keep(ReadDocument(space, fields, arrays, whole=whole))


def made(space: tuple[str, str], document: Mapping[str, Any]) -> ReadDocument:
    """What to remember of a document once it is inserted."""
    return ReadDocument(space, document, _arrays(document), whole=True)


def keep(seen: ReadDocument) -> None:
    """Remember a document."""
    remembered().arrays.append(seen)


def written(space: tuple[str, str], fields: Mapping[str, Any], arrays: Mapping[str, Array | None], *, whole: bool) -> None:
    """A document was written: `arrays` by path, None for an array whose content is no longer known."""
    known = find(space, fields)
    if known is None:
        keep(
            ReadDocument(space, dict(fields), {path: array for path, array in arrays.items() if array is not None}, whole=whole)
        )
        return
    for path, array in arrays.items():
        if array is None:
            known.arrays.pop(path, None)
            known.whole = False
        else:
            known.arrays[path] = array


def find(space: tuple[str, str], query: Mapping[str, Any]) -> ReadDocument | None:
    """What is known of the document that a query selects."""
    wanted = simple(query)
    if not wanted:
        return None
    known = memory()
    for seen in reversed(tuple(known.arrays) if known else ()):  # threads that share a request's scope may add to it
        if seen.space == space and all(seen.fields.get(name, seen) == value for name, value in wanted.items()):
            return seen
    return None


def _is_mapping(kind: type) -> bool:
    return issubclass(kind, Mapping)


is_mapping: Final[Callable[[type], bool]] = functools.lru_cache(maxsize=256)(_is_mapping)
"""Whether values of this type are documents. `isinstance` takes four times as long, and a command asks it often."""


def simple(query: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a query or a document that have one plain value."""
    found = {}
    for name, value in query.items():
        if is_mapping(type(value)):
            if len(value) == 1 and "$eq" in value:
                found[name] = value["$eq"]
        elif not isinstance(value, (list, tuple)) and not name.startswith("$"):
            found[name] = value
    return found


def _arrays(document: Mapping[str, Any]) -> dict[str, Array]:
    return {name: tuple(value) for name, value in document.items() if isinstance(value, list)}


def memory() -> ScopeDocuments | None:
    """What the running scope has seen; None where that is nothing."""
    return deduplication.current().documents  # type: ignore[return-value]


def remembered() -> ScopeDocuments:
    """What the running scope has seen, to be added to."""
    scope = deduplication.current()
    if scope.documents is None:
        scope.documents = ScopeDocuments()
    return scope.documents  # type: ignore[return-value]
