"""Figures of Redis operations: time, errors, cache hits and misses, one entry for what the application called once.

Fed by `instrumentation.redis`, which wraps redis-py's calls; feeds `metrics.record`. A command that redis-py retries
inside one call is one operation, a pipeline is one operation, and each key that it reads is a hit or a miss.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Sequence
from contextvars import ContextVar, Token
from typing import Any, Final

from opentelemetry.trace import get_current_span

from .. import config
from .._guard import never_raise
from ..metrics import record
from ..metrics.store import STORE, HistogramSeries
from ..semconv import attributes as a
from ..semconv import metrics as m
from . import turn
from .redis_pool import address

NOT_COUNTED: Final = frozenset({"HELLO", "AUTH", "SELECT", "CLIENT"})
"""What sets a connection up."""
_ONE_KEY: Final = frozenset({"GET", "GETEX", "GETDEL", "HGET", "HGETALL"})
_OTHER: Final = "_OTHER"
_NAME: Final = re.compile(r"[A-Z][A-Z0-9._-]{0,63}\Z")
_SYSTEM: Final = {a.DB_SYSTEM: a.DbSystem.REDIS.value}


class State:
    """Whether operations are counted."""

    on = False


class Operation:
    """One call of the application, from its start to its end."""

    __slots__ = ("_client", "_commands", "_name", "_start", "_token", "replies")

    def __init__(self, client: Any, name: str, commands: Sequence[Sequence[Any]]) -> None:
        self._client = client
        self._name = name
        self._commands = commands
        self.replies: Sequence[Any] | None = None
        """The replies of a pipeline that is about to raise because of one of them."""
        self._token: Token[Operation | bool] | None = _running.set(self)
        self._start = time.perf_counter()

    @never_raise
    def succeeded(self, replies: Sequence[Any]) -> None:
        """Record the operation; `replies` has one item for each of its commands."""
        self._measure(None)
        self._read(replies)

    @never_raise
    def failed(self, error: BaseException) -> None:
        """Record the operation with its error, and what other commands of its pipeline have read."""
        self._measure(type(error).__qualname__)
        if self.replies is not None:
            self._read(self.replies)

    def _measure(self, error: str | None) -> None:
        seconds = time.perf_counter() - self._start
        if self._token is not None:
            _running.reset(self._token)
            self._token = None
        span = get_current_span().get_span_context()
        record.observe(m.CACHE_OPERATION_TIME, seconds, {a.DB_OPERATION: self._name}, span)
        turn.spent(a.Phase.CACHE, seconds)
        host, port, db = _address(self._client)
        key = (_SYSTEM[a.DB_SYSTEM], self._name, None, db, None, error, host, port)
        series = STORE.instrument(m.DB_CLIENT_DURATION).at(key)
        assert isinstance(series, HistogramSeries)
        series.observe(seconds, span)

    def _read(self, replies: Sequence[Any]) -> None:
        hits = misses = 0
        for command, reply in zip(self._commands, replies, strict=False):
            if not isinstance(reply, Exception):
                hit, miss = reads(command, reply)
                hits += hit
                misses += miss
        if hits:
            record.count(m.CACHE_HITS, hits, _SYSTEM)
        if misses:
            record.count(m.CACHE_MISSES, misses, _SYSTEM)


# The operation of this context; True inside of redis-py's own preparations. What redis-py sends meanwhile is part of it.
_running: ContextVar[Operation | bool] = ContextVar("otel_chatbot_redis_operation", default=False)


@never_raise
def begin(client: Any, name: str, commands: Sequence[Sequence[Any]]) -> Operation | None:
    """Start an operation, unless it does not count: the package's own, a part of another, or a connection's set-up."""
    if not State.on or _running.get() or record.is_own_traffic() or name in NOT_COUNTED:
        return None
    return Operation(client, name, commands)


@never_raise
def note_replies(replies: Sequence[Any]) -> None:
    """Keep the replies of the running pipeline: one of them may be raised, and the others would be lost."""
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


def operation_name(command: Sequence[Any]) -> str:
    """A command's name, in upper case: the first word of its first argument, which may hold the others too."""
    return _name(command[0]) if command and isinstance(command[0], (str, bytes)) else _OTHER


@functools.lru_cache(maxsize=512)
def _name(first: str | bytes) -> str:
    words = (first.decode("utf-8", "replace") if isinstance(first, bytes) else first).split(None, 1)
    name = words[0].upper() if words else ""
    return name if _NAME.match(name) else _OTHER


def reads(command: Sequence[Any], reply: Any) -> tuple[int, int]:
    """Hits and misses of a command: one for each key (or field, HMGET) that it asked for."""
    name = operation_name(command)
    if name not in _ONE_KEY and name not in ("MGET", "HMGET"):
        return 0, 0
    first = command[0].decode() if isinstance(command[0], bytes) else command[0]
    arguments = [*first.split()[1:], *command[1:]]  # redis-py also takes "GET key" as one argument
    if name == "MGET":
        found = [value is not None for key, value in zip(arguments, reply or (), strict=False) if _is_cache(key)]
    elif not arguments or not _is_cache(arguments[0]):
        return 0, 0
    elif name == "HMGET":
        found = [value is not None for value in reply or ()]
    else:
        found = [bool(reply) if name == "HGETALL" else reply is not None]
    hits = sum(found)
    return hits, len(found) - hits


def _is_cache(key: Any) -> bool:
    prefix = config.current().cache_prefix
    if not prefix:
        return True
    if isinstance(key, (bytes, bytearray, memoryview)):
        return bytes(key).startswith(prefix.encode())
    return str(key).startswith(prefix)


def _address(client: Any) -> tuple[str | None, int | None, str | None]:
    pool = getattr(client, "connection_pool", None)
    if pool is not None:
        return address(pool.connection_kwargs)
    manager = getattr(client, "nodes_manager", None) or getattr(getattr(client, "cluster_client", None), "nodes_manager", None)
    node = getattr(manager, "default_node", None)
    return (None, None, None) if node is None else (node.host, int(node.port), "0")
