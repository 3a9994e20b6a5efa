"""Automatic events: the instrumentations record them here.

Fed by `instrumentation/*` and `health`; feeds `metrics.store`. Callers on a hot path keep an `AutomaticCounter` or an
`AutomaticHistogram` for each kind of event.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Protocol, TypeVar

from opentelemetry import context as otel_context
from opentelemetry.trace import SpanContext

from .. import config
from ..semconv import attributes as a
from ..semconv import metrics as m
from ..semconv.spec import MetricSpec, Source
from . import deduplication
from .store import OVERFLOW_KEY, STORE, Key, Value

_own: ContextVar[bool] = ContextVar("otel_chatbot_own_traffic", default=False)
# The key that every instrumentation of the OpenTelemetry project checks (opentelemetry.instrumentation.utils).
_SUPPRESS = "suppress_instrumentation"

GaugeSource = Callable[[], Mapping[Key, float]]


class Automatic:
    """The metrics that have an automatic source in this process, and the sources of gauges, by OpenTelemetry name."""

    def __init__(self) -> None:
        self.active: set[str] = set()
        self.sources: dict[str, GaugeSource] = {}
        self.by_hand: set[str] = set()
        """Gauges that the application sets itself; their automatic sources are off."""

    def take_by_hand(self, spec: MetricSpec) -> None:
        """Leave a gauge to the application: its automatic value is forgotten and nothing is added to it any more."""
        if spec.name in self.by_hand:
            return
        self.by_hand.add(spec.name)
        self.sources.pop(spec.name, None)
        if spec.name in self.active:
            self.active.discard(spec.name)
            for series in list(STORE.instrument(spec).series.values()):
                series.reset()


AUTOMATIC = Automatic()


def activate(*specs: MetricSpec) -> None:
    """Mark these metrics as filling themselves from now on, except those in the setting AUTO_OFF."""
    AUTOMATIC.active.update(spec.name for spec in specs if not switched_off(spec) and spec.name not in AUTOMATIC.by_hand)


def activate_source(source: Source) -> None:
    """Mark this instrumentation as running: the metrics whose rows name it fill themselves from now on."""
    activate(*m.FILLED_BY[source])


def switched_off(spec: MetricSpec) -> bool:
    """Whether AUTO_OFF names this metric by its OpenTelemetry, Prometheus or Python name."""
    off = config.current().auto_off
    return bool(off) and not {spec.name, spec.prometheus, spec.python}.isdisjoint(off)


def gauge_source(spec: MetricSpec, source: GaugeSource) -> None:
    """Ask `source` for a gauge's values, by key, whenever a view is built; never on a request's thread."""
    if not switched_off(spec) and spec.name not in AUTOMATIC.by_hand:
        AUTOMATIC.sources[spec.name] = source
        AUTOMATIC.active.add(spec.name)


@contextmanager
def own_traffic() -> Iterator[None]:
    """Mark the calls in this block as the package's own: no instrumentation counts them or makes spans of them."""
    token = otel_context.attach(otel_context.set_value(_SUPPRESS, True))
    own = _own.set(True)
    try:
        yield
    finally:
        _own.reset(own)
        otel_context.detach(token)


is_own_traffic: Final[Callable[[], bool]] = _own.get
"""Whether the running code is inside `own_traffic`. It is asked several times per command, so no function is around it."""


def is_active(spec: MetricSpec) -> bool:
    """Whether a metric fills itself in this process."""
    return spec.name in AUTOMATIC.active


def _due(name: str, scope: deduplication.Scope, amount: float) -> float | None:
    """The rule for each automatic event of a public metric: how much of it is new beside the hand counts.

    None if the metric does not fill itself.
    """
    if name not in AUTOMATIC.active:
        return None
    tallies = scope.tallies
    return (tallies[name] if name in tallies else scope.tally(name)).add_auto(amount)


class AutomaticCounter:
    """The series in which one kind of automatic event is counted, for callers that keep it; see `count`.

    `values`: every attribute of the row by name.
    """

    __slots__ = ("_name", "_series", "key")

    def __init__(self, spec: MetricSpec, values: Mapping[str, Value | None]) -> None:
        self._name = spec.name
        self._series = STORE.counter(spec).bind(values)
        self.key: Final = self._series.key

    def add(self, amount: float = 1.0, scope: deduplication.Scope | None = None) -> None:
        """Add an event of a scope, the current one by default."""
        name = self._name
        if name in AUTOMATIC.active:  # as `_due` has it, without its call
            scope = scope or deduplication.current()
            tallies = scope.tallies
            due = (tallies[name] if name in tallies else scope.tally(name)).add_auto(amount)
            if due:
                self._series.add(due)

    def add_unless_counted(self, scope: deduplication.Scope) -> None:
        """Add one event, unless the package has already counted one of this metric in the scope."""
        if not scope.tally(self._name).auto:
            self.add(1.0, scope)


class AutomaticHistogram:
    """The series in which one kind of automatic measurement is recorded, for callers that keep it; see `observe`."""

    __slots__ = ("_name", "_series", "key")

    def __init__(self, spec: MetricSpec, values: Mapping[str, Value | None]) -> None:
        self._name = spec.name
        self._series = STORE.histogram(spec).bind(values)
        self.key: Final = self._series.key

    def observe(self, value: float, context: SpanContext | None = None, scope: deduplication.Scope | None = None) -> None:
        """Add what was measured in a scope, the current one by default. The automatic value wins over hand observations."""
        name = self._name
        if name in AUTOMATIC.active:  # as `_due` has it, without its call
            scope = scope or deduplication.current()
            tallies = scope.tallies
            (tallies[name] if name in tallies else scope.tally(name)).measured()
            self._series.observe(value, context)


class _Keyed(Protocol):
    @property
    def key(self) -> Key: ...


_MOST_KINDS: Final = 4096
"""How many kinds one table remembers."""
_Kind = TypeVar("_Kind", bound=Hashable)
_Figures = TypeVar("_Figures", bound="tuple[_Keyed, ...]")


def keep(table: dict[_Kind, _Figures], kind: _Kind, figures: _Figures) -> _Figures:
    """Remember the series of a kind of event, and return them: requests, commands and operations come often, in few kinds.

    A series beyond the limit is not remembered, so each of its events counts as dropped.
    """
    if len(table) < _MOST_KINDS and all(series.key is not OVERFLOW_KEY for series in figures):
        table[kind] = figures
    return figures


def count(spec: MetricSpec, amount: float = 1.0, attributes: Mapping[str, object] | None = None) -> None:
    """Add an automatic event to a counter, less what the application has counted by hand."""
    if spec.python:
        scope = deduplication.current()
        due = _due(spec.name, scope, amount)
        if due and spec.name in deduplication.OUTSIDE:
            due = deduplication.new_outside(spec.name, scope, due)
    else:
        due = amount
    if due:
        STORE.counter(spec).labels(attributes).add(due)


def count_in(scope: deduplication.Scope, spec: MetricSpec, amount: float) -> float:
    """Add an automatic event of a request that may have ended; return how much of it was new."""
    due = _due(spec.name, scope, amount)
    if due:
        STORE.counter(spec).bare().add(due)
    return due or 0.0


def observe(
    spec: MetricSpec, value: float, attributes: Mapping[str, object] | None = None, context: SpanContext | None = None
) -> None:
    """Add an automatic measurement to a histogram; `context` is the span of the exemplar, the current one by default."""
    if not spec.python or _due(spec.name, deduplication.current(), 1.0) is not None:
        STORE.histogram(spec).labels(attributes).observe(value, context)


def put(spec: MetricSpec, value: float, attributes: Mapping[str, object] | None = None) -> None:
    """Set a gauge whose value is the same in every process of the app: the latest set wins."""
    if not spec.python or is_active(spec):
        STORE.gauge(spec).labels(attributes).set(value)


def dropped(signal: a.Signal, reason: a.DropReason, items: float = 1.0) -> None:
    """Count telemetry that was not kept."""
    count(m.TELEMETRY_DROPPED, items, {a.SIGNAL: signal.value, a.REASON: reason.value})
