"""Prometheus' rules: what is recorded, and what alerts.

Fed by `render.objectives` and `render.alerts`; feeds `prometheus/rules/*.yml`. The same rules serve both scrape
configurations: they look at rates, keep services and environments apart, and do not depend on the way a figure came.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import alerts
from . import objectives as o
from .alert import Alert
from .promql import ratio
from .yaml_text import Node, yaml_text

RUNBOOKS = "docs/runbooks"
"""Where the alerts' pages are: a path of the repository, unless somebody serves them."""
_HEADER = "Written by `otel-chatbot render`: change otel_chatbot/render/ instead."


@dataclass(frozen=True)
class RecordingRule:
    """A figure that is kept under a name of its own; `slo` labels it."""

    name: str
    expr: str
    slo: str = ""

    def rule(self) -> dict[str, Node]:
        """As Prometheus reads it."""
        return {"record": self.name, "expr": self.expr, **({"labels": {o.SLO: self.slo}} if self.slo else {})}


def _indicators() -> list[RecordingRule]:
    """Bad events and all events per second, and their ratio over each window, weighted by traffic; 0 without any."""
    short = [
        record
        for one in o.OBJECTIVES
        for record in (RecordingRule(o.BAD, one.bad, one.name), RecordingRule(o.ALL, one.all, one.name))
    ]
    return short + [RecordingRule(o.burned(window), _share(window)) for window in o.WINDOWS]


def _share(window: str) -> str:
    if window == o.SHORTEST:
        bad, events = o.BAD, o.ALL
    else:
        bad, events = f"sum_over_time({o.BAD}[{window}])", f"sum_over_time({o.ALL}[{window}])"
    return f"clamp_max({ratio(bad, events)}, 1)\nor 0 * {events}"


RECORDED = {"recorded-objectives": _indicators(), "recorded-cache": [RecordingRule(*row) for row in alerts.CACHE_RECORDS]}
"""The recorded figures by group; no group of alerts has the same name."""


def files(runbooks: str = RUNBOOKS) -> dict[str, str]:
    """The rules' files; `runbooks` goes before each alert's page."""
    recording: list[Node] = [
        {"name": group, "rules": [record.rule() for record in records]} for group, records in RECORDED.items()
    ]
    alerting: list[Node] = [
        {"name": group, "rules": [alert_rule(alert, runbooks) for alert in rows]} for group, rows in alerts.ALERTS.items()
    ]
    return {
        "prometheus/rules/recording.yml": yaml_text({"groups": recording}, _HEADER),
        "prometheus/rules/alerts.yml": yaml_text({"groups": alerting}, _HEADER),
    }


def page_address(runbooks: str, alert: Alert) -> str:
    """Where an alert's page is served: `{page}` in an address stands for its name, else the file's name goes behind it."""
    return runbooks.replace("{page}", alert.page) if "{page}" in runbooks else f"{runbooks}/{alert.page}.md"


def alert_rule(alert: Alert, runbooks: str) -> dict[str, Node]:
    """An alert as Prometheus reads it."""
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.hold,
        "labels": alert.all_labels,
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": page_address(runbooks, alert),
        },
    }
