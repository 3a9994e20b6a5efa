"""Automatic events: what the instrumentations record.

Fed by `instrumentation/*` and `health`; feeds `metrics.store`. Hot path: callers that can, keep a bound series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry.trace import SpanContext

from .. import config
from ..semconv import attributes as a
from ..semconv import metrics as m
from ..semconv.spec import MetricSpec
from . import deduplication
from .store import STORE, CounterSeries, GaugeSeries, HistogramSeries, Key

_own: ContextVar[bool] = ContextVar("otel_chatbot_own_traffic", default=False)
# The key that every instrumentation of the OpenTelemetry project looks at (opentelemetry.instrumentation.utils).
_SUPPRESS = "suppress_instrumentation"

GaugeSource = Callable[[], Mapping[Key, float]]


class Automatic:
    """Which metrics have an automatic source in this process, and what asks the gauges' sources, by OpenTelemetry name."""

    def __init__(self) -> None:
        self.active: set[str] = set()
        self.sources: dict[str, GaugeSource] = {}
        self.by_hand: set[str] = set()
        """Gauges that the application sets itself; their automatic sources are off."""

    def take_by_hand(self, spec: MetricSpec) -> None:
        """Leave a gauge to the application: what filled itself so far is forgotten and nothing is added any more."""
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
    """Say that these metrics fill themselves from now on; the setting AUTO_OFF is honoured."""
    AUTOMATIC.active.update(spec.name for spec in specs if not switched_off(spec) and spec.name not in AUTOMATIC.by_hand)


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
    """What runs inside is the package's own: no instrumentation counts it or makes a span of it."""
    token = otel_context.attach(otel_context.set_value(_SUPPRESS, True))
    own = _own.set(True)
    try:
        yield
    finally:
        _own.reset(own)
        otel_context.detach(token)


is_own_traffic: Final[Callable[[], bool]] = _own.get
"""Whether the running code is inside `own_traffic`. Asked several times in a command: hence no function around it."""


def count(spec: MetricSpec, amount: float = 1.0, attributes: Mapping[str, object] | None = None) -> None:
    """Add an automatic event to a counter, less what the application has counted by hand."""
    if spec.python:
        if spec.name not in AUTOMATIC.active:
            return
        amount = deduplication.current().tally(spec.name).add_auto(amount)
        if amount <= 0:
            return
    series = STORE.instrument(spec).labels(attributes)
    assert isinstance(series, CounterSeries)
    series.add(amount)


def observe(
    spec: MetricSpec, value: float, attributes: Mapping[str, object] | None = None, context: SpanContext | None = None
) -> None:
    """Add an automatic measurement to a histogram; `context` is the span of the exemplar, the current one by default."""
    if spec.python:
        if spec.name not in AUTOMATIC.active:
            return
        deduplication.current().tally(spec.name).add_auto(1.0)
    series = STORE.instrument(spec).labels(attributes)
    assert isinstance(series, HistogramSeries)
    series.observe(value, context)


def put(spec: MetricSpec, value: float, attributes: Mapping[str, object] | None = None) -> None:
    """Set a gauge to a value that every process of the app would find the same: the latest wins."""
    if spec.python and spec.name not in AUTOMATIC.active:
        return
    series = STORE.instrument(spec).labels(attributes)
    assert isinstance(series, GaugeSeries)
    series.set(value)


def dropped(signal: a.Signal, reason: a.DropReason, items: float = 1.0) -> None:
    """Count telemetry that was not kept."""
    count(m.TELEMETRY_DROPPED, items, {a.SIGNAL: signal.value, a.REASON: reason.value})
