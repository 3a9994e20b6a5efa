"""Figures of MongoDB connection pools: how many connections are idle or used, how many callers wait, and how long.

Fed by pymongo's pool events (connection monitoring and pooling); feeds `metrics.record`. Imported when pymongo is.
There is one listener per client: connection numbers start anew in every client, so a shared listener would mix them up.
"""

from __future__ import annotations

import math
import threading
import weakref
from typing import Final

from pymongo import monitoring

from ..._clock import perf_counter
from ..._fork import at_fork
from ..._guard import never_raise, report
from ...metrics import record
from ...metrics.store import STORE, Value
from ...semconv import attributes as a
from ...semconv import metrics as m
from ..common.pool_figures import PoolSeries

_DEFAULT_MAX: Final = 100
"""pymongo's default of maxPoolSize. The event lists only options that differ from their defaults."""

_IDLE: Final[dict[str, Value | None]] = {a.CONNECTION_STATE: a.ConnectionState.IDLE.value}
_USED: Final[dict[str, Value | None]] = {a.CONNECTION_STATE: a.ConnectionState.USED.value}

Address = tuple[str, int | None]
_alive: weakref.WeakSet[PoolFigures] = weakref.WeakSet()


class _Pool:
    """One pool, and the connections that it has open in this process."""

    def __init__(self, address: Address) -> None:
        host, port = address
        idle, used = (STORE.gauge(m.DB_CONNECTIONS).bind(state) for state in (_IDLE, _USED))
        self.series = PoolSeries(a.DbSystem.MONGODB, host if port is None else f"{host}:{port}", (idle, used))
        # The time at which each open connection was checked out; None while it is idle.
        self.connections: dict[int, float | None] = {}

    def drop(self, number: int) -> None:
        """A connection was closed."""
        if number in self.connections:
            used = self.connections.pop(number) is not None
            self.series.move(0 if used else -1, -1 if used else 0)


class PoolFigures(monitoring.ConnectionPoolListener):
    """Follows the pools of one client."""

    enabled = True

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._pools: dict[Address, _Pool] = {}
        _alive.add(self)

    def _pool(self, address: Address) -> _Pool:
        found = self._pools.get(address)
        if found is None:
            found = self._pools[address] = _Pool(address)
        return found

    @never_raise
    def pool_created(self, event: monitoring.PoolCreatedEvent) -> None:
        """Publish the pool's limits; a pool without a maximum has none to publish."""
        if not PoolFigures.enabled:
            return
        most = event.options.get("maxPoolSize", _DEFAULT_MAX) or 0
        with self._lock:
            least = int(event.options.get("minPoolSize", 0))
            self._pool(event.address).series.limits(least, 0 if most == math.inf else int(most))

    @never_raise
    def pool_closed(self, event: monitoring.PoolClosedEvent) -> None:
        """Take the pool's limits back; connections still in use are closed when they come back."""
        with self._lock:
            pool = self._pools.get(event.address)
            if pool is not None:
                pool.series.limits(0, 0)

    @never_raise
    def connection_created(self, event: monitoring.ConnectionCreatedEvent) -> None:
        """A connection is idle until it is checked out, also while it is being opened."""
        if not PoolFigures.enabled:
            return
        with self._lock:
            pool = self._pool(event.address)
            pool.connections[event.connection_id] = None
            pool.series.move(1, 0)

    @never_raise
    def connection_ready(self, event: monitoring.ConnectionReadyEvent) -> None:
        """The connection is open: record how long that took."""
        if PoolFigures.enabled and not record.is_own_traffic():
            with self._lock:
                self._pool(event.address).series.opened(event.duration or 0.0)

    @never_raise
    def connection_closed(self, event: monitoring.ConnectionClosedEvent) -> None:
        """Forget the connection; one that this process did not open (a fork's inheritance) was never counted."""
        with self._lock:
            self._pool(event.address).drop(event.connection_id)

    @never_raise
    def connection_check_out_failed(self, event: monitoring.ConnectionCheckOutFailedEvent) -> None:
        """The caller got no connection. A wait that was too long is a timeout; a server that cannot be reached is not."""
        if record.is_own_traffic():
            return
        with self._lock:
            series = self._pool(event.address).series
            series.move(0, 0, -1)
            if PoolFigures.enabled and event.reason == monitoring.ConnectionCheckOutFailedReason.TIMEOUT:
                series.timed_out()

    def connection_check_out_started(self, event: monitoring.ConnectionCheckOutStartedEvent) -> None:
        """As `asked`, where the driver makes an event."""
        self.asked(event.address)

    def connection_checked_out(self, event: monitoring.ConnectionCheckedOutEvent) -> None:
        """As `taken`, where the driver makes an event."""
        self.taken(event.address, event.connection_id, event.duration)

    def connection_checked_in(self, event: monitoring.ConnectionCheckedInEvent) -> None:
        """As `returned`, where the driver makes an event."""
        self.returned(event.address, event.connection_id)

    # Every command sends these three. Guard and lock are written out: a decorator and `with` cost more than the rest.
    # `direct` gives them to the driver.

    def asked(self, address: Address) -> None:
        """A caller waits for a connection."""
        try:
            if not PoolFigures.enabled or record.is_own_traffic():
                return
            lock = self._lock
            lock.acquire()
            try:
                (self._pools.get(address) or self._pool(address)).series.waits()
            finally:
                lock.release()
        except Exception as error:
            report("PoolFigures.connection_check_out_started", error)

    def taken(self, address: Address, connection_id: int, duration: float | None) -> None:
        """A connection is used. The package's own short use of the application's pool is left out."""
        try:
            if record.is_own_traffic():
                return
            lock = self._lock
            lock.acquire()
            try:
                pool = self._pools.get(address) or self._pool(address)
                series, known = pool.series, connection_id in pool.connections
                if known:
                    pool.connections[connection_id] = perf_counter()
                if known and PoolFigures.enabled:
                    series.takes(duration or 0.0)
                    return
                series.move(-known, known, -1)
                if PoolFigures.enabled:
                    series.waited(duration or 0.0)
            finally:
                lock.release()
        except Exception as error:
            report("PoolFigures.connection_checked_out", error)

    def returned(self, address: Address, connection_id: int) -> None:
        """The connection is idle again."""
        try:
            lock = self._lock
            lock.acquire()
            try:
                pool = self._pools.get(address)
                since = None if pool is None else pool.connections.get(connection_id)
                if pool is None or since is None:
                    return
                pool.connections[connection_id] = None
                if PoolFigures.enabled:
                    pool.series.returns(perf_counter() - since)
                else:
                    pool.series.move(1, -1)
            finally:
                lock.release()
        except Exception as error:
            report("PoolFigures.connection_checked_in", error)

    @never_raise
    def pool_ready(self, event: monitoring.PoolReadyEvent) -> None:
        """Nothing to count."""

    @never_raise
    def pool_cleared(self, event: monitoring.PoolClearedEvent) -> None:
        """Nothing to count: every connection that is closed sends its own event."""

    @never_raise
    def give_back(self) -> None:
        """Take back what the client's pools added: the client was thrown away without being closed."""
        with self._lock:
            for pool in self._pools.values():
                for number in list(pool.connections):
                    pool.drop(number)
                pool.series.close()
            self._pools.clear()

    def start_anew(self) -> None:
        """In a forked child: the connections belong to the parent, and a thread of the parent may hold the lock."""
        self._lock = threading.RLock()
        self._pools = {}


def _after_fork() -> None:
    for figures in list(_alive):
        figures.start_anew()


at_fork(__name__, in_child=_after_fork)
