"""A Redis connection of the package's own: the app's address and credentials, short time-outs, no retries.

Fed by the app's client (sync, asyncio, sentinel, cluster) or by REDIS_URL; feeds the cache check and the questions
that the package asks Redis. redis-py retries ten times by default: a refused port would cost 4.8 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.retry import Retry

_KEPT = frozenset({
    "host", "port", "path", "db", "username", "password", "credential_provider", "client_name", "protocol",
    "socket_keepalive", "socket_keepalive_options", "socket_type",
})  # fmt: skip


def own_redis(app_client: Any, url: str, timeout: float) -> Any:
    """A sync client to the server of `app_client`, else of `url`; close it. `timeout` is in seconds, for each answer."""
    if getattr(app_client, "nodes_manager", None) is not None:
        return _cluster(app_client, timeout)
    pool: Any = app_client.connection_pool if app_client is not None else redis.ConnectionPool.from_url(url)
    given = dict(pool.connection_kwargs)
    sentinel = getattr(pool, "sentinel_manager", None)
    if sentinel is not None:
        given["host"], given["port"] = _sentinel(sentinel, timeout).discover_master(pool.service_name)
    own = redis.ConnectionPool(_connection_class(pool.connection_class), **_settings(given, timeout))
    client_class: Any = redis.Redis
    return client_class.from_pool(own)  # closing this client closes the pool


def _settings(given: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    kept = {name: value for name, value in given.items() if name in _KEPT or name.startswith("ssl_")}
    return {
        **{name: value for name, value in kept.items() if value is not None},
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
    }


def _connection_class(app_class: type) -> type[Any]:
    """The sync class for the app's connection class; asyncio and sentinel classes are named after their kind."""
    if "Unix" in app_class.__name__:
        return redis.UnixDomainSocketConnection
    return redis.SSLConnection if "SSL" in app_class.__name__ else redis.Connection


def _sentinel(manager: Any, timeout: float) -> Any:
    """A sync Sentinel that asks where the app's, sync or asyncio, asks."""
    asked = [sentinel.connection_pool.connection_kwargs for sentinel in manager.sentinels]
    options = _settings(manager.sentinel_kwargs, timeout)
    return redis.Sentinel([(kwargs["host"], kwargs["port"]) for kwargs in asked], sentinel_kwargs=options)


def _cluster(app_client: Any, timeout: float) -> Any:
    nodes = [ClusterNode(node.host, node.port) for node in app_client.nodes_manager.startup_nodes.values()]
    # The sync client keeps the settings in its manager of nodes, the asyncio client in itself.
    given = getattr(app_client, "connection_kwargs", None) or app_client.nodes_manager.connection_kwargs
    settings = {name: value for name, value in _settings(given, timeout).items() if name not in ("host", "port", "db")}
    encrypted = bool(given.get("ssl")) or "SSL" in getattr(given.get("connection_class"), "__name__", "")
    return redis.RedisCluster(startup_nodes=nodes, ssl=encrypted, **settings)
