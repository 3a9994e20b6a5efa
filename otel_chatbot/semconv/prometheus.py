"""Names that Prometheus itself makes, whatever it scrapes.

Feeds scrape configurations, dashboards and rules. `JOB` is the service (an app's `service.name`, or the
name of the job that scrapes it) and `INSTANCE` one run of it, or its address.
"""

from __future__ import annotations

from .spec import Kind, MetricSpec

JOB = "job"
INSTANCE = "instance"
NAME = "__name__"
EDGE = "le"

UP = MetricSpec("up", Kind.GAUGE, "", "Whether the last scrape of a target worked", (JOB, INSTANCE))
TARGET_INFO = MetricSpec("target_info", Kind.GAUGE, "", "What a target says of itself: the attributes of its resource")
ALERTS = MetricSpec("ALERTS", Kind.GAUGE, "", "Alerts that are pending or firing", ("alertname", "alertstate", "severity"))

ALL: tuple[MetricSpec, ...] = (UP, TARGET_INFO, ALERTS)
"""The metrics that nobody exports."""
