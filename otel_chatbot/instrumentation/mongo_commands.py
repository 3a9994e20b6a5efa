"""Figures of MongoDB commands: how many, how long, how they ended, and what business documents they wrote.

Fed by pymongo's command events, in the context of the code that sent the command (threads and tasks alike);
feeds `metrics.record`. Imported when pymongo is. No figure depends on a span.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from opentelemetry.trace import get_current_span
from pymongo import monitoring

from .. import config
from .._guard import never_raise
from ..metrics import record
from ..metrics.store import STORE, HistogramSeries
from ..semconv import attributes as a
from ..semconv import metrics as m
from . import turn
from .mongo_documents import Counts, Write, write_of
from .mongo_transactions import Transactions, identity_of, in_transaction

NOT_COUNTED: Final = frozenset({"hello", "ismaster", "saslstart", "saslcontinue", "authenticate", "endsessions", "killcursors"})
"""Commands that the driver sends for itself, in lower case."""
_MONGODB: Final = a.DbSystem.MONGODB.value
_DUPLICATE_KEY: Final = {11000: "DuplicateKey", 11001: "DuplicateKey", 12582: "DuplicateKey"}
"""Write errors come without the name of their code; this one is worth its name."""

_CONVERSATION_FIELD: Final = "conversation_id"
"""The field of a message, or of a conversation with an id of its own, that names the conversation."""

TRANSACTIONS: Final = Transactions()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=TRANSACTIONS.forget)


class _Running(NamedTuple):
    request_id: int
    collection: str | None
    write: Write | None
    transaction: Mapping[str, Any] | None
    """What names the transaction of which the command is a part, None outside of one."""


# A command ends in the context in which it started, and none runs inside another. One slot a context, overwritten by the
# next command, cannot grow when a command is torn down without an event (a cancelled task, a killed greenlet).
_running: ContextVar[_Running | None] = ContextVar("otel_chatbot_mongo_command", default=None)


class CommandFigures(monitoring.CommandListener):
    """Counts the commands of the clients that it was given to."""

    enabled = True

    @never_raise
    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Keep what the end of the command will not tell."""
        name, command = event.command_name, event.command
        if not CommandFigures.enabled or name.lower() in NOT_COUNTED or record.is_own_traffic():
            _running.set(None)
            return
        collection = _collection(name, command)
        write = write_of(name, command, config.current())
        if name == "insert":
            _meet_conversation(collection, command)
        _running.set(_Running(event.request_id, collection, write, identity_of(command) if in_transaction(command) else None))

    @never_raise
    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Count the command, and the documents that its reply acknowledges."""
        running = _taken(event.request_id)
        if running is None:
            return
        reply = event.reply
        code, kind = _write_error(reply)
        _measure(event, running.collection, code, kind)
        if running.transaction is None:
            if running.write is not None:
                _count_documents(running.write.settle(reply))
        elif running.write is not None:
            TRANSACTIONS.add(running.transaction, running.write.settle(reply))
        elif event.command_name == "commitTransaction":
            _count_documents(TRANSACTIONS.commit(running.transaction))
        elif event.command_name == "abortTransaction":
            TRANSACTIONS.abort(running.transaction)

    @never_raise
    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Count the command with its error; what it wrote, if anything, was not acknowledged."""
        running = _taken(event.request_id)
        if running is None:
            return
        code, kind = error_of(event.failure)
        _measure(event, running.collection, code, kind)
        if running.transaction is not None and event.command_name == "abortTransaction":
            TRANSACTIONS.abort(running.transaction)


def error_of(failure: Mapping[str, Any]) -> tuple[str | None, str]:
    """The status code of a failed command and its kind: the server's name of the code, or the driver's exception."""
    code = failure.get("code")
    kind = failure.get("codeName") or failure.get("errtype") or (_code_name(code) if code is not None else "UnknownError")
    return (None if code is None else str(code)), str(kind)


def _write_error(reply: Mapping[str, Any]) -> tuple[str | None, str | None]:
    # A batch whose documents were refused is a success on the wire and an exception to the application.
    errors = reply.get("writeErrors")
    if not errors:
        return None, None
    code = errors[0].get("code")
    return str(code), _code_name(code)


def _code_name(code: Any) -> str:
    return _DUPLICATE_KEY.get(code, str(code))


def _taken(request_id: int) -> _Running | None:
    running = _running.get()
    if running is None or running.request_id != request_id:
        return None
    _running.set(None)
    return running


def _collection(name: str, command: Mapping[str, Any]) -> str | None:
    value = command.get("collection") if name == "getMore" else command.get(name)
    if name == "bulkWrite":
        spaces = {item.get("ns", "") for item in command.get("nsInfo") or ()}
        value = spaces.pop().partition(".")[2] if len(spaces) == 1 else None
    return value if isinstance(value, str) else None


def _measure(
    event: monitoring.CommandSucceededEvent | monitoring.CommandFailedEvent,
    collection: str | None,
    code: str | None,
    kind: str | None,
) -> None:
    operation, seconds = event.command_name, event.duration_micros / 1e6
    span = get_current_span().get_span_context()
    attributes = {a.DB_OPERATION: operation}
    if collection is not None:
        attributes[a.DB_COLLECTION] = collection
    record.observe(m.DB_QUERY_TIME, seconds, attributes, span)
    if operation in turn.READS:
        turn.spent(a.Phase.HISTORY, seconds)
    record.count(m.DB_QUERIES, 1.0, attributes if kind is None else {**attributes, a.ERROR_TYPE: kind})
    host, port = event.connection_id
    key = (_MONGODB, operation, collection, event.database_name, code, kind, host, port)
    series = STORE.instrument(m.DB_CLIENT_DURATION).at(key)
    assert isinstance(series, HistogramSeries)
    series.observe(seconds, span)


def _meet_conversation(collection: str | None, command: Mapping[str, Any]) -> None:
    """Take note of the conversation that a request begins or writes a message to."""
    settings = config.current()
    documents: Sequence[Any] = command.get("documents") or ()
    if collection not in (settings.conversations_collection, settings.messages_collection) or len(documents) != 1:
        return
    document = documents[0]
    if isinstance(document, Mapping):
        found = document.get(_CONVERSATION_FIELD)
        turn.met(document.get("_id") if found is None and collection == settings.conversations_collection else found)


def _count_documents(counts: Counts) -> None:
    if counts.conversations:
        record.count(m.CONVERSATIONS_CREATED, counts.conversations)
    if counts.sent:
        record.count(m.MESSAGES_SENT, counts.sent)
    if counts.received:
        record.count(m.MESSAGES_RECEIVED, counts.received)
