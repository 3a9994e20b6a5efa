"""A series: the figures of one metric under one set of attributes, in this process.

Fed by `metrics.record` and `metrics.api` through `metrics.store`; feeds `metrics.view`. Hot path.

A series is a run of 8-byte cells. Counting is a lock and an add in place. The locks may be entered again by the same
thread: a finalizer that garbage collection runs in the middle of an add may itself count (prometheus/client_python#1021).
On the hot path they are taken by `acquire` and `release`, because `with` takes more than twice as many instructions.
"""

from __future__ import annotations

import struct
import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from time import time as _now
from typing import Any, Final, NamedTuple, TypeAlias

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, INVALID_SPAN_CONTEXT, SpanContext, set_span_in_context

from .._clock import monotonic as _monotonic
from ..semconv.spec import Kind, MetricSpec

Value: TypeAlias = str | int
"""An attribute's value; anything else is turned into text."""
Key: TypeAlias = tuple[Value | None, ...]
"""Values in the order of `spec.attributes`; None where an attribute is absent."""
Cells: TypeAlias = "memoryview[float]"
"""Writable, of format `d`."""

OVERFLOW_KEY: Final[Key] = ("\0overflow",)
"""The key of the series that collects everything beyond the series limit."""
EXEMPLAR_SECONDS: Final = 0.1
"""How long a bucket's exemplar stays before a new one may replace it, in one process."""
EXEMPLAR_CELLS: Final = 5
"""Cells of an exemplar: trace id (two), span id, value, unix time in seconds, 0 for none."""


class Exemplar(NamedTuple):
    """One measurement and the sampled span in which it was made; `time` is unix seconds."""

    value: float
    trace_id: int
    span_id: int
    time: float


EXEMPLAR: Final = struct.Struct("=QQQdd")
"""The cells of an exemplar: trace id (high, low), span id, value, unix time."""
_pack_into: Final = EXEMPLAR.pack_into
_LOW: Final = 0xFFFFFFFFFFFFFFFF
_NO_SPAN: Final = INVALID_SPAN_CONTEXT
SPAN_KEY: Final = next(iter(set_span_in_context(INVALID_SPAN, Context())))
"""The context's key of the current span. `get_current_span` reads it too, but spends 0.4 µs on a check of the result."""


def _getter() -> Callable[[], Context]:
    runtime: Any = getattr(otel_context, "_RUNTIME_CONTEXT", otel_context)
    kept = getattr(runtime, "_current_context", None)
    return kept.get if type(kept) is ContextVar else runtime.get_current


get_current: Final[Callable[[], Context]] = _getter()
"""Returns the current context: the variable that OpenTelemetry's `get_current` reads, or else that function."""


class Shared:
    """The lock of all series of this process: one event adds to several of them under one lock (`metrics.together`)."""

    lock = threading.RLock()
    generation = 0
    """Raised when what is remembered of series is no longer true: after a fork, and when a gauge is withdrawn."""


def renew_lock() -> None:
    """In a forked child: a thread of the parent may hold the lock, and the cells are the parent's."""
    Shared.lock = threading.RLock()
    Shared.generation += 1


class Series:
    """The common part of all kinds. At the first recording, `attach` gives the series its cells and returns them."""

    __slots__ = ("_attach_to", "_cells", "_lock", "key", "spec")

    def __init__(self, spec: MetricSpec, key: Key, attach: Callable[[Series], Cells]) -> None:
        self.spec = spec
        self.key = key
        self._attach_to = attach
        self._lock = Shared.lock
        self._cells: Cells | None = None

    def _attach(self) -> Cells:
        return self._attach_to(self)

    def take(self, cells: Cells) -> None:
        """Use these cells from now on."""
        self._cells = cells

    def detach(self) -> None:
        """Forget the figures: after a fork they are the parent's."""
        self._lock = Shared.lock
        self._cells = None

    @property
    def cells(self) -> Cells | None:
        """The live cells, for readers; None when nothing was recorded."""
        return self._cells

    def reset(self) -> None:
        """Set every figure of this series back to zero, in this process."""
        with self._lock:
            cells = self._cells
            if cells is not None:
                for index in range(len(cells)):
                    cells[index] = 0.0

    def read(self) -> list[float]:
        """A copy of the cells; zeros when nothing was recorded."""
        with self._lock:
            return list(self._cells) if self._cells is not None else [0.0] * cell_count(self.spec)


class CounterSeries(Series):
    """Cells: the total."""

    __slots__ = ()

    def add(self, amount: float) -> None:
        """Add an amount, which the caller has checked to be finite and not negative."""
        cells = self._cells or self._attach()
        lock = self._lock
        lock.acquire()
        try:
            cells[0] += amount
        finally:
            lock.release()

    def put(self, total: float) -> None:
        """Set the total: for figures that another library counts and we mirror."""
        cells = self._cells or self._attach()
        with self._lock:
            cells[0] = total


def current_context() -> SpanContext:
    """The context of the span that is current; an invalid one where none is."""
    span: Any = get_current().get(SPAN_KEY)
    return _NO_SPAN if span is None else span.get_span_context()


class HistogramSeries(Series):
    """Cells: the sum; one count per bucket (not cumulative, the last one is beyond every edge); one exemplar per bucket.

    An exemplar stays for `EXEMPLAR_SECONDS`: writing one is expensive, and readers come less often than observations.
    """

    __slots__ = ("_edges", "_exemplars", "_kept_until")

    def __init__(self, spec: MetricSpec, key: Key, attach: Callable[[Series], Cells]) -> None:
        super().__init__(spec, key, attach)
        self._edges = spec.buckets
        self._exemplars = 2 + len(spec.buckets)
        self._kept_until = [0.0] * (1 + len(spec.buckets))
        """For each bucket, until when its exemplar stays, by the monotonic clock."""

    def reset(self) -> None:
        """Set every figure of this series back to zero, in this process."""
        super().reset()
        self._kept_until = [0.0] * len(self._kept_until)

    def detach(self) -> None:
        """Forget the figures: after a fork they are the parent's."""
        super().detach()
        self._kept_until = [0.0] * len(self._kept_until)

    def observe(self, value: float, context: SpanContext | None = None) -> None:
        """Add a finite value; a negative one counts as 0: libraries that use the time of day produce them when the clock is set back.

        `context`: the span it belongs to, the current one by default; kept when sampled.
        """
        if value < 0.0:  # noqa: PLR1730 - without a call
            value = 0.0
        cells = self._cells or self._attach()
        index = bisect_left(self._edges, value)
        if context is None:
            span: Any = get_current().get(SPAN_KEY)
            context = _NO_SPAN if span is None else span.get_span_context()
        # A SpanContext is a tuple of these six, and unpacking it is much faster than its properties.
        trace_id, span_id, _, flags, _, _ = context
        lock = self._lock
        if not flags & 1 or (now := _monotonic()) < self._kept_until[index]:
            lock.acquire()
            try:
                cells[0] += value
                cells[1 + index] += 1.0
            finally:
                lock.release()
            return
        start = self._exemplars + EXEMPLAR_CELLS * index
        high, low = trace_id >> 64, trace_id & _LOW
        lock.acquire()
        try:
            cells[0] += value
            cells[1 + index] += 1.0
            # The time is cleared first and set last, so that a reader in another process never takes a half-written exemplar.
            cells[start + 4] = 0.0
            _pack_into(cells, 8 * start, high, low, span_id, value, _now())
            self._kept_until[index] = now + EXEMPLAR_SECONDS
        finally:
            lock.release()

    def put(self, total: float, counts: Sequence[float], exemplars: Sequence[Exemplar | None] = ()) -> None:
        """Set the sum, the buckets and their exemplars: for figures that another library counts and we mirror."""
        cells = self._cells or self._attach()
        with self._lock:
            cells[0] = total
            for index, count in enumerate(counts, 1):
                cells[index] = float(count)
            for index, exemplar in enumerate(exemplars):
                if exemplar is not None:
                    start = self._exemplars + EXEMPLAR_CELLS * index
                    value, trace_id, span_id, seconds = exemplar
                    cells[start + 4] = 0.0
                    _pack_into(cells, 8 * start, trace_id >> 64, trace_id & _LOW, span_id, value, seconds)


def cell_count(spec: MetricSpec) -> int:
    """How many cells a series of this metric takes."""
    if spec.kind is Kind.COUNTER:
        return 1
    if spec.kind is Kind.HISTOGRAM:
        return 1 + (len(spec.buckets) + 1) * (1 + EXEMPLAR_CELLS)
    return 3
