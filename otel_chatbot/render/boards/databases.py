"""MongoDB and Redis: commands, errors, times, the cache, the connection pools; the servers' own view apart.

Fed by `render.promql`; feeds `render.dashboards`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...semconv import attributes as a
from ...semconv import collector as c
from ...semconv import metrics as m
from ..dashboard import Dashboard
from ..panels import Panel, Query, Row, falling, rates, rising, stat
from ..promql import CHOSEN as Q
from ..promql import Scope, eq, ratio

_OPERATION = f"{{{a.DB_OPERATION}}}"
_SYSTEM = f"{{{a.DB_SYSTEM}}}"
_POOL_NAME = f"{{{a.POOL_NAME}}}"
_BY_OPERATION = Q.split(a.DB_OPERATION)
_POOLS = Q.split(a.POOL_NAME)
_HIT_RATIO = ratio(Q.rate(m.CACHE_HITS), f"({Q.rate(m.CACHE_HITS)} + {Q.rate(m.CACHE_MISSES)})")
_USED = eq(a.CONNECTION_STATE, a.ConnectionState.USED.value)
_SERVERS = Scope(window="$__rate_interval")


def _server(title: str, unit: str, description: str, figures: Mapping[str, str]) -> Panel:
    """A panel of a server's own figures: the expression of each by its name."""
    return Panel(title, unit, description, [Query(figure, name) for name, figure in figures.items()])


BOARD = Dashboard(
    "chatbot-databases",
    "Chatbot · MongoDB and Redis",
    "What the app asks of its database and its cache, how long that takes, and whether connections run out.",
    [
        Row(
            "MongoDB",
            [
                Panel(
                    "Commands by operation",
                    "ops",
                    "MongoDB commands per second, failed ones and retries included.",
                    rates(Q, a.DB_OPERATION, m.DB_QUERIES),
                    stacked=True,
                ),
                Panel(
                    "Time by operation, p95",
                    "s",
                    "95 of 100 commands take no longer. A dot leads to its trace.",
                    [Query(_BY_OPERATION.quantile(0.95, m.DB_QUERY_TIME), _OPERATION)],
                    rising(0.1, 1),
                ),
                Panel(
                    "Time by collection, p95",
                    "s",
                    "95 of 100 commands take no longer. A collection that gets slower as it grows lacks an index.",
                    [Query(Q.split(a.DB_COLLECTION).quantile(0.95, m.DB_QUERY_TIME), f"{{{a.DB_COLLECTION}}}")],
                    rising(0.1, 1),
                ),
                Panel(
                    "Failed commands by kind",
                    "ops",
                    "Failed MongoDB commands per second.",
                    rates(Q, a.ERROR_TYPE, m.DB_QUERIES),
                    rising(0.01, 0.1),
                ),
                Panel(
                    "Commands per request",
                    "none",
                    "MongoDB commands per request. A jump after a release often means a query in a loop.",
                    [Query(ratio(Q.rate(m.DB_QUERIES), Q.rate(m.API_REQUESTS)), "commands")],
                    rising(20, 50),
                ),
                Panel(
                    "Time of both databases, p95",
                    "s",
                    "95 of 100 operations take no longer, as the OpenTelemetry convention measures them.",
                    [Query(Q.split(a.DB_SYSTEM).quantile(0.95, m.DB_CLIENT_DURATION), _SYSTEM)],
                    rising(0.1, 1),
                ),
            ],
        ),
        Row(
            "Redis and the cache",
            [
                stat(
                    "Hit ratio",
                    "percentunit",
                    "Cache reads that returned a value.",
                    _HIT_RATIO,
                    falling(0.2, 0.5),
                    width=4,
                    height=8,
                ),
                stat(
                    "Keys",
                    "short",
                    "Keys in the cache, without this package's own.",
                    Q.value(m.CACHE_SIZE, how="max"),
                    width=4,
                    height=8,
                ),
                Panel(
                    "Hits and misses",
                    "ops",
                    "Cache reads per second, with a value (hits) and without one (misses).",
                    [Query(Q.rate(m.CACHE_HITS), "hits"), Query(Q.rate(m.CACHE_MISSES), "misses")],
                    stacked=True,
                ),
                Panel(
                    "Hit ratio",
                    "percentunit",
                    "A fall after a release often means that the keys have changed.",
                    [Query(_HIT_RATIO, "hit ratio")],
                    falling(0.2, 0.5),
                    most=1,
                ),
                Panel(
                    "Time by operation, p95",
                    "s",
                    "95 of 100 cache operations take no longer; a pipeline is one.",
                    [Query(_BY_OPERATION.quantile(0.95, m.CACHE_OPERATION_TIME), _OPERATION)],
                    rising(0.01, 0.1),
                    width=12,
                ),
                Panel(
                    "Operations",
                    "ops",
                    "Cache operations per second.",
                    rates(Q, a.DB_OPERATION, m.CACHE_OPERATION_TIME),
                    width=12,
                ),
            ],
        ),
        Row(
            "Connection pools",
            [
                Panel(
                    "Connections in use",
                    "percentunit",
                    "Used connections as a share of the most that the pool may open. Above 90 % requests begin to wait.",
                    [
                        Query(
                            ratio(_POOLS.value(m.CONNECTION_COUNT, _USED), _POOLS.value(m.CONNECTION_MAX)),
                            _POOL_NAME,
                        )
                    ],
                    rising(0.7, 0.9),
                    most=1,
                ),
                Panel(
                    "Connections by state",
                    "short",
                    "Connections that are open, idle or used.",
                    [
                        Query(
                            Q.split(a.DB_SYSTEM, a.CONNECTION_STATE).value(m.CONNECTION_COUNT),
                            f"{_SYSTEM} {{{a.CONNECTION_STATE}}}",
                        )
                    ],
                ),
                Panel(
                    "Waiting for a connection",
                    "short",
                    "Requests that wait because every connection is in use.",
                    [Query(_POOLS.value(m.CONNECTION_PENDING), _POOL_NAME)],
                    rising(1, 10),
                ),
                Panel(
                    "Time until a connection is there, p95",
                    "s",
                    "95 of 100 times it takes no longer to get a connection from the pool.",
                    [Query(_POOLS.quantile(0.95, m.CONNECTION_WAIT_TIME), _POOL_NAME)],
                    rising(0.01, 0.1),
                ),
                Panel(
                    "Pool timeouts",
                    "ops",
                    "Waits for a connection that ended in an error, per second.",
                    [Query(_POOLS.rate(m.CONNECTION_TIMEOUTS), _POOL_NAME)],
                    rising(0.001, 0.1),
                ),
                Panel(
                    "Time of use, p95",
                    "s",
                    "95 of 100 times a connection is given back sooner. Long use empties a pool.",
                    [Query(_POOLS.quantile(0.95, m.CONNECTION_USE_TIME), _POOL_NAME)],
                    rising(0.5, 2),
                ),
            ],
        ),
        Row(
            "The servers themselves, asked by the collector (serverStatus of MongoDB, INFO of Redis)",
            [
                _server(
                    "MongoDB: connections",
                    "short",
                    "Connections of the server. Only where the collector's receiver reaches a MongoDB with serverStatus.",
                    {f"{{{c.TYPE}}}": _SERVERS.split(c.TYPE).value(c.MONGODB_CONNECTIONS)},
                ),
                _server(
                    "MongoDB: operations",
                    "ops",
                    "Operations of the server per second, of all its clients. From the collector's receiver.",
                    {f"{{{c.OPERATION}}}": _SERVERS.split(c.OPERATION).rate(c.MONGODB_OPERATIONS)},
                ),
                _server(
                    "MongoDB: memory and data",
                    "bytes",
                    "Memory that the server holds, and size of its data. From the collector's receiver.",
                    {
                        f"{{{c.TYPE}}}": _SERVERS.split(c.TYPE).value(c.MONGODB_MEMORY, how="max"),
                        "data": _SERVERS.value(c.MONGODB_DATA),
                    },
                ),
                _server(
                    "Redis: clients",
                    "short",
                    "Clients connected to the server. From the collector's receiver.",
                    {"clients": _SERVERS.value(c.REDIS_CLIENTS)},
                ),
                _server(
                    "Redis: commands",
                    "ops",
                    "Commands of the server per second, of all its clients. From the collector's receiver.",
                    {"commands": _SERVERS.rate(c.REDIS_COMMANDS)},
                ),
                _server(
                    "Redis: memory and evicted keys",
                    "bytes",
                    "Memory that the server uses, and keys per second that it evicted because memory was short. From the collector's receiver.",
                    {"used": _SERVERS.value(c.REDIS_MEMORY), "evicted per second": _SERVERS.rate(c.REDIS_EVICTED)},
                ),
            ],
            collapsed=True,
        ),
    ],
)
"""MongoDB and Redis."""
