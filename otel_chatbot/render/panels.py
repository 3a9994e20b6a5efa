"""A dashboard's panels: what a panel shows is said in one row of a board; Grafana's classic JSON is made of it.

Fed by the boards; feeds `render.dashboard`. Names of Grafana's fields are those of its published types (@grafana/schema).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..semconv.spec import MetricSpec, label_name
from .promql import Scope

PROMETHEUS = {"type": "prometheus", "uid": "chatbot-prometheus"}
"""The data source, by the fixed id of `grafana/provisioning`."""

Json = dict[str, Any]
Steps = tuple[tuple[str, float | None], ...]


def rising(orange: float, red: float) -> Steps:
    """Green, then orange from a value on, then red: more is worse."""
    return ("green", None), ("orange", orange), ("red", red)


def falling(red: float, orange: float) -> Steps:
    """Red below a value, orange below another, then green: less is worse."""
    return ("red", None), ("orange", red), ("green", orange)


PLAIN: Steps = (("green", None),)
"""No value is bad by itself."""


@dataclass(frozen=True)
class Query:
    """An expression and how its series are called: `{attribute}` stands for an attribute's value."""

    expr: str
    legend: str = ""

    def target(self, number: int, kind: str) -> Json:
        """As Grafana keeps it."""
        at_once = kind in ("stat", "table")
        return {
            "refId": "ABCDEFGH"[number],
            "datasource": PROMETHEUS,
            "editorMode": "code",
            "expr": self.expr,
            "legendFormat": _legend(self.legend),
            "instant": at_once,
            "range": not at_once,
            "exemplar": kind in ("timeseries", "heatmap") and "_bucket" in self.expr,
            "format": {"table": "table", "heatmap": "heatmap"}.get(kind, "time_series"),
        }


def _legend(text: str) -> str:
    parts = text.replace("{", "\0{").replace("}", "}\0").split("\0")
    return "".join(f"{{{{{label_name(part[1:-1])}}}}}" if part.startswith("{") else part for part in parts)


@dataclass(frozen=True)
class Panel:
    """One panel. `unit` is Grafana's name of it; `width` is in 24ths of the page, `height` in rows of 30 pixels."""

    title: str
    unit: str
    description: str
    queries: Sequence[Query]
    steps: Steps = PLAIN
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    most: float | None = None
    stacked: bool = False
    names: Mapping[float, str] = field(default_factory=dict)
    """What values are called."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """What a table's columns are called, by attribute, in order."""
    since: str = ""
    """The panel's own time, such as `now/M` for this month so far, in place of the dashboard's."""
    empty: str = ""
    """What is shown without an answer, where that is an answer too; otherwise Grafana shows "No data"."""

    def json(self, number: int, x: int, y: int) -> Json:
        """As Grafana keeps it, at a place."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": PROMETHEUS,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [query.target(index, self.kind) for index, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": _OPTIONS[self.kind],
            "transformations": self._transformations(),
            **({"timeFrom": self.since} if self.since else {}),
        }

    def _defaults(self) -> Json:
        limits = {"min": 0} if self.kind == "timeseries" else {}
        if self.most is not None:
            limits["max"] = self.most  # type: ignore[assignment]
        return {
            "unit": self.unit,
            **limits,
            "color": {"mode": "palette-classic" if self.kind == "timeseries" else "thresholds"},
            "thresholds": {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in self.steps]},
            "mappings": self._mappings(),
            **({"noValue": self.empty} if self.empty else {}),
            "custom": self._custom(),
        }

    def _mappings(self) -> list[Json]:
        if not self.names:
            return []
        options = {f"{value:g}": {"text": text, "index": index} for index, (value, text) in enumerate(self.names.items())}
        return [{"type": "value", "options": options}]

    def _custom(self) -> Json:
        if self.kind == "timeseries":
            return {
                "drawStyle": "line",
                "lineWidth": 1,
                "fillOpacity": 60 if self.stacked else 10,
                "showPoints": "auto",
                "spanNulls": False,
                "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
                "thresholdsStyle": {"mode": "dashed" if len(self.steps) > 1 else "off"},
            }
        if self.kind == "state-timeline":
            return {"fillOpacity": 80, "lineWidth": 0}
        return {}

    def _transformations(self) -> list[Json]:
        if self.kind != "table":
            return []
        labels = [label_name(name) for name in self.columns]
        organize = {
            "excludeByName": {"Time": True, "Value": True},
            "indexByName": {label: index for index, label in enumerate(labels)},
            "renameByName": dict(zip(labels, self.columns.values(), strict=True)),
        }
        return [{"id": "organize", "options": organize}]


_LEGEND = {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": True}
_ALL_TOOLTIP = {"mode": "multi", "sort": "desc"}
_OPTIONS: dict[str, Json] = {
    "timeseries": {"legend": _LEGEND, "tooltip": _ALL_TOOLTIP},
    "stat": {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showPercentChange": False,
        "textMode": "auto",
        "wideLayout": True,
    },
    "state-timeline": {
        "alignValue": "left",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    },
    "heatmap": {
        "calculate": False,
        "cellGap": 1,
        "color": {
            "mode": "scheme",
            "scheme": "Oranges",
            "scale": "exponential",
            "exponent": 0.5,
            "steps": 64,
            "reverse": False,
            "fill": "orange",
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": "s"},
    },
    "table": {"cellHeight": "sm", "frameIndex": 0, "showHeader": True},
}


@dataclass(frozen=True)
class Row:
    """A title over some panels; a collapsed one asks nothing until it is opened."""

    title: str
    panels: Sequence[Panel]
    collapsed: bool = False


def rates(scope: Scope, attribute: str, spec: MetricSpec) -> list[Query]:
    """How often something happens per second, for each value of an attribute."""
    return [Query(scope.each(attribute).rate(spec), f"{{{attribute}}}")]


def stat(title: str, unit: str, description: str, expr: str, steps: Steps = PLAIN, **more: Any) -> Panel:
    """One number."""
    size = {"width": 3, "height": 4}
    return Panel(title, unit, description, [Query(expr)], steps, "stat", **{**size, **more})
