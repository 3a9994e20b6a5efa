"""Figures of Redis connection pools, in the shape of MongoDB's: idle and used connections, waits, times.

Fed by redis-py's pools, sync and asyncio, plain and blocking; feeds `metrics.record`. redis-py has no pool events. So the
pool's own lists are read after each call that may change them, and the gauges move by the difference.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Collection
from typing import Any, Final

from ..._clock import perf_counter
from ..._fork import at_fork
from ..._guard import never_raise, report
from ...metrics import record
from ...semconv import attributes as a
from ..common.patching import Method, Patches
from ..common.pool_figures import PoolSeries
from ..common.redis_addresses import connection_name, pool_name
from .commands import State

_NO_CONNECTION: Final = ("No connection available.", "Too many connections")
"""What the blocking and the plain pool say when every connection is in use (redis-py has no type of error for it)."""
_LOOK_SECONDS: Final = 1.0
"""An idle connection may be closed by something else. That is seen after so many seconds at the latest."""
_UNLIMITED: Final = 2**31
"""Before version 8, redis-py gives this max_connections to a pool without a maximum."""


class _Pool:
    """What this process has recorded of one pool."""

    def __init__(self, pool: Any) -> None:
        self.lock = threading.RLock()
        self.series = PoolSeries(a.DbSystem.REDIS, pool_name(pool))
        most = int(pool.max_connections)
        self.series.limits(0, most if most < _UNLIMITED else 0)
        self.since: dict[int, float] = {}
        self._closed = 0
        self._looked = -math.inf

    def hold(self, pool: Any, pending: int = 0, *, look: bool = False, seconds: float | None = None) -> None:
        """Make the figures agree with the pool's own lists. `look`: a connection may have been closed in between.

        Closed connections stay in their pool and are opened again later. They are rare; finding one takes a look at all.
        `seconds`: how long a connection that was taken was waited for (`pending` is -1), or one that is back was used.
        """
        now = perf_counter()
        lock = self.lock
        lock.acquire()
        try:
            idle, used = _books(pool)
            if look or self._closed or now - self._looked > _LOOK_SECONDS:
                idle = list(idle)  # a copy: other threads may change it
                self._closed, self._looked = len(idle) - sum(map(_is_open, idle)), now
            series = self.series
            free = len(idle) - self._closed
            if seconds is None:
                series.hold(free, used, pending)
            elif pending and used == series.used + 1 and free == series.idle - 1:
                series.takes(seconds)
            elif not pending and used == series.used - 1 and free == series.idle + 1:
                series.returns(seconds)
            else:
                series.hold(free, used, pending)
                (series.waited if pending else series.was_used)(seconds)
        finally:
            lock.release()

    @never_raise
    def give_back(self) -> None:
        """The pool was thrown away: take back what it added."""
        self.series.close()

    def forget(self) -> None:
        """In a forked child: the recorded figures belong to the parent."""
        self.lock = threading.RLock()
        self.series.forget()
        self.since = {}


_followed: weakref.WeakKeyDictionary[Any, _Pool] = weakref.WeakKeyDictionary()


def follow(patches: Patches) -> None:
    """Wrap redis-py's pools and connections; `patches.restore` undoes it."""
    from redis import connection as sync
    from redis.asyncio import connection as aio_connection

    for kind in ("ConnectionPool", "BlockingConnectionPool"):
        pool, aio_pool = getattr(sync, kind), getattr(aio_connection, kind)
        patches.wrap(pool, "get_connection", _getting)
        patches.wrap(pool, "release", _releasing)
        patches.wrap(pool, "disconnect", _changing)
        patches.wrap(aio_pool, "get_connection", _getting_async)
        patches.wrap(aio_pool, "release", _releasing_async)
        patches.wrap(aio_pool, "disconnect", _changing_async)
        patches.wrap(pool, "reset", _changing)
        patches.wrap(aio_pool, "reset", _changing)
    # The method that opens the socket, for a command and for `connect` alike.
    for owner, make in ((sync.AbstractConnection, _connecting), (aio_connection.AbstractConnection, _connecting_async)):
        patches.wrap(owner, "connect_check_health" if hasattr(owner, "connect_check_health") else "connect", make)


def _quiet() -> bool:
    return not State.on or record.is_own_traffic()


def _getting(original: Method) -> Method:
    def get_connection(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _quiet():
            return original(self, *args, **kwargs)
        state, start = _ask(self), perf_counter()
        try:
            connection = original(self, *args, **kwargs)
        except BaseException as error:
            _refused(self, state, error)
            raise
        _given(self, state, connection, start)
        return connection

    return get_connection


def _getting_async(original: Method) -> Method:
    async def get_connection(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _quiet():
            return await original(self, *args, **kwargs)
        state, start = _ask(self), perf_counter()
        try:
            connection = await original(self, *args, **kwargs)
        except BaseException as error:
            _refused(self, state, error)
            raise
        _given(self, state, connection, start)
        return connection

    return get_connection


def _releasing(original: Method) -> Method:
    def release(self: Any, connection: Any) -> Any:
        state = _followed.get(self)
        if state is None:
            return original(self, connection)
        seconds = _used(state, connection)
        try:
            return original(self, connection)
        finally:
            _changed(self, state, look=not _is_open(connection), seconds=seconds)

    return release


def _releasing_async(original: Method) -> Method:
    async def release(self: Any, connection: Any) -> Any:
        state = _followed.get(self)
        if state is None:
            return await original(self, connection)
        seconds = _used(state, connection)
        try:
            return await original(self, connection)
        finally:
            _changed(self, state, look=not _is_open(connection), seconds=seconds)

    return release


def _changing(original: Method) -> Method:
    def change(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, *args, **kwargs)
        finally:
            _changed(self, _followed.get(self), look=True)

    return change


def _changing_async(original: Method) -> Method:
    async def change(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await original(self, *args, **kwargs)
        finally:
            _changed(self, _followed.get(self), look=True)

    return change


def _connecting(original: Method) -> Method:
    def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_open(self) or _quiet():
            return original(self, *args, **kwargs)
        start = perf_counter()
        result = original(self, *args, **kwargs)
        _opened(self, start)
        return result

    return connect


def _connecting_async(original: Method) -> Method:
    async def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_open(self) or _quiet():
            return await original(self, *args, **kwargs)
        start = perf_counter()
        result = await original(self, *args, **kwargs)
        _opened(self, start)
        return result

    return connect


# This runs in every command. Guard and lock are written out: a decorator and `with` cost more than the rest.


def _ask(pool: Any) -> _Pool | None:
    try:
        state = _followed.get(pool)
        if state is None:
            state = _followed[pool] = _Pool(pool)
            weakref.finalize(pool, state.give_back).atexit = False
        state.lock.acquire()
        try:
            state.series.waits()
        finally:
            state.lock.release()
    except Exception as error:
        report("_ask", error)
        return None
    return state


@never_raise
def _refused(pool: Any, state: _Pool | None, error: BaseException) -> None:
    if state is not None:
        state.hold(pool, -1, look=True)
        if error.args and error.args[0] in _NO_CONNECTION:
            state.series.timed_out()


def _given(pool: Any, state: _Pool | None, connection: Any, start: float) -> None:
    try:
        if state is not None:
            now = perf_counter()
            state.since[id(connection)] = now
            state.hold(pool, -1, seconds=now - start)
    except Exception as error:
        report("_given", error)


def _used(state: _Pool, connection: Any) -> float | None:
    """For how long a connection was used; None if that is not known."""
    since = state.since.pop(id(connection), None)
    return None if since is None else perf_counter() - since


@never_raise
def _opened(connection: Any, start: float) -> None:
    known = {name: getattr(connection, name, None) for name in ("host", "port", "path", "db")}
    service = getattr(getattr(connection, "connection_pool", None), "service_name", None)  # Sentinels' connections know theirs
    PoolSeries(a.DbSystem.REDIS, connection_name(service, known)).opened(perf_counter() - start)


def _changed(pool: Any, state: _Pool | None, *, look: bool, seconds: float | None = None) -> None:
    try:
        if state is not None:
            state.hold(pool, look=look, seconds=seconds)
    except Exception as error:
        report("_changed", error)


def _books(pool: Any) -> tuple[Collection[Any], int]:
    """The idle connections of a pool, and the number of used ones, from the pool's own lists."""
    if (queue := getattr(pool, "pool", None)) is None:
        return pool._available_connections, len(pool._in_use_connections)
    idle = [connection for connection in list(queue.queue) if connection is not None]
    return idle, len(pool._connections) - len(idle)


def _is_open(connection: Any) -> bool:
    """Whether a connection has a socket."""
    known = getattr(connection, "is_connected", None)
    return bool(known) if known is not None else getattr(connection, "_sock", None) is not None


def _after_fork() -> None:
    for state in list(_followed.values()):
        state.forget()
    _followed.clear()


at_fork(__name__, in_child=_after_fork)
