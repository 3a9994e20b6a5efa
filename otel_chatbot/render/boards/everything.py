"""Every metric of the package, one panel per metric, made from its row alone: a new metric appears here by itself.

Fed by `semconv.metrics`; feeds `render.dashboards`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from ...semconv import metrics as m
from ...semconv.spec import Kind, MetricSpec
from ..dashboard import Dashboard
from ..panels import Panel, Query, Row
from ..promql import CHOSEN as Q
from ..promql import Scope, eq, ne

_UNITS = {"s": "s", "By": "bytes", "{USD}": "currencyUSD"}
_SHOWN = 2
"""So many attributes, the first ones of a metric's row, are kept apart."""


def panel(spec: MetricSpec) -> Panel:
    """The default panel of a metric."""
    unit = _UNITS.get(spec.unit, "short")
    if spec.kind is Kind.HISTOGRAM:
        return Panel(
            f"{spec.prometheus}, p95", unit, spec.description, _queries(spec, lambda scope: scope.quantile(0.95, spec))
        )
    if spec.kind is Kind.COUNTER:
        return Panel(f"{spec.prometheus}, per second", "ops", spec.description, _queries(spec, lambda scope: scope.rate(spec)))
    how = "max" if spec.kind is Kind.GAUGE else "sum"
    return Panel(spec.prometheus, unit, spec.description, _queries(spec, lambda scope: scope.value(spec, how=how)))


def _queries(spec: MetricSpec, asked: Callable[[Scope], str]) -> list[Query]:
    """One question by the first attributes. The series without attributes is asked for by itself, and shown unless it is 0."""
    kept = spec.attributes[:_SHOWN]
    legend = " ".join(f"{{{name}}}" for name in kept) or spec.name
    if not (kept and spec.from_start) or spec.kind is Kind.HISTOGRAM:
        return [Query(asked(Q.split(*kept)), legend)]
    first = kept[0]
    by_attributes = Query(asked(Q.split(*kept).only(ne(first))), legend)
    return [by_attributes, Query(f"{asked(Q.only(eq(first)))} > 0", "without attributes")]


def _family(spec: MetricSpec) -> str:
    return "The chatbot's metrics" if spec in m.CHATBOT else f"{spec.name.partition('.')[0]}.*"


BOARD = Dashboard(
    "chatbot-metrics",
    "Chatbot · Every metric",
    "A panel for each metric of the package, by its first attributes.",
    [Row(family, [panel(spec) for spec in specs]) for family, specs in groupby(m.ALL, key=_family)],
)
"""Every metric."""
