"""Every metric of the package, one panel per metric, made from its row alone: a new metric appears here by itself.

Fed by `semconv.metrics`; feeds `render.dashboards`.
"""

from __future__ import annotations

from itertools import groupby

from ...semconv import metrics as m
from ...semconv.spec import Kind, MetricSpec
from ..dashboard import Dashboard
from ..panels import Panel, Query, Row
from ..promql import CHOSEN as Q

_UNITS = {"s": "s", "By": "bytes", "{USD}": "currencyUSD"}
_SHOWN = 2
"""So many attributes, the first ones of a metric's row, are kept apart."""


def panel(spec: MetricSpec) -> Panel:
    """The default panel of a metric."""
    kept = spec.attributes[:_SHOWN]
    scope = Q.split(*kept)
    legend = " ".join(f"{{{name}}}" for name in kept) or spec.name
    unit = _UNITS.get(spec.unit, "short")
    title = f"{spec.prometheus}"
    if spec.kind is Kind.HISTOGRAM:
        return Panel(f"{title}, p95", unit, spec.description, [Query(Q.or_zero(scope.quantile(0.95, spec)), legend)])
    if spec.kind is Kind.COUNTER:
        return Panel(f"{title}, per second", "ops", spec.description, [Query(Q.or_zero(scope.rate(spec)), legend)])
    how = "max" if spec.kind is Kind.GAUGE else "sum"
    return Panel(title, unit, spec.description, [Query(Q.or_zero(scope.value(spec, how=how)), legend)])


def _family(spec: MetricSpec) -> str:
    return "The chatbot's metrics" if spec in m.CHATBOT else f"{spec.name.partition('.')[0]}.*"


BOARD = Dashboard(
    "chatbot-metrics",
    "Chatbot · Every metric",
    "A panel for each metric of the package, by its first attributes.",
    [Row(family, [panel(spec) for spec in specs]) for family, specs in groupby(m.ALL, key=_family)],
)
"""Every metric."""
