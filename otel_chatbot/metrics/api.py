"""The metrics that an application asks for by name: the sixteen chatbot metrics and what reads or resets them all.

Fed by the application's own calls; feeds `metrics.store` through `metrics.instruments`. What instrumentations record
goes through `metrics.record` instead.
"""

from __future__ import annotations

from typing import Any, Final

from ..semconv import metrics as m
from ..semconv.spec import Kind, MetricSpec
from . import deduplication, exposition, record, view
from .instruments import Counter, Gauge, Histogram
from .observables import define_instruments
from .registry import MetricsRegistry, registry
from .store import STORE

__all__ = [
    "Counter",
    "Gauge",
    "Histogram",
    "MetricsRegistry",
    "active_conversations",
    "active_users",
    "ai_response_time",
    "api_requests",
    "cache_hits",
    "cache_misses",
    "cache_operation_time",
    "cache_size",
    "conversations_created",
    "db_connections",
    "db_queries",
    "db_query_time",
    "define_instruments",
    "errors_total",
    "get_all_metrics",
    "get_prometheus_metrics",
    "messages_received",
    "messages_sent",
    "registry",
    "reset_all_metrics",
    "response_time",
]

conversations_created = Counter(m.CONVERSATIONS_CREATED.name)
messages_sent = Counter(m.MESSAGES_SENT.name)
messages_received = Counter(m.MESSAGES_RECEIVED.name)
cache_hits = Counter(m.CACHE_HITS.name)
cache_misses = Counter(m.CACHE_MISSES.name)
db_queries = Counter(m.DB_QUERIES.name)
errors_total = Counter(m.ERRORS.name)
api_requests = Counter(m.API_REQUESTS.name)
active_conversations = Gauge(m.ACTIVE_CONVERSATIONS.name)
active_users = Gauge(m.ACTIVE_USERS.name)
cache_size = Gauge(m.CACHE_SIZE.name)
db_connections = Gauge(m.DB_CONNECTIONS.name)
response_time = Histogram(m.RESPONSE_TIME.name, unit=m.RESPONSE_TIME.unit)
db_query_time = Histogram(m.DB_QUERY_TIME.name, unit=m.DB_QUERY_TIME.unit)
ai_response_time = Histogram(m.AI_RESPONSE_TIME.name, unit=m.AI_RESPONSE_TIME.unit)
cache_operation_time = Histogram(m.CACHE_OPERATION_TIME.name, unit=m.CACHE_OPERATION_TIME.unit)


def get_all_metrics() -> dict[str, dict[str, Any]]:
    """The sixteen by Prometheus name, as in `/metrics/json`: figures of the whole app."""
    return {name: figures for name, figures in registry.all().items() if name in _SIXTEEN}


def get_prometheus_metrics() -> str:
    """What `/metrics` serves, in the Prometheus text format."""
    return exposition.prometheus_text(view.read()).decode()


def reset_all_metrics() -> None:
    """Set every counter, histogram and hand-moved gauge of this process back to zero, for tests."""
    for instrument in list(STORE.instruments.values()):
        if instrument.spec.kind in (Kind.COUNTER, Kind.HISTOGRAM) or _is_by_hand(instrument.spec):
            for series in list(instrument.series.values()):
                series.reset()
        deduplication.forget(instrument.spec.name)


def _is_by_hand(spec: MetricSpec) -> bool:
    """Whether the application alone moves a gauge: one that fills itself would go wrong for good."""
    return spec.kind is Kind.GAUGE and spec.from_start and spec.name not in record.AUTOMATIC.active


_SIXTEEN: Final = frozenset(spec.prometheus for spec in m.CHATBOT)
