"""The functions by which an application reads or resets its metrics; the chatbot's own metrics are in `metrics.chatbot`.

Fed by the application's own calls; feeds `metrics.store` through `metrics.instruments`. Instrumentations record
through `metrics.record` instead.
"""

from __future__ import annotations

from typing import Any, Final

from ..semconv import metrics as m
from ..semconv.spec import Kind, MetricSpec
from . import (
    chatbot,  # noqa: F401 - the registry knows its objects from then on
    deduplication,
    exposition,
    record,
    view,
)
from .instruments import Counter, Gauge, Histogram
from .observables import define_instruments
from .registry import MetricsRegistry, registry
from .store import STORE

__all__ = [
    "Counter",
    "Gauge",
    "Histogram",
    "MetricsRegistry",
    "define_instruments",
    "get_all_metrics",
    "get_prometheus_metrics",
    "registry",
    "reset_all_metrics",
]


def get_all_metrics() -> dict[str, dict[str, Any]]:
    """The sixteen by Prometheus name, as in `/metrics/json`: figures of the whole app."""
    return {name: figures for name, figures in registry.all().items() if name in _SIXTEEN}


def get_prometheus_metrics() -> str:
    """What `/metrics` serves, in the Prometheus text format."""
    return exposition.prometheus_text(view.read()).decode()


def reset_all_metrics() -> None:
    """Set every counter, histogram and hand-moved gauge of this process back to zero, for tests."""
    for instrument in list(STORE.instruments.values()):
        if instrument.spec.kind in (Kind.COUNTER, Kind.HISTOGRAM) or _is_by_hand(instrument.spec):
            for series in list(instrument.series.values()):
                series.reset()
        deduplication.forget(instrument.spec.name)


def _is_by_hand(spec: MetricSpec) -> bool:
    """Whether only the application moves a gauge. A gauge that fills itself must not be reset: it would stay wrong."""
    return spec.kind is Kind.GAUGE and spec.from_start and spec.name not in record.AUTOMATIC.active


_SIXTEEN: Final = frozenset(spec.prometheus for spec in m.CHATBOT)
