"""The alerts, one row per alert: what must hold for how long, how urgent it is, what users feel, what was measured.

Read by `render.rules`. Every alert has a page in `docs/runbooks/`, named after it, and two cases in the tests
(`tests/support/alert_cases.py`): one in which it fires and one in which it does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..semconv import attributes as a
from ..semconv import collector as c
from ..semconv import metrics as m
from ..semconv import prometheus as p
from ..semconv.spec import MetricSpec, label_name
from . import objectives as o
from .alert import Alert
from .budget_alerts import BUDGETS
from .promql import APPS, COLLECTORS, Scope, eq, ne, ratio, unlike

MIB = 1024 * 1024

_PERCENT, _SECONDS, _BYTES = "humanizePercentage", "humanizeDuration", "humanize1024"

_BURN_SAYS = {
    o.AVAILABILITY.name: "Users of {job} get errors instead of answers",
    o.LATENCY.name: "Users of {job} wait too long until an answer begins",
}


def _burn(objective: o.Objective, burn: o.Burn) -> Alert:
    limit = f"{burn.rate:g} * {objective.budget:g}"
    which = f'{{{o.SLO}="{objective.name}"}}'
    return Alert(
        f"Chatbot{objective.name.capitalize()}BudgetBurn",
        f"{o.burned(burn.long)}{which} > {limit}\nand {o.burned(burn.short)}{which} > {limit}",
        burn.hold,
        burn.severity,
        _BURN_SAYS[objective.name],
        f"{{value}} of the events of {{job}} were bad in the last {burn.long}, and the last {burn.short} are as bad: the budget"
        f" of 30 days is used up {burn.rate:g} times too fast. The promise: {objective.promise}.",
        _PERCENT,
        {"long_window": burn.long, "short_window": burn.short},
    )


# The cache's ratio is recorded, because it is compared with its own past.
_READS = "job:cache_reads:rate5m"
_HITS = "job:cache_hits:rate5m"
_NOW, _USUAL = "job:cache_hit:ratio_rate30m", "job:cache_hit:ratio_rate1d"


def _hit_ratio(window: str) -> str:
    return (
        f"sum_over_time({_HITS}[{window}]) / (sum_over_time({_READS}[{window}]) > 0)\nor 0 * sum_over_time({_READS}[{window}])"
    )


CACHE_RECORDS = (
    (_HITS, APPS.or_zero(APPS.rate(m.CACHE_HITS))),
    (_READS, APPS.or_zero(f"{APPS.rate(m.CACHE_HITS)} + {APPS.rate(m.CACHE_MISSES)}")),
    (_NOW, _hit_ratio("30m")),
    (_USUAL, _hit_ratio("1d")),
)
"""Recorded figures of the cache: name and expression."""

_POOLS = APPS.split(a.DB_SYSTEM, a.POOL_NAME)
_IN_USE = _POOLS.value(m.CONNECTION_COUNT, eq(a.CONNECTION_STATE, a.ConnectionState.USED.value))
_AI = APPS.over("15m")
_FAILED = ne(a.ERROR_TYPE)
_DROPS = APPS.over("15m").split(a.SIGNAL, a.REASON)
_KEPT_OUT = f"{a.DropReason.SERIES_LIMIT.value}|{a.DropReason.UNLISTED_ATTRIBUTE.value}"
_TARGETS = Scope(by=(p.JOB, p.INSTANCE))
_SERVICES = ", ".join(map(label_name, APPS.by))


def _silent() -> str:
    """1 for a service that told of itself within six hours and does so no more, and where there has been none at all."""
    seen = f"group by ({_SERVICES}) (present_over_time({m.API_REQUESTS.prometheus}[6h]))"
    heard = f"group by ({_SERVICES}) (present_over_time({m.API_REQUESTS.prometheus}[5m]))"
    return f"({seen} unless {heard})\nor absent_over_time({m.API_REQUESTS.prometheus}[6h])"


_APP_ALERTS = (
    Alert(
        "ChatbotHealthCheckFailing",
        f"{APPS.split(a.CHECK).value(m.HEALTH_STATUS, how='min')} < 0.5",
        "3m",
        o.PAGE,
        "{job} cannot serve its users fully: its {chatbot.health.check} does not answer",
        "The health check {chatbot.health.check} of {job} has failed for three minutes.",
    ),
    Alert(
        "ChatbotPoolSaturated",
        f"({_POOLS.or_zero(ratio(_IN_USE, _POOLS.value(m.CONNECTION_MAX)))}) > 0.9",
        "5m",
        o.TICKET,
        "Users of {job} will soon wait for a free {db.system.name} connection",
        "{value} of the connections of the pool {db.client.connection.pool.name} are in use.",
        _PERCENT,
    ),
    Alert(
        "ChatbotPoolTimeouts",
        f"({_POOLS.or_zero(_POOLS.events(m.CONNECTION_TIMEOUTS))}) > 0",
        "0s",
        o.PAGE,
        "Users of {job} get errors, because no {db.system.name} connection comes free",
        "{value} requests gave up waiting for a connection of {db.client.connection.pool.name} in the last five minutes.",
        "humanize",
    ),
    Alert(
        "ChatbotCacheHitRatioFallen",
        f"{_NOW} / ({_USUAL} > 0) < 0.5\nand avg_over_time({_READS}[30m]) > 0.02",
        "15m",
        o.TICKET,
        "Users of {job} wait longer, and at a higher price: the cache finds less than it did",
        "The cache's hit ratio over 30 minutes is {value} of that over the day.",
        _PERCENT,
    ),
    Alert(
        "ChatbotSlowResponses",
        f"({APPS.or_zero(APPS.over('10m').quantile(0.95, m.RESPONSE_TIME))}) > 10",
        "10m",
        o.TICKET,
        "Users of {job} wait long for whole answers",
        "Five in a hundred requests to {job} take longer than {value} until the last byte.",
        _SECONDS,
    ),
    Alert(
        "ChatbotAiErrors",
        f"({_AI.or_zero(ratio(_AI.rate(m.AI_RESPONSE_TIME, _FAILED), _AI.rate(m.AI_RESPONSE_TIME)))}) > 0.05\n"
        f"and ({_AI.or_zero(_AI.increase(m.AI_RESPONSE_TIME, _FAILED))}) > 3",
        "5m",
        o.PAGE,
        "Users of {job} get no answer, because the model's provider fails",
        "{value} of the AI calls of {job} failed in the last 15 minutes.",
        _PERCENT,
    ),
    Alert(
        "ChatbotAiSlow",
        f"({_AI.or_zero(_AI.quantile(0.95, m.AI_RESPONSE_TIME))}) > 30",
        "10m",
        o.TICKET,
        "Users of {job} wait, because the model is slow",
        "Five in a hundred AI calls of {job} take longer than {value}.",
        _SECONDS,
    ),
)

_TELEMETRY_ALERTS = (
    Alert(
        "ChatbotNoData",
        _silent(),
        "2m",
        o.PAGE,
        "Nobody knows how users of {job|any chatbot} fare: the app is down, or its telemetry does not arrive",
        "No figure of {job|any chatbot} has arrived for more than five minutes.",
    ),
    Alert(
        "ChatbotScrapeFailing",
        f"{_TARGETS.value(p.UP, how='min')} < 1",
        "5m",
        o.TICKET,
        "Nobody knows how users fare: {job} at {instance} does not answer to Prometheus",
        "Scraping {instance} of the job {job} has failed for five minutes.",
    ),
    Alert(
        "ChatbotExportBacklog",
        f"({APPS.or_zero(APPS.split(p.INSTANCE).value(m.SPOOL_SIZE, how='max'))}) > {32 * MIB}",
        "10m",
        o.TICKET,
        "Nothing for users yet: traces and logs of {job} wait on its disk",
        "{value}B of telemetry wait in the spool of {instance}: the collector does not take them.",
        _BYTES,
    ),
    Alert(
        "ChatbotTelemetryDropped",
        f"({_DROPS.or_zero(_DROPS.events(m.TELEMETRY_DROPPED, unlike(a.REASON, _KEPT_OUT)))}) > 0",
        "0s",
        o.TICKET,
        "Nothing for users: some {chatbot.telemetry.signal} of {job} are lost for good",
        "{value} items of {chatbot.telemetry.signal} were dropped in the last 15 minutes: {chatbot.telemetry.reason}.",
        "humanize",
    ),
    Alert(
        "ChatbotSeriesLimitHit",
        f"({APPS.or_zero(APPS.over('15m').events(m.TELEMETRY_DROPPED, eq(a.REASON, a.DropReason.SERIES_LIMIT.value)))}) > 0",
        "0s",
        o.TICKET,
        "Nothing for users: figures of {job} are no longer told apart",
        "{value} observations of {job} went to an overflow series in the last 15 minutes: a metric has too many series.",
        "humanize",
    ),
)


def _stuck(signal: a.Signal) -> Alert:
    """Requests wait and none is delivered. A collector that retries without end never counts a failure."""
    scope = COLLECTORS.split(c.EXPORTER)
    waiting = f"min_over_time({scope.series(c.QUEUE_SIZE, eq(c.DATA_TYPE, signal.value))}[10m])"
    delivered = scope.over("10m").rate(c.SENT[signal])
    return Alert(
        "CollectorExportFailing",
        f"min by ({scope.labels()}) ({waiting}) > 0\nunless on ({scope.labels()}) {delivered} > 0",
        "5m",
        o.TICKET,
        f"Nothing for users: {signal.value} do not reach their store, and wait",
        f"{{exporter}} of the collector {{instance}} has delivered no {signal.value} for ten minutes; {{value}} requests wait.",
        "humanize",
        {"signal": signal.value},
    )


def _counted(name: str, specs: Mapping[a.Signal, MetricSpec], says: str, measured: str, hold: str = "0s") -> Iterator[Alert]:
    """One alert per signal. `{signal}` stands for the signal in the texts."""
    for signal, spec in specs.items():
        found = f"{COLLECTORS.split(*spec.attributes).over('10m').events(spec)} > 0"
        felt, seen = says.replace("{signal}", signal.value), measured.replace("{signal}", signal.value)
        yield Alert(name, found, hold, o.TICKET, felt, seen, "humanize", {"signal": signal.value})


_FULL = COLLECTORS.split(c.EXPORTER, c.DATA_TYPE)
_COLLECTOR_ALERTS = (
    Alert(
        "CollectorQueueFilling",
        f"{ratio(_FULL.value(c.QUEUE_SIZE, how='max'), _FULL.value(c.QUEUE_CAPACITY, how='max'))} > 0.8",
        "10m",
        o.TICKET,
        "Nothing for users yet: the collector's queue of {data_type} is nearly full",
        "The queue of {exporter} for {data_type} in the collector {instance} is {value} full.",
        _PERCENT,
    ),
    *(_stuck(signal) for signal in (a.Signal.TRACES, a.Signal.LOGS)),
    *_counted(
        "CollectorTelemetryDropped",
        c.SEND_FAILED,
        "Nothing for users: the collector has given up some {signal}, which are lost",
        "{exporter} of the collector {instance} gave up {value} items of {signal} in the last ten minutes.",
    ),
    *_counted(
        "CollectorRefusing",
        c.REFUSED,
        "Nothing for users yet: the collector takes no {signal}, apps must keep them",
        "The receiver {receiver} of the collector {instance} refused {value} items of {signal} in the last ten minutes.",
        hold="15m",  # longer than the window: senders make a single refusal good, so that nobody has to act
    ),
)

ALERTS = {
    "chatbot-objectives": tuple(_burn(objective, burn) for objective in o.OBJECTIVES for burn in o.BURNS),
    "chatbot-app": _APP_ALERTS,
    "chatbot-budgets": BUDGETS,
    "chatbot-telemetry": _TELEMETRY_ALERTS,
    "collector": _COLLECTOR_ALERTS,
}
"""Every alert, by group."""
