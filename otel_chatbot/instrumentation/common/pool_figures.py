"""The figures of one connection pool, in the names of OpenTelemetry's database conventions: one shape for every database.

Fed by `instrumentation.mongodb.pool` and `instrumentation.redis.pool`; feeds the store. Pools are on the path of every
command, so their series are looked up once.
"""

from __future__ import annotations

from typing import Final

from ...metrics.gauge_series import move_all
from ...metrics.record import AUTOMATIC
from ...metrics.store import STORE, GaugeSeries, HistogramSeries, Value
from ...metrics.together import Together
from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.spec import MetricSpec


class PoolSeries:
    """The series of one pool, and its share in the gauges, which `close` takes back.

    `totals`: two more gauges, of idle and of used connections, that the pool moves together with its own.
    """

    def __init__(self, system: a.DbSystem, name: str, totals: tuple[GaugeSeries, GaugeSeries] | None = None) -> None:
        self._pool: dict[str, Value | None] = {a.DB_SYSTEM: system.value, a.POOL_NAME: name}
        self._idle = self._gauge(m.CONNECTION_COUNT, a.ConnectionState.IDLE)
        self._used = self._gauge(m.CONNECTION_COUNT, a.ConnectionState.USED)
        self._pending = self._gauge(m.CONNECTION_PENDING)
        self._totals = totals
        self._total = None if totals is None else totals[0].spec.name
        wait, use = self._histogram(m.CONNECTION_WAIT_TIME), self._histogram(m.CONNECTION_USE_TIME)
        taken, back = ((self._idle, -1), (self._used, 1), (self._pending, -1)), ((self._idle, 1), (self._used, -1))
        # The figures of most commands are found in advance, without the totals and with them.
        self._waits = ((self._pending, 1),)
        self._takes, self._returns = [Together(taken, wait)], [Together(back, use)]
        if totals is not None:
            self._takes.append(Together((*taken, (totals[0], -1), (totals[1], 1)), wait))
            self._returns.append(Together((*back, (totals[0], 1), (totals[1], -1)), use))
        self.waited: Final = wait.observe
        """A function for the seconds until a connection was handed out, with the time to open it."""
        self.was_used: Final = use.observe
        """A function for the seconds for which a connection was used."""
        self.idle = self.used = self.pending = self.least = self.most = 0

    def _gauge(self, spec: MetricSpec, state: a.ConnectionState | None = None) -> GaugeSeries:
        return STORE.gauge(spec).bind(self._pool if state is None else {**self._pool, a.CONNECTION_STATE: state.value})

    def _histogram(self, spec: MetricSpec) -> HistogramSeries:
        return STORE.histogram(spec).bind(self._pool)

    def waits(self) -> None:
        """One more command waits for a connection."""
        self.pending += 1
        move_all(self._waits)

    def takes(self, seconds: float) -> None:
        """A waiting command has got an idle connection, after so many seconds."""
        if self.pending < 1:
            self.move(-1, 1)
            self.waited(seconds)
            return
        self.pending -= 1
        self.idle -= 1
        self.used += 1
        self._takes[self._total in AUTOMATIC.active].add(seconds)

    def returns(self, seconds: float) -> None:
        """A connection that was used for so many seconds is idle again."""
        self.idle += 1
        self.used -= 1
        self._returns[self._total in AUTOMATIC.active].add(seconds)

    def move(self, idle: int, used: int, pending: int = 0) -> None:
        """Change the numbers of idle and used connections and of waiting commands; the last never falls below 0."""
        pending = max(pending, -self.pending) if pending < 0 else pending
        self.idle += idle
        self.used += used
        self.pending += pending
        moves = (self._idle, idle), (self._used, used), (self._pending, pending)
        if self._totals is not None and self._total in AUTOMATIC.active:
            moves = (*moves, (self._totals[0], idle), (self._totals[1], used))  # type: ignore[assignment]
        move_all(moves)

    def hold(self, idle: int, used: int, pending: int = 0) -> None:
        """Set the numbers of idle and used connections; change the number of waiting commands."""
        self.move(idle - self.idle, used - self.used, pending)

    def limits(self, least: int, most: int) -> None:
        """Set the fewest idle and the most connections that the pool keeps; 0: no maximum, and then no figure for it."""
        self._gauge(m.CONNECTION_IDLE_MIN).move(least - self.least)
        if most != self.most:
            self._gauge(m.CONNECTION_MAX).move(most - self.most)
            self._gauge(m.CONNECTION_IDLE_MAX).move(most - self.most)
        self.least, self.most = least, most

    def opened(self, seconds: float) -> None:
        """A new connection was opened."""
        self._histogram(m.CONNECTION_CREATE_TIME).observe(seconds)

    def timed_out(self) -> None:
        """Every connection was in use for too long."""
        STORE.counter(m.CONNECTION_TIMEOUTS).bind(self._pool).add(1.0)

    def close(self) -> None:
        """Take the pool's share out of the gauges."""
        self.hold(0, 0, -self.pending)
        self.limits(0, 0)

    def forget(self) -> None:
        """In a forked child: forget the share in the gauges, which is the parent's."""
        self.idle = self.used = self.pending = self.least = self.most = 0
