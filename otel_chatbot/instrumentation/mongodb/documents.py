"""Which conversations and messages a MongoDB command has written: read from the command and the reply, never from spans.

Fed by `instrumentation.mongodb.commands` (the command at its start, the reply at its end); feeds the three counters of
business events. Pure: plain mappings in, counts out. The rules stand in the documentation under "What counts".
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ...config import Settings

_logger = logging.getLogger("otel_chatbot")
_warned: set[str] = set()

_REPLACED = (
    "a conversation's whole array of messages was replaced: what is new in it cannot be counted; "
    "$push new messages, or count them with messages_sent and messages_received"
)
_AMBIGUOUS = (
    "MongoDB's reply does not say which of several different updates changed something, so the messages in them are not "
    "counted; send them one by one, ask for verbose results, or count them with messages_sent and messages_received"
)


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


NOTHING = Counts()


class Change(NamedTuple):
    """What one insert or update statement counts for.

    `created`: when it makes a document; `changed`: for each existing document that it modifies;
    `inserts`, `deletes`: it is an insert, a delete; `upserts`: it may make a document; `many`: it may modify more than
    one; `replaces`: it replaces the whole array of messages.
    """

    created: Counts = NOTHING
    changed: Counts = NOTHING
    inserts: bool = False
    deletes: bool = False
    upserts: bool = False
    many: bool = False
    replaces: bool = False


class Write:
    """A command that may write conversations or messages, kept from its start until its reply."""

    __slots__ = ("_changes", "_command", "_kind")

    def __init__(self, kind: str, changes: Sequence[Change], command: Mapping[str, Any]) -> None:
        self._kind = kind
        self._changes = changes
        # Only what settling needs: a reference to the command would keep the documents alive.
        self._command = {name: command[name] for name in ("ordered", "errorsOnly", "writeConcern") if name in command}

    def settle(self, reply: Mapping[str, Any]) -> Counts:
        """What the reply says has been written."""
        if (self._command.get("writeConcern") or {}).get("w") == 0:
            # The driver answers {ok: 1} itself: what was sent is all that can be known.
            return _total(change.created for change in self._changes if change.inserts)
        if self._kind == "findandmodify":
            return self._settle_find_and_modify(reply)
        if self._kind == "bulkwrite":
            return self._settle_bulk(reply)
        return self._settle_batch(reply)

    def _settle_batch(self, reply: Mapping[str, Any]) -> Counts:
        ran = self._ran(error.get("index", 0) for error in reply.get("writeErrors") or ())
        if self._kind == "insert":
            return _total(change.created for change in ran.values())
        made = {item.get("index") for item in reply.get("upserted") or ()}
        counts = _total(change.created for index, change in ran.items() if index in made)
        rest = [change for index, change in ran.items() if index not in made]
        return counts.plus(_changed(rest, int(reply.get("nModified", 0))))

    def _settle_find_and_modify(self, reply: Mapping[str, Any]) -> Counts:
        outcome = reply.get("lastErrorObject") or {}
        if outcome.get("upserted") is not None:
            return self._changes[0].created
        return _changed(self._changes, 1 if outcome.get("updatedExisting") else 0)

    def _settle_bulk(self, reply: Mapping[str, Any]) -> Counts:
        cursor = reply.get("cursor") or {}
        results = cursor.get("firstBatch") or ()
        ran = self._ran(item.get("idx", 0) for item in results if not item.get("ok"))
        inserts = [change for change in ran.values() if change.inserts]
        counts = _spread([change.created for change in inserts], int(reply.get("nInserted", 0)))
        updates = {index: change for index, change in ran.items() if not (change.inserts or change.deletes)}
        modified = int(reply.get("nModified", 0))
        if not self._command.get("errorsOnly") and not cursor.get("id"):
            made = {item.get("idx") for item in results if item.get("upserted") is not None}
            counts = counts.plus(_total(change.created for index, change in updates.items() if index in made))
            for item in results:
                change = updates.get(item.get("idx"))
                if change is not None and item.get("idx") not in made:
                    counts = counts.plus(_changed([change], int(item.get("nModified", 0))))
            return counts
        upserted = int(reply.get("nUpserted", 0))
        may = [change for change in updates.values() if change.upserts]
        counts = counts.plus(_spread([change.created for change in may], upserted))
        rest = [change for change in updates.values() if not (change.upserts and upserted >= len(may))]
        return counts.plus(_changed(rest, modified))

    def _ran(self, failed: Iterable[int]) -> dict[int, Change]:
        """The statements that ran without an error: an ordered batch stops at the first one."""
        errors = set(failed)
        stop = min(errors) if errors and self._command.get("ordered", True) else len(self._changes)
        return {index: change for index, change in enumerate(self._changes[:stop]) if index not in errors}


def write_of(name: str, command: Mapping[str, Any], settings: Settings) -> Write | None:
    """The write that a command is, or None when it cannot touch conversations or messages."""
    kind = name.lower()
    if kind == "bulkwrite":
        return _bulk(command, settings)
    collection = command.get(name)
    if collection not in (settings.conversations_collection, settings.messages_collection):
        return None
    if kind == "insert":
        documents = command.get("documents") or ()
        return Write(kind, [_insert(document, collection, settings) for document in documents], command)
    if kind == "update":
        updates = command.get("updates") or ()
        changes = [
            _update(u.get("q"), u.get("u"), collection, settings, upsert=u.get("upsert"), many=u.get("multi")) for u in updates
        ]
        return Write(kind, changes, command)
    if kind == "findandmodify" and command.get("update") is not None:
        update = _update(
            command.get("query"), command.get("update"), collection, settings, upsert=command.get("upsert"), many=False
        )
        return Write(kind, [update], command)
    return None


def _bulk(command: Mapping[str, Any], settings: Settings) -> Write | None:
    spaces = [str(item.get("ns", "")).partition(".")[2] for item in command.get("nsInfo") or ()]
    if settings.conversations_collection not in spaces and settings.messages_collection not in spaces:
        return None
    changes = []
    for op in command.get("ops") or ():
        if "insert" in op:
            changes.append(_insert(op.get("document") or {}, spaces[op["insert"]], settings))
        elif "update" in op:
            changes.append(
                _update(
                    op.get("filter"),
                    op.get("updateMods"),
                    spaces[op["update"]],
                    settings,
                    upsert=op.get("upsert"),
                    many=op.get("multi"),
                )
            )
        else:
            changes.append(Change(deletes=True))
    return Write("bulkwrite", changes, command)


def _insert(document: Mapping[str, Any], collection: str, settings: Settings) -> Change:
    if collection == settings.conversations_collection:
        return Change(Counts(1).plus(_messages(_at(document, settings.messages_field), settings)), inserts=True)
    if collection == settings.messages_collection:
        return Change(_message(document, settings), inserts=True)
    return Change(inserts=True)


def _update(query: Any, update: Any, collection: str, settings: Settings, *, upsert: Any, many: Any) -> Change:
    query = query if isinstance(query, Mapping) else {}
    values, pushed, operators = _parts(update, settings.messages_field)
    if collection == settings.messages_collection:
        roles = [role for source in (*values, query) if (role := _at(source, settings.role_field)) is not None]
        return Change(_role(roles[0], settings) if roles else NOTHING, upserts=bool(upsert), many=bool(many))
    if collection != settings.conversations_collection:
        return Change(upserts=bool(upsert), many=bool(many))
    arrays = [array for source in values if (array := _at(source, settings.messages_field)) is not None]
    new = _messages(pushed, settings)
    first = arrays[0] if arrays else _at(query, settings.messages_field)
    created = Counts(1).plus(_messages(first, settings)).plus(new)
    replaces = _at(operators.get("$set", {}) if operators is not None else update, settings.messages_field) is not None
    return Change(created, new, upserts=bool(upsert), many=bool(many), replaces=replaces)


def _parts(update: Any, field: str) -> tuple[list[Mapping[str, Any]], list[Any], Mapping[str, Any] | None]:
    """The mappings that set fields, what is pushed to the messages, and the operators (None for a replacement)."""
    if isinstance(update, Mapping):
        if not any(str(name).startswith("$") for name in update):
            return [update], [], None
        values = [update[name] for name in ("$set", "$setOnInsert") if isinstance(update.get(name), Mapping)]
        push = update.get("$push")
        pushed = push.get(field) if isinstance(push, Mapping) else None
        if isinstance(pushed, Mapping) and "$each" in pushed:
            return values, list(pushed["$each"] or ()), update
        return values, [] if pushed is None else [pushed], update
    if isinstance(update, (list, tuple)):  # an aggregation pipeline: literal values can be read, expressions cannot
        stages = [stage.get("$set") or stage.get("$addFields") for stage in update if isinstance(stage, Mapping)]
        sets = [stage for stage in stages if isinstance(stage, Mapping)]
        return sets, [], {"$set": {name: value for stage in sets for name, value in stage.items()}}
    return [], [], {}


def _changed(changes: Sequence[Change], modified: int) -> Counts:
    """What `modified` documents changed by some of these statements count for."""
    if modified <= 0:
        return NOTHING
    if any(change.replaces for change in changes):
        _warn(_REPLACED)
    if any(change.many for change in changes) and len({change.changed for change in changes}) > 1:
        _warn(_AMBIGUOUS)
        return NOTHING
    return _spread([change.changed for change in changes], modified)


def _spread(counts: Sequence[Counts], number: int) -> Counts:
    """The sum of `number` of these, where that is the same whichever they are; else a warning and nothing."""
    if number <= 0 or not counts:
        return NOTHING
    if len(set(counts)) == 1:
        return counts[0].times(number)
    if number >= len(counts):
        return _total(counts)
    _warn(_AMBIGUOUS)
    return NOTHING


def _total(counts: Iterable[Counts]) -> Counts:
    total = NOTHING
    for item in counts:
        total = total.plus(item)
    return total


def _messages(array: Any, settings: Settings) -> Counts:
    return _total(_message(item, settings) for item in array) if isinstance(array, (list, tuple)) else NOTHING


def _message(document: Any, settings: Settings) -> Counts:
    return _role(_at(document, settings.role_field), settings)


def _role(role: Any, settings: Settings) -> Counts:
    return Counts(0, int(role in settings.user_roles), int(role in settings.assistant_roles))


def _at(document: Any, path: str) -> Any:
    """The value at a dotted path, or under the path written as one key (`{"$set": {"a.b": 1}}`)."""
    if not isinstance(document, Mapping):
        return None
    if path in document:
        return document[path]
    head, dot, rest = path.partition(".")
    return _at(document.get(head), rest) if dot else None


def _warn(text: str) -> None:
    if text not in _warned:
        _warned.add(text)
        _logger.warning("%s (said once)", text)
