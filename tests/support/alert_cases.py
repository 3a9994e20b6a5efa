"""Tests of the alerts for `promtool test rules`: for each alert a case in which it fires and one in which it barely does not.

What an alert is expected to say follows from its row in `render.alerts`, with the labels and the value that a case names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from otel_chatbot.render import objectives as o
from otel_chatbot.render.alerts import ALERTS, MIB, Alert
from otel_chatbot.render.rules import RECORDED, RUNBOOKS, page_address
from otel_chatbot.render.yaml_text import Node, yaml_text
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import collector as c
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv import prometheus as p
from otel_chatbot.semconv.spec import MetricSpec, label_name

_RULES = Path(__file__).resolve().parents[2] / "prometheus/rules"

Labels = dict[str, str]


@dataclass(frozen=True)
class Series:
    """Input: a series and its values in promtool's notation, one a minute: `0+2x60` is 0, 2, 4 … 120, `_` is none."""

    spec: MetricSpec
    values: str
    labels: Labels = field(default_factory=dict)
    part: str = ""

    def node(self) -> dict[str, Node]:
        """As promtool reads it."""
        own = {} if self.spec in c.ALL or self.spec is p.UP else _APP
        pairs = ", ".join(f'{label_name(name)}="{value}"' for name, value in {**own, **self.labels}.items())
        return {"series": f"{self.spec.prometheus}{self.part}{{{pairs}}}", "values": self.values}


@dataclass(frozen=True)
class Case:
    """What is there, and what an alert does at a time.

    `value` is how it writes its value; empty: it does not fire. `rows` are those of its rows that fire, by their own labels.
    """

    alert: str
    says: str
    series: tuple[Series, ...]
    at: str
    value: str = ""
    labels: Labels = field(default_factory=dict)
    rows: tuple[Labels, ...] = ({},)

    @property
    def fires(self) -> tuple[Alert, ...]:
        """The rows that are expected to fire."""
        return tuple(
            row for row in rows_of(self.alert) if self.value and any(one.items() <= row.labels.items() for one in self.rows)
        )


def rows_of(name: str) -> tuple[Alert, ...]:
    """The rows of an alert: several where it looks at several windows or signals."""
    return tuple(row for rows in ALERTS.values() for row in rows if row.name == name)


_SERVICE: Labels = {p.JOB: "chatbot", a.DEPLOYMENT_ENVIRONMENT_NAME: "production"}
_APP: Labels = {**_SERVICE, p.INSTANCE: "chatbot:5000"}
_COLLECTOR: Labels = {p.INSTANCE: "collector:8888"}
_POOL: Labels = {a.DB_SYSTEM: "mongodb", a.POOL_NAME: "mongodb:27017"}
_OTLP: Labels = {**_COLLECTOR, c.RECEIVER: "otlp"}
_STORE: Labels = {**_COLLECTOR, c.EXPORTER: "otlp_http/traces"}


def _served(values: str = "0+60x60") -> Series:
    return Series(m.API_REQUESTS, values)


def _events(slo: str, minutes: int, share: float, then: int = 0) -> tuple[Series, ...]:
    """So many minutes with a share of bad events, and then some with none."""
    events = f"0+600x{minutes + then}"
    bad, good = share * 600, (1 - share) * 600
    if slo == o.AVAILABILITY.name:
        return Series(m.API_REQUESTS, events), Series(m.ERRORS, f"0+{bad:g}x{minutes} {bad * minutes:g}x{then}")
    early = f"0+{good:g}x{minutes}" + (f" {good * minutes + 600:g}+600x{then - 1}" if then else "")
    return (
        Series(m.API_REQUESTS, events),
        Series(m.GEN_AI_FIRST_CHUNK, events, {}, "_count"),
        Series(m.GEN_AI_FIRST_CHUNK, early, {p.EDGE: str(o.FIRST_CHUNK_WITHIN)}, "_bucket"),
    )


def _burning(objective: o.Objective) -> Iterable[Case]:
    """A service of two hours whose bad events are just above, or just below, what each row tolerates; one that has recovered."""
    name = f"Chatbot{objective.name.capitalize()}BudgetBurn"
    labels = {**_SERVICE, o.SLO: objective.name}
    for burn in o.BURNS:
        for share in (burn.rate * objective.budget * 1.05, burn.rate * objective.budget * 0.95):
            rows = tuple({"long_window": one.long} for one in o.BURNS if one.rate * objective.budget < share)
            shown = f"{share * 100:.4g}%" if rows else ""
            yield Case(
                name, f"{share:.3%} of all events are bad", _events(objective.name, 120, share), "2h", shown, labels, rows
            )
    yield Case(name, "bad for an hour, seven hours ago", _events(objective.name, 60, 0.9, 7 * 60), "8h")


OBJECTIVES: tuple[Case, ...] = tuple(case for objective in o.OBJECTIVES for case in _burning(objective))
"""The cases of the objectives, in steps of five minutes."""


def _health(values: str) -> tuple[Series, ...]:
    return (Series(m.HEALTH_STATUS, values, {a.CHECK: "database"}),)


def _pool(used: int) -> tuple[Series, ...]:
    state = {**_POOL, a.CONNECTION_STATE: a.ConnectionState.USED.value}
    return _served(), Series(m.CONNECTION_COUNT, f"{used}x30", state), Series(m.CONNECTION_MAX, "100x30", _POOL)


def _cache(hits: str, misses: str) -> tuple[Series, ...]:
    return (
        _served("0+60x200"),
        Series(m.CACHE_HITS, hits, {a.DB_SYSTEM: "redis"}),
        Series(m.CACHE_MISSES, misses, {a.DB_SYSTEM: "redis"}),
    )


def _lasting(spec: MetricSpec, below: float, above: float, fast: int, slow: int) -> tuple[Series, ...]:
    """A histogram: each minute so many observations up to `below`, and so many between there and `above`."""
    both = fast + slow
    return (
        _served(),
        Series(spec, f"0+{fast}x60", {p.EDGE: str(below)}, "_bucket"),
        Series(spec, f"0+{both}x60", {p.EDGE: str(above)}, "_bucket"),
        Series(spec, f"0+{both}x60", {p.EDGE: "+Inf"}, "_bucket"),
    )


def _ai(good: int, failed: int) -> tuple[Series, ...]:
    return (
        _served(),
        Series(m.AI_RESPONSE_TIME, f"0+{good}x60", {a.GEN_AI_PROVIDER: "openai"}, "_count"),
        Series(m.AI_RESPONSE_TIME, f"0+{failed}x60", {a.GEN_AI_PROVIDER: "openai", a.ERROR_TYPE: "429"}, "_count"),
    )


def _dropped(values: str, reason: a.DropReason) -> tuple[Series, ...]:
    return _served(), Series(m.TELEMETRY_DROPPED, values, {a.SIGNAL: a.Signal.TRACES.value, a.REASON: reason.value})


def _queue(waiting: str, sent: str) -> tuple[Series, ...]:
    traces = {**_STORE, c.DATA_TYPE: a.Signal.TRACES.value}
    logs = {**_STORE, c.DATA_TYPE: a.Signal.LOGS.value}
    return (
        Series(c.QUEUE_SIZE, waiting, traces),
        Series(c.QUEUE_CAPACITY, "100x60", traces),
        Series(c.QUEUE_SIZE, waiting, logs),
        Series(c.QUEUE_CAPACITY, "100x60", logs),
        Series(c.SENT[a.Signal.TRACES], sent, _STORE),
        Series(c.SENT[a.Signal.LOGS], sent, _STORE),
    )


def _budget(spent: str, forecast: str, scope: a.BudgetScope = a.BudgetScope.APP) -> tuple[Series, ...]:
    """A budget of 20 dollars per day."""
    labels = {a.BUDGET_NAME: "app day USD", a.BUDGET_SCOPE: scope.value, a.BUDGET_UNIT: a.BudgetUnit.USD.value}
    values = ((m.BUDGET_SPENT, spent), (m.BUDGET_FORECAST, forecast), (m.BUDGET_LIMIT, "20x60"))
    return _served(), *(Series(spec, value, labels) for spec, value in values)


_DROP_LABELS: Labels = {**_SERVICE, a.SIGNAL: "traces", a.REASON: "queue_full"}
APP: tuple[Case, ...] = (
    Case(
        "ChatbotHealthCheckFailing",
        "unhealthy for five minutes",
        _health("0x30"),
        "10m",
        "0",
        {**_SERVICE, a.CHECK: "database"},
    ),
    Case("ChatbotHealthCheckFailing", "degraded only", _health("0.5x30"), "10m"),
    Case("ChatbotHealthCheckFailing", "unhealthy for a moment", _health("1x8 0x2"), "10m"),
    Case("ChatbotPoolSaturated", "95 of 100 in use", _pool(95), "10m", "95%", {**_SERVICE, **_POOL}),
    Case("ChatbotPoolSaturated", "90 of 100 in use", _pool(90), "10m"),
    Case(
        "ChatbotPoolTimeouts",
        "the first two of a pool's life",
        (_served(), Series(m.CONNECTION_TIMEOUTS, "_x20 2x40", _POOL)),
        "22m",
        "2",
        {**_SERVICE, **_POOL},
    ),
    Case("ChatbotPoolTimeouts", "some, long ago", (_served(), Series(m.CONNECTION_TIMEOUTS, "_x20 2x40", _POOL)), "40m"),
    Case("ChatbotSlowResponses", "one in ten above 10 s", _lasting(m.RESPONSE_TIME, 10.0, 30.0, 9, 1), "30m", "20s", _SERVICE),
    Case("ChatbotSlowResponses", "one in a hundred above 10 s", _lasting(m.RESPONSE_TIME, 10.0, 30.0, 99, 1), "30m"),
    Case("ChatbotAiErrors", "one call in ten fails", _ai(9, 1), "30m", "10%", _SERVICE),
    Case("ChatbotAiErrors", "one call in fifty fails", _ai(49, 1), "30m"),
    Case("ChatbotAiSlow", "one call in ten above 30 s", _lasting(m.AI_RESPONSE_TIME, 30.0, 60.0, 9, 1), "40m", "45s", _SERVICE),
    Case("ChatbotAiSlow", "one call in a hundred above 30 s", _lasting(m.AI_RESPONSE_TIME, 30.0, 60.0, 99, 1), "40m"),
)
"""The cases of the app's alerts."""

_BUDGET: Labels = {**_SERVICE, a.BUDGET_NAME: "app day USD"}
BUDGETS: tuple[Case, ...] = (
    Case("ChatbotBudgetNearlySpent", "16 of 20 dollars", _budget("16x60", "17x60"), "5m", "80%", _BUDGET),
    Case("ChatbotBudgetNearlySpent", "15.9 of 20 dollars", _budget("15.9x60", "17x60"), "5m"),
    Case("ChatbotBudgetNearlySpent", "all of it: another alert says so", _budget("20x60", "22x60"), "5m"),
    Case("ChatbotBudgetNearlySpent", "one user", _budget("16x60", "17x60", a.BudgetScope.USER), "5m"),
    Case("ChatbotBudgetForecast", "25 of 20 dollars in the end", _budget("10x60", "25x60"), "20m", "125%", _BUDGET),
    Case("ChatbotBudgetForecast", "19 of 20 dollars in the end", _budget("10x60", "19x60"), "20m"),
    Case("ChatbotBudgetForecast", "the first dollar of the day", _budget("1x60", "50x60"), "20m"),
    Case("ChatbotBudgetForecast", "it was so for a moment", _budget("10x60", "25x10 19x50"), "20m"),
    Case("ChatbotBudgetSpent", "21 of 20 dollars", _budget("21x60", "30x60"), "5m", "105%", _BUDGET),
    Case("ChatbotBudgetSpent", "19.9 of 20 dollars", _budget("19.9x60", "30x60"), "5m"),
    Case(
        "ChatbotBudgetUnchecked",
        "the first three",
        (_served(), Series(m.LEDGER_UNAVAILABLE, "_x20 3x40", {a.LEDGER_USE: a.LedgerUse.CHECK.value})),
        "25m",
        "3",
        {**_SERVICE, a.LEDGER_USE: "check"},
    ),
    Case(
        "ChatbotBudgetUnchecked",
        "some, long ago",
        (_served(), Series(m.LEDGER_UNAVAILABLE, "3x60", {a.LEDGER_USE: a.LedgerUse.CHECK.value})),
        "40m",
    ),
)
"""The cases of budgets."""

CACHE: tuple[Case, ...] = (
    Case(
        "ChatbotCacheHitRatioFallen",
        "from 8 in 10 to 2 in 10",
        _cache("0+8x150 1202+2x50", "0+2x150 308+8x50"),
        "200m",
        "30.77%",
        _SERVICE,
    ),
    Case("ChatbotCacheHitRatioFallen", "from 8 in 10 to 5 in 10", _cache("0+8x150 1205+5x50", "0+2x150 305+5x50"), "200m"),
    Case("ChatbotCacheHitRatioFallen", "nobody reads any more", _cache("0+8x150 1200x50", "0+2x150 300x50"), "200m"),
)
"""The cases of the cache, whose ratio is recorded; in steps of five minutes."""

TELEMETRY: tuple[Case, ...] = (
    Case("ChatbotNoData", "a service has gone silent", (_served("0+60x20"),), "40m", "1", _SERVICE),
    Case("ChatbotNoData", "there never was one", (), "10m", "1"),
    Case("ChatbotNoData", "no user, but the service is there", (_served("7x60"),), "40m"),
    Case(
        "ChatbotScrapeFailing",
        "down for ten minutes",
        (Series(p.UP, "1x5 0x20", {p.JOB: "chatbot", p.INSTANCE: "chatbot:5000"}),),
        "15m",
        "0",
        {p.JOB: "chatbot", p.INSTANCE: "chatbot:5000"},
    ),
    Case("ChatbotScrapeFailing", "up", (Series(p.UP, "1x20", {p.JOB: "chatbot", p.INSTANCE: "chatbot:5000"}),), "15m"),
    Case("ChatbotExportBacklog", "64 MiB wait", (_served(), Series(m.SPOOL_SIZE, f"{64 * MIB}x60")), "15m", "64Mi", _APP),
    Case("ChatbotExportBacklog", "1 MiB waits", (_served(), Series(m.SPOOL_SIZE, f"{MIB}x60")), "15m"),
    Case("ChatbotTelemetryDropped", "the first five", _dropped("_x20 5x40", a.DropReason.QUEUE_FULL), "25m", "5", _DROP_LABELS),
    Case("ChatbotTelemetryDropped", "some, long ago", _dropped("5x60", a.DropReason.QUEUE_FULL), "40m"),
    Case("ChatbotTelemetryDropped", "kept, in an overflow series", _dropped("_x20 5x40", a.DropReason.SERIES_LIMIT), "25m"),
    Case("ChatbotSeriesLimitHit", "the first five", _dropped("_x20 5x40", a.DropReason.SERIES_LIMIT), "25m", "5", _SERVICE),
    Case("ChatbotSeriesLimitHit", "dropped for another reason", _dropped("_x20 5x40", a.DropReason.QUEUE_FULL), "25m"),
)
"""The cases of the alerts about the app's telemetry."""


def _each(specs: dict[a.Signal, MetricSpec], values: str, labels: Labels) -> tuple[Series, ...]:
    return tuple(Series(spec, values, labels) for spec in specs.values())


COLLECTOR: tuple[Case, ...] = (
    Case("CollectorQueueFilling", "90 of 100", _queue("90x60", "0+9x60")[:2], "20m", "90%", {**_STORE, c.DATA_TYPE: "traces"}),
    Case("CollectorQueueFilling", "80 of 100", _queue("80x60", "0+9x60")[:2], "20m"),
    Case("CollectorExportFailing", "20 wait, none is sent", _queue("20x60", "500x60"), "20m", "20", _STORE),
    Case("CollectorExportFailing", "20 wait, others are sent", _queue("20x60", "0+9x60"), "20m"),
    Case("CollectorExportFailing", "nothing to send", _queue("0x60", "500x60"), "20m"),
    Case("CollectorTelemetryDropped", "again and again", _each(c.SEND_FAILED, "0+3x60", _STORE), "20m", "30", _STORE),
    Case("CollectorTelemetryDropped", "some, long ago", _each(c.SEND_FAILED, "0x1 3x60", _STORE), "20m"),
    Case("CollectorRefusing", "again and again", _each(c.REFUSED, "0+3x60", _OTLP), "30m", "30", _OTLP),
    Case("CollectorRefusing", "once", _each(c.REFUSED, "0x15 3x30", _OTLP), "30m"),
)
"""The cases of the alerts about the collector."""

_ALERTS, _RECORDS = str(_RULES / "alerts.yml"), str(_RULES / "recording.yml")
_FILES: dict[str, tuple[str, list[str], tuple[Case, ...]]] = {
    "recorded": ("5m", [_RECORDS, _ALERTS], OBJECTIVES + CACHE),
    "app": ("1m", [_ALERTS], APP),
    "budgets": ("1m", [_ALERTS], BUDGETS),
    "telemetry": ("1m", [_ALERTS], TELEMETRY),
    "collector": ("1m", [_ALERTS], COLLECTOR),
}
"""Each file's step of evaluation, the rules that it needs, its cases."""


def write(folder: Path) -> list[Path]:
    """Write the files for promtool into a folder. promtool runs groups in no order unless it is told one: what is recorded comes first."""
    order: list[Node] = [*RECORDED, *ALERTS]
    written = []
    for name, (step, rules, cases) in _FILES.items():
        tests: list[Node] = [_test(case, RUNBOOKS) for case in cases]
        read: list[Node] = [*rules]
        path = folder / f"{name}.yml"
        path.write_text(
            yaml_text(
                {"rule_files": read, "evaluation_interval": step, "group_eval_order": order, "tests": tests}, "For promtool."
            ),
            encoding="utf-8",
        )
        written.append(path)
    return written


def _test(case: Case, runbooks: str) -> dict[str, Node]:
    expected: list[Node] = [_expected(row, case, runbooks) for row in case.fires]
    check = {"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected}
    return {
        "name": f"{case.alert}: {case.says}",
        "interval": "1m",
        "input_series": [series.node() for series in case.series],
        "alert_rule_test": [check],
    }


def _expected(row: Alert, case: Case, runbooks: str) -> dict[str, Node]:
    labels = {label_name(name): value for name, value in case.labels.items()}

    def said(template: str) -> str:
        text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels.get(match[1], ""), template)
        text = re.sub(r'\{\{ or \$labels\.(\w+) "([^"]*)" \}\}', lambda match: labels.get(match[1]) or match[2], text)
        return re.sub(r"\{\{ \$value[^}]*\}\}", case.value, text)

    return {
        "exp_labels": {**labels, **row.all_labels},
        "exp_annotations": {
            "summary": said(row.summary),
            "description": said(row.description),
            "runbook_url": page_address(runbooks, row),
        },
    }
