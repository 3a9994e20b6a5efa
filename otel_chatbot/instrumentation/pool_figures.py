"""The figures of one connection pool, in the names of OpenTelemetry's database conventions: one shape for every database.

Fed by `instrumentation.mongo_pool` and `instrumentation.redis_pool`; feeds the store. Pools are on the path of every
command, so their series are looked up once.
"""

from __future__ import annotations

from ..metrics.store import STORE, CounterSeries, GaugeSeries, HistogramSeries
from ..semconv import attributes as a
from ..semconv import metrics as m
from ..semconv.spec import MetricSpec


class PoolSeries:
    """The series of one pool, and what it has added to the gauges: `close` takes that back."""

    def __init__(self, system: a.DbSystem, name: str) -> None:
        self._pool = {a.DB_SYSTEM: system.value, a.POOL_NAME: name}
        self._idle = self._gauge(m.CONNECTION_COUNT, a.ConnectionState.IDLE)
        self._used = self._gauge(m.CONNECTION_COUNT, a.ConnectionState.USED)
        self._pending = self._gauge(m.CONNECTION_PENDING)
        self._wait = self._histogram(m.CONNECTION_WAIT_TIME)
        self._use = self._histogram(m.CONNECTION_USE_TIME)
        self.idle = self.used = self.pending = self.least = self.most = 0

    def _gauge(self, spec: MetricSpec, state: a.ConnectionState | None = None) -> GaugeSeries:
        series = STORE.instrument(spec).labels(self._pool if state is None else {**self._pool, a.CONNECTION_STATE: state.value})
        assert isinstance(series, GaugeSeries)
        return series

    def _histogram(self, spec: MetricSpec) -> HistogramSeries:
        series = STORE.instrument(spec).labels(self._pool)
        assert isinstance(series, HistogramSeries)
        return series

    def hold(self, idle: int, used: int) -> None:
        """The pool holds so many connections now."""
        if idle != self.idle:
            self._idle.move(idle - self.idle)
        if used != self.used:
            self._used.move(used - self.used)
        self.idle, self.used = idle, used

    def ask(self, delta: int) -> None:
        """So many more (or fewer) wait for a connection; never fewer than none."""
        delta = max(delta, -self.pending)
        if delta:
            self.pending += delta
            self._pending.move(delta)

    def limits(self, least: int, most: int) -> None:
        """The fewest idle and the most connections that the pool keeps; 0 for no maximum, which has no figure."""
        self._gauge(m.CONNECTION_IDLE_MIN).move(least - self.least)
        if most != self.most:
            self._gauge(m.CONNECTION_MAX).move(most - self.most)
            self._gauge(m.CONNECTION_IDLE_MAX).move(most - self.most)
        self.least, self.most = least, most

    def waited(self, seconds: float) -> None:
        """A connection was handed out after a wait, the time to open it included."""
        self._wait.observe(seconds)

    def was_used(self, seconds: float) -> None:
        """A connection came back."""
        self._use.observe(seconds)

    def opened(self, seconds: float) -> None:
        """A new connection was opened."""
        self._histogram(m.CONNECTION_CREATE_TIME).observe(seconds)

    def timed_out(self) -> None:
        """Every connection was in use for too long."""
        series = STORE.instrument(m.CONNECTION_TIMEOUTS).labels(self._pool)
        assert isinstance(series, CounterSeries)
        series.add(1.0)

    def close(self) -> None:
        """Take back what the pool has added to the gauges."""
        self.hold(0, 0)
        self.ask(-self.pending)
        self.limits(0, 0)

    def forget(self) -> None:
        """In a forked child: what was added is the parent's."""
        self.idle = self.used = self.pending = self.least = self.most = 0
