"""The collector's metrics of itself and of the servers that it asks, as far as dashboards and rules use them.

Fed by `semconv.spec`; feeds the renderers. Read from collector 0.157 with `without_type_suffix` and `without_units` false;
its Prometheus names follow from the same rule as ours.
"""

from __future__ import annotations

from . import attributes as a
from .spec import Kind, MetricSpec

EXPORTER = "exporter"
RECEIVER = "receiver"
DATA_TYPE = "data_type"
TYPE = "type"
OPERATION = "operation"


def _counter(name: str, unit: str, description: str, *attributes: str) -> MetricSpec:
    return MetricSpec(name, Kind.COUNTER, unit, description, attributes)


def _gauge(name: str, unit: str, description: str, *attributes: str) -> MetricSpec:
    return MetricSpec(name, Kind.UP_DOWN_COUNTER, unit, description, attributes)


_ITEMS = {a.Signal.TRACES: "spans", a.Signal.METRICS: "metric_points", a.Signal.LOGS: "log_records"}


def _per_signal(name: str, description: str, attribute: str) -> dict[a.Signal, MetricSpec]:
    return {
        signal: _counter(f"otelcol_{name}_{items}", f"{{{items}}}", f"{description}: {signal.value}", attribute)
        for signal, items in _ITEMS.items()
    }


# The collector of itself.
ACCEPTED = _per_signal("receiver_accepted", "Items taken in", RECEIVER)
REFUSED = _per_signal("receiver_refused", "Items that the pipeline could not take just then", RECEIVER)
SENT = _per_signal("exporter_sent", "Items delivered", EXPORTER)
SEND_FAILED = _per_signal("exporter_send_failed", "Items given up", EXPORTER)
QUEUE_SIZE = _gauge("otelcol_exporter_queue_size", "{request}", "Requests that wait for their export", EXPORTER, DATA_TYPE)
QUEUE_CAPACITY = _gauge("otelcol_exporter_queue_capacity", "{request}", "Requests that may wait", EXPORTER, DATA_TYPE)
UPTIME = _counter("otelcol_process_uptime", "s", "Age of the collector's process")
CPU_TIME = _counter("otelcol_process_cpu_seconds", "s", "Time of the processor that the collector used")
MEMORY = _gauge("otelcol_process_memory_rss", "By", "Memory that the collector holds")

OF_ITSELF: tuple[MetricSpec, ...] = (
    *ACCEPTED.values(),
    *REFUSED.values(),
    *SENT.values(),
    *SEND_FAILED.values(),
    QUEUE_SIZE,
    QUEUE_CAPACITY,
    UPTIME,
    CPU_TIME,
    MEMORY,
)

# The servers, asked by the collector's receivers.
MONGODB_CONNECTIONS = _gauge("mongodb.connection.count", "{connection}", "Connections of the server", TYPE)
MONGODB_OPERATIONS = _counter("mongodb.operation.count", "{operation}", "Operations that the server executed", OPERATION)
MONGODB_MEMORY = _gauge("mongodb.memory.usage", "By", "Memory that the server holds", TYPE)
MONGODB_DATA = _gauge("mongodb.data.size", "By", "Size of the data of a database", a.DB_NAMESPACE)
REDIS_CLIENTS = _gauge("redis.clients.connected", "{client}", "Clients that are connected")
REDIS_COMMANDS = _counter("redis.commands.processed", "{command}", "Commands that the server executed")
REDIS_MEMORY = _gauge("redis.memory.used", "By", "Memory that the server uses")
REDIS_EVICTED = _counter("redis.keys.evicted", "{key}", "Keys thrown out because the memory was full")

OF_SERVERS: tuple[MetricSpec, ...] = (
    MONGODB_CONNECTIONS,
    MONGODB_OPERATIONS,
    MONGODB_MEMORY,
    MONGODB_DATA,
    REDIS_CLIENTS,
    REDIS_COMMANDS,
    REDIS_MEMORY,
    REDIS_EVICTED,
)

ALL: tuple[MetricSpec, ...] = (*OF_ITSELF, *OF_SERVERS)
"""The collector's metrics that something of ours reads."""
