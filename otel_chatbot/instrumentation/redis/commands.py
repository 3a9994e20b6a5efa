"""Redis operations: span, time and errors, once per call of the application; then cache reads and chats.

Fed by `instrumentation.redis.hooks`, which wraps redis-py's calls; feeds the store, `redis.reads` and `redis.writes` with what
succeeded and, by `redis.spans`, the tracer. A command that redis-py retries inside one call is one operation. A pipeline is one
operation too, and each key that it reads is a hit or a miss.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar, Token
from typing import Any, Final

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span

from ..._clock import perf_counter
from ..._guard import never_raise, report
from ...metrics import deduplication, record
from ...metrics.record import AutomaticHistogram, keep
from ...metrics.series import SPAN_KEY, current_context, get_current
from ...metrics.store import STORE
from ...metrics.together import TimedEvents
from ...semconv import attributes as a
from ...semconv import metrics as m
from ..chats.counts import NOTHING
from ..chats.current import count as count_chats
from ..common import chat_turn
from ..common.client_spans import end, mark_failed
from ..common.redis_addresses import Address
from ..common.redis_addresses import address as address_of
from .reads import READS, SHOWS, reads, shows
from .reads import count as count_reads
from .spans import begin_command, begin_pipeline, connection_attributes, operation_name
from .writes import WRITES, written

_TELLING: Final = READS | WRITES.keys() | SHOWS
"""Commands whose replies say something of a cache or of a chat."""
NOT_COUNTED: Final = frozenset({"HELLO", "AUTH", "SELECT", "CLIENT"})
"""Commands that set up a connection."""
_WATCHED: Final = "WatchError"
_REDIS: Final = a.DbSystem.REDIS.value


class State:
    """Whether the instrumentation is on: operations are counted, and pools are followed."""

    on = False


class Operation:
    """One call of the application, from its start to its end, and its span. `counts`: whether it is also measured."""

    __slots__ = (
        "_address", "_client", "_commands", "_context", "_counts", "_name", "_pipeline", "_span", "_start", "_token", "replies",
    )  # fmt: skip

    def __init__(
        self,
        client: Any,
        name: str,
        commands: Sequence[Sequence[Any]],
        address: Address,
        span: Span | None,
        counts: bool,
        *,
        pipeline: bool,
    ) -> None:
        self._client = client
        self._name = name
        self._pipeline = pipeline
        self._commands = commands
        self._address = address
        self._span = span
        self._counts = counts
        self.replies: Sequence[Any] | None = None
        """The replies of a pipeline that is about to raise because of one of them."""
        self._token: Token[Operation | bool] | None = _running.set(self)
        self._context: Token[Context] | None = None if span is None else attach(Context({**get_current(), SPAN_KEY: span}))
        self._start = perf_counter()

    def succeeded(self, replies: Sequence[Any]) -> None:
        """Record the operation; `replies` has one item for each of its commands."""
        try:
            seconds = self._measure(None)
            if self._span is not None:
                end(self._span, seconds)
            self._read(replies)
        except Exception as error:
            report("Operation.succeeded", error)

    @never_raise
    def failed(self, error: BaseException) -> None:
        """Record the operation with its error, and the reads and writes of the pipeline's commands that succeeded."""
        kind = type(error).__qualname__
        seconds = self._measure(kind)
        if self._span is not None:
            # `WatchError` is no failure: it says that a watched key was changed. A `BaseException` that is no `Exception` (a
            # cancelled task) comes from the application.
            if isinstance(error, Exception) and kind != _WATCHED:
                mark_failed(self._span, kind)
            end(self._span, seconds)
        if self.replies is not None:
            self._read(self.replies)

    def _measure(self, error: str | None) -> float:
        seconds = perf_counter() - self._start
        if self._token is not None:
            _running.reset(self._token)
            self._token = None
        if self._context is not None:
            detach(self._context)
        if not self._counts:
            return seconds
        if self._address[0] is None:
            self._find_place()
        context = current_context() if self._span is None else self._span.get_span_context()
        kind = (self._name, error, *self._address)
        (figures,) = _figures.get(kind) or _figures_of(kind)
        scope = deduplication.current()
        figures.add(seconds, context, scope)
        chat_turn.spent(a.Phase.CACHE, seconds, scope)
        return seconds

    def _find_place(self) -> None:
        """Look up where the operation went: the clients of a cluster and of Sentinels may learn it only during the call."""
        self._address = _address(self._client)
        if self._span is not None:
            self._span.set_attributes(connection_attributes(self._address))

    def _read(self, replies: Sequence[Any]) -> None:
        if not self._pipeline and self._name not in _TELLING:
            return
        hits = misses = 0
        chats = NOTHING
        for command, reply in zip(self._commands, replies, strict=False):
            name = operation_name(command) if self._pipeline else self._name
            if isinstance(reply, Exception):
                continue
            if name in READS:
                hit, miss = reads(self._address, name, _arguments(command), reply)
                hits += hit
                misses += miss
            elif name in WRITES:
                counts = written(self._address, name, _arguments(command), reply)
                if counts is not NOTHING:
                    chats = chats.plus(counts)
            elif name in SHOWS:
                shows(self._address, name, _arguments(command), reply)
        if hits or misses:
            count_reads(hits, misses)
        if chats is not NOTHING:
            count_chats(chats)


def _arguments(command: Sequence[Any]) -> Sequence[Any]:
    first = command[0].decode() if isinstance(command[0], bytes) else command[0]
    return [*first.split()[1:], *command[1:]] if " " in first else command[1:]  # redis-py also takes "GET key" as one argument


_Kind = tuple[str, str | None, str | None, int | None, str | None]
_figures: Final[dict[_Kind, tuple[TimedEvents]]] = {}


def _figures_of(kind: _Kind) -> tuple[TimedEvents]:
    name, error, host, port, db = kind
    operation_time = AutomaticHistogram(m.CACHE_OPERATION_TIME, {a.DB_OPERATION: name})
    duration = STORE.histogram(m.DB_CLIENT_DURATION).bind(
        {
            a.DB_SYSTEM: _REDIS,
            a.DB_OPERATION: name,
            a.DB_COLLECTION: None,
            a.DB_NAMESPACE: db,
            a.DB_STATUS: None,
            a.ERROR_TYPE: error,
            a.SERVER_ADDRESS: host,
            a.SERVER_PORT: port,
        }
    )
    return keep(_figures, kind, (TimedEvents(operation_time, duration),))


# The operation of this context; True while redis-py prepares something itself. What redis-py sends meanwhile is part of it.
_running: ContextVar[Operation | bool] = ContextVar("otel_chatbot_redis_operation", default=False)


def begin(client: Any, name: str, commands: Sequence[Sequence[Any]], *, pipeline: bool = False) -> Operation | None:
    """Start an operation; None for the package's own and inside another one. Setting up a connection has only a span."""
    try:
        if not State.on or _running.get() or record.is_own_traffic():
            return None
        pool = getattr(client, "connection_pool", None)
        address = _address(client) if pool is None else address_of(pool)
        span = begin_pipeline(name, commands, address) if pipeline else begin_command(name, commands[0], address)
        counts = name not in NOT_COUNTED
        return (
            Operation(client, name, commands, address, span, counts, pipeline=pipeline) if counts or span is not None else None
        )
    except Exception as error:
        report("begin", error)
        return None


@never_raise
def note_replies(replies: Sequence[Any]) -> None:
    """Keep the replies of the running pipeline: redis-py may raise one of them, and then the others would be lost."""
    operation = _running.get()
    if isinstance(operation, Operation):
        operation.replies = list(replies)


def inside_library() -> Token[Operation | bool]:
    """From here to `outside_library`, commands are redis-py's own."""
    return _running.set(True)


def outside_library(token: Token[Operation | bool]) -> None:
    """Undo `inside_library`."""
    _running.reset(token)


def is_inside() -> bool:
    """Whether the running code is inside an operation or redis-py's own preparations."""
    return bool(_running.get())


def _address(client: Any) -> Address:
    """Where a client's commands go; for a cluster's client, the node for commands without a key."""
    pool = getattr(client, "connection_pool", None)
    if pool is not None:
        return address_of(pool)
    manager = getattr(client, "nodes_manager", None) or getattr(getattr(client, "cluster_client", None), "nodes_manager", None)
    node = getattr(manager, "default_node", None)
    return (None, None, "0") if node is None else (node.host, int(node.port), "0")
