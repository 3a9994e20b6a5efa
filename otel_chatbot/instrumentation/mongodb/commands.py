"""MongoDB commands: their spans, their number, duration and outcome, and the business documents that they wrote.

Fed by pymongo's command events, which come in the context of the code that sent the command (in threads and in tasks);
feeds the store and the tracer. This module is imported when pymongo is. No figure depends on a span.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from opentelemetry.trace import Span
from pymongo import monitoring

from ..._clock import perf_counter
from ..._fork import at_fork
from ..._guard import never_raise, report
from ...metrics import deduplication, record
from ...metrics.record import AutomaticCounter, AutomaticHistogram, keep
from ...metrics.series import current_context
from ...metrics.store import STORE
from ...metrics.together import TimedEvents
from ...semconv import attributes as a
from ...semconv import metrics as m
from ..chats.current import count, current
from ..common import chat_turn
from ..common.client_spans import ClientSpans, Prepared, end, mark_failed
from . import rewritten, unrecognised, whole_arrays
from .documents import WRITES, Write
from .transactions import Transactions, identity_of, in_transaction

NOT_COUNTED: Final = frozenset({"hello", "ismaster", "saslstart", "saslcontinue", "authenticate", "endsessions", "killcursors"})
"""Commands that the driver sends for itself, in lower case."""
_SECRET: Final = frozenset({
    "authenticate", "saslstart", "saslcontinue", "getnonce", "createuser", "updateuser", "copydb", "copydbgetnonce", "copydbsaslstart",
})  # fmt: skip
"""Commands that may hold a password, in lower case. The driver's events leave out what they say, and so do we."""
_MONGODB: Final = a.DbSystem.MONGODB.value
_DUPLICATE_KEY: Final = {11000: "DuplicateKey", 11001: "DuplicateKey", 12582: "DuplicateKey"}
"""Write errors come without the name of their code. This error gets its name here."""

TRANSACTIONS: Final = Transactions()
at_fork(__name__, in_child=TRANSACTIONS.forget)


_SHOWING: Final = frozenset({"find", "findAndModify"})
"""Commands whose replies show documents that the application may write back."""
Address = tuple[str, "int | None"]
SPANS: Final = ClientSpans("opentelemetry.instrumentation.pymongo", "PymongoInstrumentor")


class _Read(NamedTuple):
    """A command whose reply shows documents."""

    space: tuple[str, str]
    query: Mapping[str, Any]
    whole: bool
    """Whether it shows them with all of their fields."""


_Running = tuple[int, float, "Span | None", bool, "str | None", "Write | None", "Mapping[str, Any] | None", "_Read | None"]
"""A running command: the id of its request; when it began; its span; whether it is counted; its collection; what it may write;
the ids of its transaction (None outside of one); what its reply will show.

We measure the start with a monotonic clock. pymongo measures the command by the time of day, and somebody may set that clock
meanwhile. It is a tuple because a class with named fields takes ten times as long to make.
"""


# A command ends in the context in which it started, and no command runs inside another. So there is one slot per context, and
# the next command overwrites it. It cannot grow if a command ends without an event (a cancelled task, a killed greenlet).
_running: ContextVar[_Running | None] = ContextVar("otel_chatbot_mongo_command", default=None)


class CommandFigures(monitoring.CommandListener):
    """Counts the commands of the clients that it was given to, and makes their spans."""

    enabled = True

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """As `begin`, where the driver makes an event."""
        self.begin(event.command_name, event.command, event.database_name, event.request_id, event.connection_id)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """As `succeed`, where the driver makes an event."""
        self.succeed(event.reply, event.command_name, event.request_id, event.connection_id, event.database_name)

    # Every command calls these two. Their guard is written out, because a decorator costs one more call.

    @staticmethod
    def begin(name: str, command: Mapping[str, Any], database: str, request_id: int, address: Address) -> None:
        """Begin the command's span, and keep what is not known at its end."""
        try:
            if not CommandFigures.enabled or record.is_own_traffic():
                _running.set(None)
                return
            lowered = name.lower()
            if lowered in _SECRET:
                command = {}
            collection = _collection(name, command)
            prepared = SPANS.prepare()
            span = None if prepared is None else _begin_span(name, database, address, collection, prepared)
            if lowered in NOT_COUNTED:
                _running.set((request_id, perf_counter(), span, False, None, None, None, None))
                return
            write = None
            if lowered in WRITES:
                write = WRITES[lowered](name, command, current())
                if write is not None:
                    chat_turn.writes(write.conversation, write.says)
            read = _read(name, command, write) if name in _SHOWING else None
            transaction = identity_of(command) if in_transaction(command) else None
            _running.set((request_id, perf_counter(), span, True, collection, write, transaction, read))
        except Exception as error:
            report("CommandFigures.started", error)

    @staticmethod
    def succeed(reply: Mapping[str, Any], name: str, request_id: int, address: Address, database: str) -> None:
        """Count the command and the documents that its reply acknowledges; end its span."""
        try:
            running = _taken(request_id)
            if running is None:
                return
            _, began, span, counts, collection, write, transaction, read = running
            seconds = perf_counter() - began
            if counts:
                code, kind = _write_error(reply) if "writeErrors" in reply else (None, None)
                _measure((name, collection, database, code, kind, *address), span, seconds)
            if span is not None:
                end(span, seconds)
            if read is not None:
                documents = _shown(reply)
                whole_arrays.read(read.space, read.query, documents, whole=read.whole)
                rewritten.shown(read.space, read.query, documents)
            if write is not None:
                _settle(write, reply, transaction)
            elif transaction is not None and name == "commitTransaction":
                count(TRANSACTIONS.commit(transaction))
            elif transaction is not None and name == "abortTransaction":
                TRANSACTIONS.abort(transaction)
        except Exception as error:
            report("CommandFigures.succeeded", error)

    @never_raise
    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Count the command with its error, and end its span. Its documents do not count: nothing was acknowledged."""
        running = _taken(event.request_id)
        if running is None:
            return
        _, began, span, counts, collection, _, transaction, _ = running
        code, kind = error_of(event.failure)
        seconds = perf_counter() - began
        if counts:
            _measure((event.command_name, collection, event.database_name, code, kind, *event.connection_id), span, seconds)
        if span is not None:
            # The server's message may hold a document or the value of a key, so the span has only the kind of the error.
            mark_failed(span, kind, {a.DB_STATUS: code} if code is not None else None)
            end(span, seconds)
        if transaction is not None and event.command_name == "abortTransaction":
            TRANSACTIONS.abort(transaction)


def _begin_span(name: str, database: str, address: Address, collection: str | None, prepared: Prepared) -> Span | None:
    host, port = address
    attributes: dict[str, Any] = {a.DB_SYSTEM: _MONGODB, a.DB_NAMESPACE: database, a.DB_OPERATION: name}
    if collection:
        attributes[a.DB_COLLECTION] = collection
    attributes[a.SERVER_ADDRESS] = host
    if port:
        attributes[a.SERVER_PORT] = port
    return SPANS.start(f"{database}.{name}", attributes, prepared)


def error_of(failure: Mapping[str, Any]) -> tuple[str | None, str]:
    """The status code of a failed command and its kind: the server's name of the code, or the driver's exception."""
    code = failure.get("code")
    kind = failure.get("codeName") or failure.get("errtype") or (_code_name(code) if code is not None else "UnknownError")
    return (None if code is None else str(code)), str(kind)


def _write_error(reply: Mapping[str, Any]) -> tuple[str | None, str | None]:
    # If documents of a batch were refused, the command succeeds on the wire, but the application gets an exception.
    errors = reply.get("writeErrors")
    if not errors:
        return None, None
    code = errors[0].get("code")
    return str(code), _code_name(code)


def _code_name(code: Any) -> str:
    return _DUPLICATE_KEY.get(code, str(code))


def _taken(request_id: int) -> _Running | None:
    running = _running.get()
    if running is None or running[0] != request_id:
        return None
    _running.set(None)
    return running


def _collection(name: str, command: Mapping[str, Any]) -> str | None:
    value = command.get("collection") if name == "getMore" else command.get(name)
    if name == "bulkWrite":
        spaces = {item.get("ns", "") for item in command.get("nsInfo") or ()}
        value = spaces.pop().partition(".")[2] if len(spaces) == 1 else None
    return value if isinstance(value, str) else None


_Kind = tuple[str, str | None, str, str | None, str | None, str, int | None]
_figures: Final[dict[_Kind, tuple[TimedEvents]]] = {}


def _figures_of(kind: _Kind) -> tuple[TimedEvents]:
    operation, collection, database, code, error, host, port = kind
    command = {a.DB_OPERATION: operation, a.DB_COLLECTION: collection}
    queries = AutomaticCounter(m.DB_QUERIES, {**command, a.ERROR_TYPE: error})
    query_time = AutomaticHistogram(m.DB_QUERY_TIME, command)
    duration = STORE.histogram(m.DB_CLIENT_DURATION).bind(
        {
            **command,
            a.DB_SYSTEM: _MONGODB,
            a.DB_NAMESPACE: database,
            a.DB_STATUS: code,
            a.ERROR_TYPE: error,
            a.SERVER_ADDRESS: host,
            a.SERVER_PORT: port,
        }
    )
    return keep(_figures, kind, (TimedEvents(query_time, duration, queries),))


def _measure(kind: _Kind, span: Span | None, seconds: float) -> None:
    (figures,) = _figures.get(kind) or _figures_of(kind)
    scope = deduplication.current()
    figures.add(seconds, current_context() if span is None else span.get_span_context(), scope)
    if kind[0] in chat_turn.READS:
        chat_turn.spent(a.Phase.HISTORY, seconds, scope)


def _settle(write: Write, reply: Mapping[str, Any], transaction: Mapping[str, Any] | None) -> None:
    counts = write.settle(reply)
    if write.unread is not None:
        unrecognised.note(*write.unread)
    elif (made := write.new_conversation(reply)) is not None:
        chat_turn.began(made)
    if transaction is None:
        count(counts)
    else:
        TRANSACTIONS.add(transaction, counts)


def _read(name: str, command: Mapping[str, Any], write: Write | None) -> _Read | None:
    """What a command will show. A command that also writes shows the new document only if it is asked for that."""
    if name == "find":
        return _Read((command.get("$db", ""), command["find"]), command.get("filter") or {}, "projection" not in command)
    if command.get("new") or write is None:
        return _Read((command.get("$db", ""), command[name]), command.get("query") or {}, "fields" not in command)
    return None


def _shown(reply: Mapping[str, Any]) -> Sequence[Any]:
    cursor = reply.get("cursor")
    if cursor is not None:
        return cursor.get("firstBatch") or ()
    return (reply.get("value"),)
