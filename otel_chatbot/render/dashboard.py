"""A dashboard: it takes rows of panels and gives Grafana's classic JSON, with each panel in its place.

Fed by the boards; feeds `grafana/dashboards/*.json`. `schemaVersion` 39 is what Grafana 10 to 13 load.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ..semconv import metrics as m
from ..semconv import prometheus as p
from ..semconv.attributes import (
    DEPLOYMENT_ENVIRONMENT_NAME,
    GEN_AI_REQUEST_MODEL,
    HTTP_ROUTE,
    SERVICE_VERSION,
    TELEMETRY_DISTRO_VERSION,
)
from ..semconv.spec import Kind, MetricSpec, label_name
from .panels import PROMETHEUS, Json, Row
from .promql import CHOSEN, like, ne, selector

TAG = "otel-chatbot"
_PAGE = 24


@dataclass(frozen=True)
class Choice:
    """A variable at the top of a dashboard: the values that an attribute of a metric has."""

    name: str
    spec: MetricSpec
    attribute: str


ROUTES = Choice("route", m.API_REQUESTS, HTTP_ROUTE)
MODELS = Choice("model", m.AI_RESPONSE_TIME, GEN_AI_REQUEST_MODEL)
_ALWAYS = (
    Choice("service", m.API_REQUESTS, p.JOB),
    Choice("environment", m.API_REQUESTS, DEPLOYMENT_ENVIRONMENT_NAME),
    Choice("instance", m.API_REQUESTS, p.INSTANCE),
)


@dataclass(frozen=True)
class Dashboard:
    """One dashboard; its file is named after `uid`."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    choices: Sequence[Choice] = ()
    """What can be chosen beside service, environment and instance."""

    def text(self) -> str:
        """The file."""
        return json.dumps(self.json(), indent=2, ensure_ascii=False) + "\n"

    def json(self) -> Json:
        """As Grafana reads it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": 39,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "timezone": "browser",
            "time": {"from": "now-1h", "to": "now"},
            "timepicker": {},
            "refresh": "30s",
            "fiscalYearStartMonth": 0,
            "liveNow": False,
            "annotations": {"list": [_NEW_VERSIONS]},
            "links": [_LINKS],
            "templating": {"list": _variables(self.choices)},
            "panels": self._panels(),
        }

    def _panels(self) -> list[Json]:
        """The panels in reading order; a row's panels flow from left to right."""
        found: list[Json] = []
        number, y = 1, 0
        for row in self.rows:
            head = {
                "id": number,
                "type": "row",
                "title": row.title,
                "collapsed": row.collapsed,
                "gridPos": {"x": 0, "y": y, "w": _PAGE, "h": 1},
            }
            number, y = number + 1, y + 1
            below = y
            x, line, inside = 0, 0, list[Json]()
            for panel in row.panels:
                if x + panel.width > _PAGE:
                    x, y, line = 0, y + line, 0
                inside.append(panel.json(number, x, y))
                number, x, line = number + 1, x + panel.width, max(line, panel.height)
            y = below if row.collapsed else y + line
            found += [{**head, "panels": inside}] if row.collapsed else [{**head, "panels": []}, *inside]
        return found


_LINKS = {
    "title": "Chatbot",
    "type": "dashboards",
    "tags": [TAG],
    "asDropdown": True,
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
    "icon": "external link",
    "tooltip": "The chatbot's other dashboards, for the same time and the same choice",
    "url": "",
}


_STARTED = f"max by ({CHOSEN.labels(p.JOB, SERVICE_VERSION)}) ({CHOSEN.series(p.TARGET_INFO, ne(TELEMETRY_DISTRO_VERSION))}"
_NEW_VERSIONS = {
    "name": "New versions",
    "datasource": PROMETHEUS,
    "enable": True,
    "hide": False,
    "iconColor": "purple",
    "expr": f"{_STARTED}) unless {_STARTED} offset 5m)",
    "titleFormat": f"{{{{{label_name(p.JOB)}}}}} {{{{{label_name(SERVICE_VERSION)}}}}}",
    "textFormat": "A version that did not run five minutes before",
}
"""A mark on every panel where a version of a service appears: a deployment or a rollback."""


def _variables(more: Sequence[Choice]) -> list[Json]:
    """Service, environment, instance and more, each from what the ones before it leave."""
    found: list[Json] = []
    matchers: tuple[str, ...] = ()
    for choice in (*_ALWAYS, *more):
        name, label = choice.name, choice.attribute
        part = "_count" if choice.spec.kind is Kind.HISTOGRAM else ""
        query = f"label_values({selector(choice.spec, *matchers, part=part)}, {label_name(label)})"
        found.append(
            {
                "name": name,
                "label": name.capitalize(),
                "type": "query",
                "datasource": PROMETHEUS,
                "query": {"query": query, "refId": name},
                "refresh": 2,
                "sort": 1,
                "hide": 0,
                "multi": True,
                "includeAll": True,
                "allValue": ".*",
                "current": {"text": ["All"], "value": ["$__all"]},
                "options": [],
                "regex": "",
                "skipUrlSync": False,
            }
        )
        matchers = (*matchers, like(label, f"${name}"))
    return found
