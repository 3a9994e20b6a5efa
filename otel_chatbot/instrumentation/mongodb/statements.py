"""An update statement of MongoDB: the document that it may create, what it adds to an existing one, and what it replaces.

Fed by `documents`, which reads statements from commands; asks `recognise` what the parts are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..chats.counts import NOTHING, RECEIVED, Counts
from ..chats.growth import Array, growth
from ..chats.recognise import Recogniser
from . import whole_arrays
from .whole_arrays import ReadDocument, is_mapping

Space = tuple[str, str]
"""The names of a database and a collection."""


_ANSWER = ""
"""Stands for the path of an array, and means that the document's answer has been counted."""


class RememberedDocument(NamedTuple):
    """What `whole_arrays` shall remember of a document once it is written."""

    space: Space
    fields: dict[str, Any]
    arrays: dict[str, Array | None]
    whole: bool


class StatementCounts(NamedTuple):
    """What one insert or update statement counts for.

    `created`: counts for a document that it makes; `changed`: counts for each existing document that it modifies;
    `inserts`, `deletes`: it is an insert, a delete; `upserts`: it may make a document; `many`: it may modify several
    documents; `replaces`: it replaces a whole array of messages, and the old content is not known.
    """

    created: Counts = NOTHING
    changed: Counts = NOTHING
    inserts: bool = False
    deletes: bool = False
    upserts: bool = False
    many: bool = False
    replaces: bool = False
    memory: RememberedDocument | ReadDocument | None = None


class Statement:
    """One update, upsert or replacement, taken apart."""

    def __init__(self, query: Any, update: Any, upsert: bool, many: bool) -> None:
        self._query: Mapping[str, Any] = query if is_mapping(type(query)) else {}
        self._upsert = upsert
        self._many = many
        self._set: dict[str, Any] = {}
        self._first: dict[str, Any] = {}
        """What only an upsert sets."""
        self._pushed: dict[str, list[Any]] = {}
        self._take_apart(update)

    def change(self, space: Space, recogniser: Recogniser) -> StatementCounts:
        """What the statement counts for."""
        collection = space[1]
        added, replaces = NOTHING, False
        memory: dict[str, Array | None] = {}
        for path, items in self._pushed.items():
            found = recogniser.pushed(items, path, collection)
            if found is not NOTHING:
                added = added.plus(found)
                memory[path] = None
        for path, array in self._arrays().items():
            grown = self._growth(path, array, space, recogniser)
            memory[path] = tuple(array)
            if grown is None:
                replaces = replaces or recogniser.pushed(array, path, collection) is not NOTHING
            else:
                added = added.plus(grown)
        if not memory and self._set and recogniser.answered(self._set, collection):
            seen = whole_arrays.find(space, self._query)
            if seen is None or _ANSWER not in seen.arrays:  # a streamed answer is saved many times
                added = added.plus(RECEIVED)
                memory[_ANSWER] = ()
        made = recogniser.document(self._whole(), collection).counts if self._upsert else NOTHING
        kept = None
        if (added is not NOTHING or made is not NOTHING or replaces) and not self._many:
            kept = RememberedDocument(space, whole_arrays.simple(self._query), memory, whole=False)
        return StatementCounts(
            made, added, upserts=self._upsert, many=self._many, replaces=replaces, memory=kept if memory else None
        )

    def conversation(self, collection: str, recogniser: Recogniser) -> object:
        """The id of the conversation that the statement names."""
        found = recogniser.conversation_id({**self._first, **self._set, **whole_arrays.simple(self._query)})
        if found is not None or not recogniser.holds_conversations(collection):
            return found
        own = self._query.get("_id")
        if own is None:
            return recogniser.own_name(whole_arrays.simple(self._query))
        return None if isinstance(own, Mapping) else own

    def _take_apart(self, update: Any) -> None:
        if isinstance(update, (list, tuple)):  # an aggregation pipeline: literal values in it can be read
            for stage in update:
                self._read_stage(stage)
        elif is_mapping(type(update)):
            for name in update:
                if str(name)[:1] == "$":
                    self._read_operators(update)
                    return
            self._set.update(update)

    def _read_operators(self, update: Mapping[str, Any]) -> None:
        if "$set" in update:
            self._set.update(_fields(update["$set"]))
        if "$setOnInsert" in update:
            self._first.update(_fields(update["$setOnInsert"]))
        for name in ("$push", "$addToSet"):
            if name in update:
                for path, value in _fields(update[name]).items():
                    self._push(path, value)

    def _read_stage(self, stage: Any) -> None:
        fields = (stage.get("$set") or stage.get("$addFields")) if isinstance(stage, Mapping) else None
        for path, value in _fields(fields).items():
            self._express(path, value)

    def _push(self, path: str, value: Any) -> None:
        if is_mapping(type(value)) and "$each" in value:
            self._pushed[path] = list(value["$each"] or ())
        else:
            self._pushed[path] = [value]

    def _express(self, path: str, value: Any) -> None:
        """Read one field of a pipeline's stage: a plain value, or the field's own array with more elements."""
        if not isinstance(value, Mapping):
            self._set[path] = value
            return
        if "$literal" in value:
            self._set[path] = value["$literal"]
            return
        parts = value.get("$concatArrays")
        if isinstance(parts, (list, tuple)):
            literal = [part for part in map(_literal, parts) if part is not None]
            if len(literal) == len(parts):
                self._set[path] = [item for part in literal for item in part]
            else:
                self._pushed[path] = [item for part in literal for item in part]
        elif not any(str(name).startswith("$") for name in value):
            self._set[path] = value

    def _arrays(self) -> dict[str, Sequence[Any]]:
        return {path: value for path, value in self._set.items() if isinstance(value, (list, tuple))}

    def _growth(self, path: str, array: Sequence[Any], space: Space, recogniser: Recogniser) -> Counts | None:
        seen = None if self._many else whole_arrays.find(space, self._query)
        before = None if seen is None else seen.array(path)
        if before is None:
            return None
        return growth(before, tuple(array), lambda item: recogniser.pushed((item,), path, space[1]))

    def _whole(self) -> dict[str, Any]:
        """The document that an upsert makes."""
        pushed: dict[str, Any] = {path: list(items) for path, items in self._pushed.items()}
        return {**whole_arrays.simple(self._query), **self._lists(), **pushed, **self._first, **self._set}

    def _lists(self) -> dict[str, Any]:
        return {name: value for name, value in self._query.items() if isinstance(value, (list, tuple)) and name[:1] != "$"}


def _fields(found: Any) -> Mapping[str, Any]:
    """The fields of an operator; none if it is malformed (the server will refuse it)."""
    return found if is_mapping(type(found)) else {}


def _literal(part: Any) -> list[Any] | None:
    """The elements of an array that is written out in an expression; None for a value that only the server knows."""
    if isinstance(part, Mapping):
        part = part.get("$literal")
    return (
        [item.get("$literal", item) if isinstance(item, Mapping) else item for item in part]
        if isinstance(part, (list, tuple))
        else None
    )
