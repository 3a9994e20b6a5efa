"""The built-in check `cache`: a write and a read in Redis, else in the app's cachelib cache.

Fed by the app's latest clients, or by REDIS_URL; feeds the checker.
"""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

from .. import config
from . import clients
from .results import HealthResult, HealthStatus

_KEY = "otel_chatbot:health:"
_EXPIRES = 5
"""Seconds after which a key that was not deleted is gone."""

_CACHELIB = {
    "FileSystemCache": "filesystem",
    "MemcachedCache": "memcached",
    "MongoDbCache": "mongodb",
    "DynamoDbCache": "dynamodb",
    "UWSGICache": "uwsgi",
    "RedisCache": "redis",
    "ValkeyCache": "valkey",
}
"""Names of cachelib's backends by class; any other one is the memory of this process."""


def check_cache(budget: float) -> HealthResult:
    """Write a key and read it back; raises what the client raises, within `budget` seconds for each answer."""
    app_redis, url, app_cache = clients.redis(), config.current().redis_url, clients.cache()
    if app_redis is not None or url:
        return _checked(_round_trip_redis(app_redis, url, budget), "redis")
    if app_cache is not None:
        return _checked(_round_trip_cachelib(app_cache), _CACHELIB.get(type(app_cache).__name__, "memory"))
    return HealthResult(HealthStatus.HEALTHY, "not configured")


def _checked(same: bool, backend: str) -> HealthResult:
    if same:
        return HealthResult(HealthStatus.HEALTHY, f"Cache OK ({backend})", {"backend": backend})
    return HealthResult(HealthStatus.UNHEALTHY, "the value written was not read back", {"backend": backend})


def _round_trip_redis(app_redis: Any, url: str, budget: float) -> bool:
    from .redis_connection import own_redis

    key, value = _KEY + uuid.uuid4().hex, uuid.uuid4().hex
    with contextlib.closing(own_redis(app_redis, url, budget)) as client:
        client.set(key, value, ex=_EXPIRES)
        read = client.get(key)
        client.delete(key)
    return bool(read in (value, value.encode()))


def _round_trip_cachelib(cache: Any) -> bool:
    key, value = _KEY + uuid.uuid4().hex, uuid.uuid4().hex
    cache.set(key, value, timeout=_EXPIRES)
    read = cache.get(key)
    cache.delete(key)
    return bool(read == value)
