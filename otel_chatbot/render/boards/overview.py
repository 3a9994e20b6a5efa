"""The overview: requests, errors, duration; the objectives; health; versions.

Fed by `render.promql` and `render.objectives`; feeds `render.dashboards`.
"""

from __future__ import annotations

from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv import prometheus as p
from .. import objectives as o
from ..dashboard import ROUTES, Dashboard
from ..panels import PLAIN, Panel, Query, Row, falling, rates, rising, stat
from ..promql import CHOSEN as Q
from ..promql import CHOSEN_ROUTES, eq, ne, ratio

_CHOSEN_SERVICES = Q.matchers[:2]
"""Recorded figures belong to a service in an environment, not to one instance."""


def _recorded(window: str, slo: o.Objective) -> str:
    return f"max ({o.burned(window)}{{{', '.join((*_CHOSEN_SERVICES, eq(o.SLO, slo.name)))}}})"


def _kept(slo: o.Objective) -> str:
    return f"1 - {_recorded('3d', slo)}"


def _quantiles(scope_by: str = "") -> list[Query]:
    scope = CHOSEN_ROUTES.each(scope_by) if scope_by else CHOSEN_ROUTES
    shares = (0.95,) if scope_by else (0.5, 0.95, 0.99)
    return [
        Query(scope.quantile(share, m.RESPONSE_TIME), f"{{{scope_by}}}" if scope_by else f"p{share * 100:g}")
        for share in shares
    ]


def _requests(title: str, description: str, attribute: str, *more: Query) -> Panel:
    return Panel(title, "reqps", description, [*rates(CHOSEN_ROUTES, attribute, m.API_REQUESTS), *more], stacked=True)


_HEALTH = {0: "unhealthy", 0.5: "degraded", 1: "healthy"}
_VERSIONS = {
    p.JOB: "Service",
    a.DEPLOYMENT_ENVIRONMENT_NAME: "Environment",
    p.INSTANCE: "Instance",
    a.SERVICE_VERSION: "Version",
    a.TELEMETRY_DISTRO_VERSION: "otel-chatbot",
}

BOARD = Dashboard(
    "chatbot-overview",
    "Chatbot · Overview",
    "How users fare: requests, errors, duration, the promises made, health, and which versions run.",
    [
        Row(
            "Now",
            [
                stat(
                    "Requests", "reqps", "Requests per second, probes and scrapes left out.", CHOSEN_ROUTES.rate(m.API_REQUESTS)
                ),
                stat(
                    "Errors",
                    "percentunit",
                    "Unhandled exceptions, 5xx answers and failed AI calls, as a share of the requests.",
                    ratio(Q.rate(m.ERRORS), Q.rate(m.API_REQUESTS)),
                    rising(0.01, 0.05),
                ),
                stat(
                    "Response time, p95",
                    "s",
                    "95 of 100 requests take no longer, streamed answers to their last byte.",
                    CHOSEN_ROUTES.quantile(0.95, m.RESPONSE_TIME),
                    rising(5, 10),
                ),
                stat(
                    "Active users",
                    "short",
                    "Distinct users in the sliding window. Instances that share a Redis say the same: the largest is shown.",
                    Q.value(m.ACTIVE_USERS, how="max"),
                ),
                stat(
                    "Available, 3 days",
                    "percentunit",
                    f"The share of good events over three days. The promise: {o.AVAILABILITY.promise}.",
                    _kept(o.AVAILABILITY),
                    falling(o.AVAILABILITY.target, o.AVAILABILITY.target + o.AVAILABILITY.budget / 2),
                ),
                stat(
                    "In time, 3 days",
                    "percentunit",
                    f"The share of good events over three days. The promise: {o.LATENCY.promise}.",
                    _kept(o.LATENCY),
                    falling(o.LATENCY.target, o.LATENCY.target + o.LATENCY.budget / 2),
                ),
                stat(
                    "Health",
                    "short",
                    "The worst of all health checks. They are run by probes: without any, this is the last state known.",
                    Q.value(m.HEALTH_STATUS, how="min"),
                    falling(0.5, 1),
                    names=_HEALTH,
                ),
                stat(
                    "Alerts firing",
                    "short",
                    "Alerts that fire now; their pages are in docs/runbooks.",
                    f'count ({p.ALERTS.prometheus}{{alertstate="firing"}})',
                    rising(1, 3),
                    empty="none",
                ),
            ],
        ),
        Row(
            "Requests, errors, duration",
            [
                _requests(
                    "Requests by route",
                    "Requests per second by route. Those without a route asked for a path that the app does not have.",
                    a.HTTP_ROUTE,
                    Query(CHOSEN_ROUTES.rate(m.API_REQUESTS, eq(a.HTTP_ROUTE), ne(a.HTTP_METHOD)), "no route"),
                ),
                _requests("Answers by status", "Answers per second by HTTP status.", a.HTTP_STATUS),
                Panel(
                    "Errors by kind",
                    "ops",
                    "Errors per second by kind: at most one per request, and one for each failed AI call.",
                    rates(Q, a.ERROR_TYPE, m.ERRORS),
                    rising(0.1, 1),
                ),
                Panel(
                    "Response time",
                    "s",
                    "Until the last byte of an answer. A dot is one request: it leads to its trace.",
                    _quantiles(),
                    rising(5, 10),
                    width=12,
                ),
                Panel(
                    "Response time by route, p95",
                    "s",
                    "95 of 100 requests take no longer.",
                    _quantiles(a.HTTP_ROUTE),
                    rising(5, 10),
                    width=12,
                ),
                Panel(
                    "Response times",
                    "short",
                    "How many requests took how long. Two bands are two kinds of requests, such as cached answers and new ones.",
                    [Query(CHOSEN_ROUTES.buckets(m.RESPONSE_TIME), f"{{{p.EDGE}}}")],
                    kind="heatmap",
                    width=12,
                ),
                Panel(
                    "Requests under way",
                    "short",
                    "Requests that have not ended, streams included.",
                    [Query(Q.value(m.HTTP_SERVER_ACTIVE), "under way")],
                    rising(50, 200),
                    width=12,
                ),
            ],
        ),
        Row(
            "Objectives",
            [
                Panel(
                    f"Burn rate: {slo.name}",
                    "none",
                    f"How many times too fast the budget of 30 days is used up. The promise: {slo.promise}."
                    " Somebody is paged at 14.4 over an hour, or 6 over six hours.",
                    [Query(f"{_recorded(window, slo)} / {slo.budget:g}", window) for window in ("5m", "1h", "6h", "3d")],
                    rising(1, 6),
                    width=12,
                )
                for slo in o.OBJECTIVES
            ],
        ),
        Row(
            "Health and versions",
            [
                Panel(
                    "Health checks",
                    "short",
                    "The state of each check, the worst of all instances.",
                    [Query(Q.split(a.CHECK).value(m.HEALTH_STATUS, how="min"), f"{{{a.CHECK}}}")],
                    falling(0.5, 1),
                    kind="state-timeline",
                    names=_HEALTH,
                ),
                Panel(
                    "Time of health checks, p95",
                    "s",
                    "95 of 100 runs of a check take no longer; its budget is one second.",
                    [Query(Q.split(a.CHECK).quantile(0.95, m.HEALTH_CHECK_DURATION), f"{{{a.CHECK}}}")],
                    rising(0.5, 1),
                ),
                Panel(
                    "Versions",
                    "none",
                    "What runs: the app's version and this package's.",
                    [Query(f"max by ({Q.labels(*_VERSIONS)}) ({Q.series(p.TARGET_INFO, ne(a.TELEMETRY_DISTRO_VERSION))})")],
                    PLAIN,
                    kind="table",
                    columns=_VERSIONS,
                ),
            ],
        ),
    ],
    (ROUTES,),
)
"""The overview."""
