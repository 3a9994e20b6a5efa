"""The telemetry itself: what was dropped, what waits, how many series there are; and the collector's own state.

Fed by `render.promql`; feeds `render.dashboards`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...semconv import attributes as a
from ...semconv import collector as c
from ...semconv import metrics as m
from ...semconv import prometheus as p
from ...semconv.spec import MetricSpec
from ..dashboard import Dashboard
from ..panels import PLAIN, Panel, Query, Row, Steps, falling, rising, stat
from ..promql import CHOSEN as Q
from ..promql import Scope, ratio

_RANGE = Q.over("$__range")
_COLLECTOR = Scope(window="$__rate_interval")
_BY_EXPORTER = _COLLECTOR.split(c.EXPORTER, c.DATA_TYPE)
_BY_INSTANCE = _COLLECTOR.split(p.INSTANCE)
_INSTANCE = f"{{{p.INSTANCE}}}"
_ALL_SERIES = f'{{{", ".join(Q.matchers)}, {p.NAME}!=""}}'


def _signals(title: str, description: str, specs: Mapping[a.Signal, MetricSpec], attribute: str, steps: Steps) -> Panel:
    scope = _COLLECTOR.split(attribute)
    queries = [Query(scope.rate(spec), f"{signal.value} {{{attribute}}}") for signal, spec in specs.items()]
    return Panel(title, "ops", description, queries, steps, width=6)


def _process(title: str, unit: str, description: str, figure: str, steps: Steps = PLAIN) -> Panel:
    return Panel(title, unit, description, [Query(figure, _INSTANCE)], steps, width=6)


_MIB = 1024 * 1024
_NEVER = rising(0.001, 10)
_WAITING = rising(32 * _MIB, 128 * _MIB)

BOARD = Dashboard(
    "chatbot-telemetry",
    "Chatbot · Telemetry and collector",
    "Whether the other dashboards can be believed: what was dropped, what waits, what the collector does.",
    [
        Row(
            "The app's telemetry",
            [
                stat(
                    "Dropped",
                    "short",
                    "Items of telemetry that were not kept, in the time that is shown.",
                    _RANGE.increase(m.TELEMETRY_DROPPED),
                    rising(1, 1000),
                    width=6,
                ),
                stat(
                    "Waiting on disk",
                    "bytes",
                    "Telemetry in the apps' spools that waits for the collector.",
                    Q.value(m.SPOOL_SIZE),
                    _WAITING,
                    width=6,
                ),
                stat(
                    "Series",
                    "short",
                    "Series of the chosen apps.",
                    f"count ({_ALL_SERIES})",
                    rising(10_000, 50_000),
                    width=6,
                ),
                stat(
                    "Targets that answer",
                    "percentunit",
                    "Targets whose last scrape worked: apps or the collector, and Prometheus itself.",
                    f"avg ({p.UP.prometheus})",
                    falling(0.99, 1),
                    width=6,
                ),
                Panel(
                    "Dropped by reason",
                    "ops",
                    "Items of telemetry per second that were not kept.",
                    [Query(Q.split(a.SIGNAL, a.REASON).rate(m.TELEMETRY_DROPPED), f"{{{a.SIGNAL}}} {{{a.REASON}}}")],
                    _NEVER,
                ),
                Panel(
                    "Waiting on disk",
                    "bytes",
                    "Telemetry in the spool of each instance. It grows while the collector is away, and empties afterwards.",
                    [Query(Q.split(p.INSTANCE).value(m.SPOOL_SIZE, how="max"), _INSTANCE)],
                    _WAITING,
                ),
                Panel(
                    "Series by metric",
                    "short",
                    "The ten metrics with the most series. A metric of an app has at most 2,000 before they are merged.",
                    [Query(f"topk(10, count by ({p.NAME}) ({_ALL_SERIES}))", f"{{{p.NAME}}}")],
                    rising(1000, 2000),
                ),
            ],
        ),
        Row(
            "The collector",
            [
                _signals(
                    "Received", "Items per second that receivers accepted.", c.ACCEPTED, c.RECEIVER, rising(100_000, 1_000_000)
                ),
                _signals(
                    "Delivered", "Items per second that exporters delivered.", c.SENT, c.EXPORTER, rising(100_000, 1_000_000)
                ),
                _signals(
                    "Refused",
                    "Items per second that receivers refused for the moment. Senders keep them and send again.",
                    c.REFUSED,
                    c.RECEIVER,
                    _NEVER,
                ),
                _signals("Lost", "Items per second that exporters could not deliver.", c.SEND_FAILED, c.EXPORTER, _NEVER),
                Panel(
                    "Queues",
                    "percentunit",
                    "How full the queues are. A full one means that the store behind it does not answer.",
                    [
                        Query(
                            ratio(_BY_EXPORTER.value(c.QUEUE_SIZE), _BY_EXPORTER.value(c.QUEUE_CAPACITY)),
                            f"{{{c.EXPORTER}}} {{{c.DATA_TYPE}}}",
                        )
                    ],
                    rising(0.5, 0.8),
                    width=6,
                    most=1,
                ),
                _process(
                    "Memory",
                    "bytes",
                    "Memory of the collector's process; its limiter refuses at 80 % of the container's.",
                    _BY_INSTANCE.value(c.MEMORY),
                    rising(512 * _MIB, 1024 * _MIB),
                ),
                _process(
                    "Processor",
                    "percentunit",
                    "Cores that the collector uses: 100 % is one.",
                    _BY_INSTANCE.rate(c.CPU_TIME),
                    rising(0.8, 2),
                ),
                _process(
                    "Age of the process",
                    "s",
                    "Time since the collector started. It falls to 0 at each restart.",
                    f"max by ({p.INSTANCE}) ({_COLLECTOR.series(c.UPTIME)})",
                ),
            ],
        ),
    ],
)
"""Telemetry and collector."""
