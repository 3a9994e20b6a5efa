"""Which conversations and messages a MongoDB command has written: read from the command and the reply, never from spans.

Fed by `instrumentation.mongodb.commands` (the command at its start, the reply at its end); feeds the three counters of
business events. `recognise` tells what a document is; this module reads from the reply what was written. The rules are in the
documentation under "What counts".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from ..chats.counts import BOTH, NOTHING, RECEIVED, SENT, Counts, total
from ..chats.current import warn_once
from ..chats.recognise import Found, Recogniser
from . import rewritten, whole_arrays
from .statements import RememberedDocument, Space, Statement, StatementCounts

__all__ = ["NOTHING", "WRITES", "Counts", "StatementCounts", "Write"]

_REPLACED = (
    "a conversation's whole array of messages was replaced, and no read in the same request showed what it held: what is new "
    "in it cannot be counted; $push new messages, read the conversation first, or count them with messages_sent and "
    "messages_received (in a request that asks a model, its answer counts as one turn)"
)
_AMBIGUOUS = (
    "MongoDB's reply does not say which of several different updates changed something, so the messages in them are not "
    "counted; send them one by one, ask for verbose results, or count them with messages_sent and messages_received"
)


class Write:
    """A command that may write conversations or messages, kept from its start until its reply."""

    __slots__ = ("_changes", "_errors_only", "_kind", "_ordered", "_unacknowledged", "after", "begun", "conversation", "unread")

    def __init__(
        self,
        kind: str,
        changes: Sequence[StatementCounts],
        command: Mapping[str, Any],
        conversation: object = None,
        unread: tuple[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._kind = kind
        self._changes = changes
        # Only what `settle` needs. A reference to the whole command would keep the documents alive.
        self._ordered = command.get("ordered", True)
        self._errors_only = command.get("errorsOnly")
        self._unacknowledged = "writeConcern" in command and (command["writeConcern"] or {}).get("w") == 0
        self.conversation = conversation
        """The id of the conversation that the command names."""
        self.begun: object = None
        """The `_id` of an inserted conversation that has no other id. The driver makes it in most cases."""
        self.unread = unread
        """A collection, and the fields of a document in it that was not recognised."""
        self.after: Callable[[Mapping[str, Any]], None] | None = None
        """Called with the reply, if nothing in it failed."""

    @property
    def counts(self) -> bool:
        """Whether it may count for something, or has something to remember."""
        return any(change.created is not NOTHING or change.changed is not NOTHING or change.replaces or change.memory
                   for change in self._changes)  # fmt: skip

    def says(self) -> bool:
        """Whether it writes messages that can be counted, if the server takes them."""
        for change in self._changes:
            made, changed = change.created, change.changed
            if not change.replaces and (made.sent or made.received or changed.sent or changed.received):
                return True
        return False

    def new_conversation(self, reply: Mapping[str, Any]) -> object:
        """The `_id` of a new conversation that has no other id: made by the driver, or by the server for an upsert."""
        if (
            self.begun is not None
            or self.conversation is not None
            or len(self._changes) != 1
            or not self._changes[0].created.conversations
        ):
            return self.begun
        if self._kind == "findandmodify":
            return (reply.get("lastErrorObject") or {}).get("upserted")
        upserted = reply.get("upserted") or ()
        return upserted[0].get("_id") if upserted else None

    def settle(self, reply: Mapping[str, Any]) -> Counts:
        """What the reply says has been written."""
        failed = reply.get("writeErrors")
        if not failed:
            self._remember(reply)
            if self._kind == "insert":
                return self._changes[0].created if len(self._changes) == 1 else total(c.created for c in self._changes)
        if self._unacknowledged:
            # The server sends no reply here; the driver makes {ok: 1} itself. Only what was sent is known.
            return total(change.created for change in self._changes if change.inserts)
        if self._kind == "findandmodify":
            return self._settle_find_and_modify(reply)
        if self._kind == "bulkwrite":
            return self._settle_bulk(reply)
        return self._settle_batch(reply)

    def _remember(self, reply: Mapping[str, Any]) -> None:
        if self.after is not None:
            self.after(reply)
        for change in self._changes:
            memory = change.memory
            if isinstance(memory, RememberedDocument):
                whole_arrays.written(memory.space, memory.fields, memory.arrays, whole=memory.whole)
            elif memory is not None:
                whole_arrays.keep(memory)

    def _settle_batch(self, reply: Mapping[str, Any]) -> Counts:
        ran = self._ran(error.get("index", 0) for error in reply.get("writeErrors") or ())
        if self._kind == "insert":
            return total(change.created for change in ran.values())
        made = {item.get("index") for item in reply.get("upserted") or ()}
        counts = total(change.created for index, change in ran.items() if index in made)
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
        if self._errors_only or cursor.get("id"):
            return counts.plus(_by_totals(list(updates.values()), reply))
        return counts.plus(_by_results(updates, results))

    def _ran(self, failed: Iterable[int]) -> dict[int, StatementCounts]:
        """The statements that ran without an error: an ordered batch stops at the first one."""
        errors = set(failed)
        stop = min(errors) if errors and self._ordered else len(self._changes)
        return {index: change for index, change in enumerate(self._changes[:stop]) if index not in errors}


def _insert(name: str, command: Mapping[str, Any], recogniser: Recogniser) -> Write | None:
    collection, documents = command.get(name), command.get("documents")
    if not isinstance(collection, str) or not documents:
        return None
    space, batch = (command.get("$db", ""), collection), len(documents) > 1
    first: tuple[Mapping[str, Any], Found] | None = None
    changes, anew = [], rewritten.begin(space, recogniser, batch=batch)
    for document in documents:
        found = recogniser.document(document, collection, batch=batch)
        again = None if anew is None else anew.change(document, found)
        changes.append(_made(found, document, space) if again is None else again)
        if first is None and found.chat:
            first = document, found
    if first is not None:
        write = Write("insert", changes, command, recogniser.conversation_id(first[0]))
        if write.conversation is None and first[1].counts.conversations:
            own = recogniser.own_name(first[0])
            write.begun = first[0].get("_id") if own is None else own
        if anew is not None:
            write.after = lambda _reply: anew.settle()
        return write
    unread = recogniser.unread(documents[0], collection)
    return None if unread is None else Write("insert", changes, command, unread=unread)


def _delete(name: str, command: Mapping[str, Any], recogniser: Recogniser) -> Write | None:
    collection, deletes = command.get(name), command.get("deletes") or []
    if not isinstance(collection, str) or len(deletes) != 1 or deletes[0].get("limit"):
        return None
    chat = rewritten.chat_of(deletes[0].get("q"))
    if chat is None:
        return None
    write, space = Write("delete", [], command), (command.get("$db", ""), collection)
    write.after = lambda reply: rewritten.deleted(space, chat, int(reply.get("n", 0)), recogniser)
    return write


def _updates(name: str, command: Mapping[str, Any], recogniser: Recogniser) -> Write | None:
    collection, updates = command.get(name), command.get("updates") or ()
    if not isinstance(collection, str):
        return None
    statements = [Statement(u.get("q"), u.get("u"), bool(u.get("upsert")), bool(u.get("multi"))) for u in updates]
    return _update(statements, "update", command, collection, recogniser)


def _find_and_modify(name: str, command: Mapping[str, Any], recogniser: Recogniser) -> Write | None:
    collection, update = command.get(name), command.get("update")
    if update is None or not isinstance(collection, str):
        return None
    statement = Statement(command.get("query"), update, bool(command.get("upsert")), many=False)
    return _update([statement], "findandmodify", command, collection, recogniser)


def _update(
    statements: Sequence[Statement], kind: str, command: Mapping[str, Any], collection: str, recogniser: Recogniser
) -> Write | None:
    space = (command.get("$db", ""), collection)
    write = Write(kind, [statement.change(space, recogniser) for statement in statements], command)
    if not write.counts:
        return None
    if len(statements) == 1:
        write.conversation = statements[0].conversation(collection, recogniser)
    return write


def _bulk(_name: str, command: Mapping[str, Any], recogniser: Recogniser) -> Write | None:
    spaces = [str(item.get("ns", "")).partition(".")[::2] for item in command.get("nsInfo") or ()]
    inserts = sum("insert" in op for op in command.get("ops") or ())
    changes = []
    for op in command.get("ops") or ():
        if "insert" in op:
            space, document = spaces[op["insert"]], op.get("document") or {}
            changes.append(_made(recogniser.document(document, space[1], batch=inserts > 1), document, space))
        elif "update" in op:
            statement = Statement(op.get("filter"), op.get("updateMods"), bool(op.get("upsert")), bool(op.get("multi")))
            changes.append(statement.change(spaces[op["update"]], recogniser))
        else:
            changes.append(StatementCounts(deletes=True))
    return Write("bulkwrite", changes, command)


WRITES: Final[dict[str, Callable[[str, Mapping[str, Any], Recogniser], Write | None]]] = {
    "insert": _insert,
    "delete": _delete,
    "update": _updates,
    "findandmodify": _find_and_modify,
    "bulkwrite": _bulk,
}
"""Commands that may write, by name in lower case, and the function that reads each."""


def _made(found: Found, document: Mapping[str, Any], space: Space) -> StatementCounts:
    if not found.holds:
        return _INSERTS.get(found.counts) or StatementCounts(found.counts, inserts=True)
    return StatementCounts(found.counts, inserts=True, memory=whole_arrays.made(space, document))


_INSERTS: Final = {counts: StatementCounts(counts, inserts=True) for counts in (NOTHING, SENT, RECEIVED, BOTH)}


def _changed(changes: Sequence[StatementCounts], modified: int) -> Counts:
    """What `modified` documents changed by some of these statements count for."""
    if modified <= 0:
        return NOTHING
    if any(change.replaces for change in changes):
        warn_once(_REPLACED)
    if any(change.many for change in changes) and len({change.changed for change in changes}) > 1:
        warn_once(_AMBIGUOUS)
        return NOTHING
    return _spread([change.changed for change in changes], modified)


def _by_results(updates: Mapping[int, StatementCounts], results: Sequence[Mapping[str, Any]]) -> Counts:
    """What the updates of a bulk write count for, where the reply has a result per statement."""
    made = {item.get("idx") for item in results if item.get("upserted") is not None}
    counts = total(change.created for index, change in updates.items() if index in made)
    for item in results:
        change = updates.get(item.get("idx", -1))
        if change is not None and item.get("idx") not in made:
            counts = counts.plus(_changed([change], int(item.get("nModified", 0))))
    return counts


def _by_totals(updates: Sequence[StatementCounts], reply: Mapping[str, Any]) -> Counts:
    """What the updates of a bulk write count for, if the reply has only totals, or only the first results."""
    upserted = int(reply.get("nUpserted", 0))
    may = [change for change in updates if change.upserts]
    rest = [change for change in updates if not (change.upserts and upserted >= len(may))]
    return _spread([change.created for change in may], upserted).plus(_changed(rest, int(reply.get("nModified", 0))))


def _spread(counts: Sequence[Counts], number: int) -> Counts:
    """The sum of `number` of these counts. If it depends on which ones are taken, it warns and counts nothing."""
    if number <= 0 or not counts:
        return NOTHING
    if len(set(counts)) == 1:
        return counts[0].times(number)
    if number >= len(counts):
        return total(counts)
    warn_once(_AMBIGUOUS)
    return NOTHING
