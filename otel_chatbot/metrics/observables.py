"""The store's counters and gauges as OpenTelemetry instruments, for the readers of a meter provider that is not ours.

Fed by `metrics.store`; feeds the readers of a meter provider, through the API alone. Histograms cannot be observed, and
gauges that ask something outside of the process are left out: a callback runs under the provider's lock and does no I/O.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from ..semconv.attributes import OVERFLOW
from ..semconv.spec import SCOPE, Kind, MetricSpec
from . import record
from .definitions import DEFINITIONS
from .gauge_series import GONE
from .series import OVERFLOW_KEY, Series
from .store import STORE

_lock = threading.Lock()
_meters: Final[dict[int, tuple[MeterProvider, Meter]]] = {}
"""By identity, because other tools' providers may not be hashable."""


def define_instruments(provider: MeterProvider) -> None:
    """Define every counter and gauge on a meter provider, once; metrics that the application adds later follow automatically.

    A reader sees what this process has recorded.
    """
    with _lock:
        if id(provider) in _meters:
            return
        meter = provider.get_meter(SCOPE)
        _meters[id(provider)] = provider, meter
        specs = DEFINITIONS.all()
        if _define_on_all not in DEFINITIONS.listeners:
            DEFINITIONS.listeners.append(_define_on_all)
    for spec in specs:
        _define(meter, spec)


def _define_on_all(spec: MetricSpec) -> None:
    for _, meter in list(_meters.values()):
        _define(meter, spec)


def _define(meter: Meter, spec: MetricSpec) -> None:
    if spec.kind is Kind.HISTOGRAM:
        return
    create = {
        Kind.COUNTER: meter.create_observable_counter,
        Kind.GAUGE: meter.create_observable_gauge,
        Kind.UP_DOWN_COUNTER: meter.create_observable_up_down_counter,
    }[spec.kind]
    create(spec.name, callbacks=[_callback(spec)], unit=spec.unit, description=spec.description)


def _callback(spec: MetricSpec) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        if spec.name in record.AUTOMATIC.sources:
            return []
        instrument = STORE.instruments.get(spec.name)
        found = [seen for series in list(instrument.series.values()) if (seen := _observation(series))] if instrument else []
        if spec.from_start and all(seen.attributes for seen in found):
            found.insert(0, Observation(0.0, {}))
        return found

    return observe


def _observation(series: Series) -> Observation | None:
    """The figure of a series; None when it has recorded nothing."""
    if series.cells is None:
        return None
    cells = series.read()
    if series.key == OVERFLOW_KEY:
        attributes: dict[str, str | int] = {OVERFLOW: "true"}
    else:
        attributes = {n: v for n, v in zip(series.spec.attributes, series.key, strict=True) if v is not None}
    if series.spec.kind is Kind.COUNTER:
        return Observation(cells[0], attributes)
    return None if cells[2] == GONE else Observation(cells[0] + cells[1], attributes)
