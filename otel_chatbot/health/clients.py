"""The app's own MongoDB, Redis and cachelib clients, known without keeping them alive.

Fed by `instrumentation/*`, which remembers every client that the app makes; feeds the health checks and the
questions that the package asks (cache size, active sets). Both sync and asyncio clients are kept, as they are.
"""

from __future__ import annotations

import sys
import threading
import weakref
from typing import Any

from .._fork import at_fork
from ..metrics.record import is_own_traffic

_KEPT = 64


class _Clients:
    """The clients of one kind that are alive, oldest first; reading takes no lock."""

    def __init__(self) -> None:
        self._references: tuple[weakref.ref[Any], ...] = ()
        self.renew()

    def renew(self) -> None:
        """Make the lock anew: a fork may have copied it while it was held."""
        self._lock = threading.Lock()

    def remember(self, client: Any) -> None:
        if is_own_traffic():  # a connection that the package made for itself is not the app's
            return
        reference = weakref.ref(client)
        with self._lock:
            alive = tuple(r for r in self._references if r() is not None and r() is not client)
            self._references = (*alive, reference)[-_KEPT:]

    def latest(self) -> Any | None:
        """The client made last among those alive and not closed."""
        for reference in reversed(self._references):
            client = reference()
            if client is not None and getattr(client, "_closed", False) is not True:
                return client
        return None

    def alive(self) -> list[Any]:
        """Every client that is alive, oldest first."""
        return [client for reference in self._references if (client := reference()) is not None]

    def forget(self) -> None:
        self._references = ()


_mongo = _Clients()
_redis = _Clients()
_cache = _Clients()


def remember_mongo(client: object) -> None:
    """Take note of a `MongoClient` or `AsyncMongoClient` that the app made."""
    _mongo.remember(client)


def remember_redis(client: object) -> None:
    """Take note of a Redis client that the app made: sync, asyncio or cluster."""
    _redis.remember(client)


def remember_cache(cache: object) -> None:
    """Take note of a cachelib cache that the app made."""
    _cache.remember(cache)


def mongo() -> Any | None:
    """The app's latest MongoDB client that is alive, or None.

    Without instrumentation, pymongo's own table of clients answers.
    """
    return _mongo.latest() or _from_pymongo()


def redis() -> Any | None:
    """The app's latest Redis client that is alive, or None."""
    return _redis.latest()


def cache() -> Any | None:
    """The app's latest cachelib cache that is alive, or None."""
    return _cache.latest()


def redis_clients() -> list[Any]:
    """Every Redis client of the app that is alive, oldest first."""
    return _redis.alive()


def caches() -> list[Any]:
    """Every cachelib cache of the app that is alive, oldest first."""
    return _cache.alive()


def forget_all() -> None:
    """Forget every client; for tests."""
    for kind in (_mongo, _redis, _cache):
        kind.forget()


OWN_APPNAME = "otel_chatbot-health"
"""The appname by which the package's own MongoDB clients are told from the app's, here and in the server's log."""


def _from_pymongo() -> Any | None:
    # pymongo keeps every open client in a weak dictionary to renew it after fork (pymongo/synchronous/mongo_client.py).
    for name in ("pymongo.synchronous.mongo_client:MongoClient", "pymongo.asynchronous.mongo_client:AsyncMongoClient"):
        module, _, kind = name.partition(":")
        table = getattr(getattr(sys.modules.get(module), kind, None), "_clients", None)
        if table is None:
            continue
        for client in reversed(list(table.values())):
            if not getattr(client, "_closed", False) and not _is_own(client):
                return client
    return None


def _is_own(client: Any) -> bool:
    return getattr(client, "_init_kwargs", {}).get("appname") == OWN_APPNAME


def _after_fork() -> None:
    for kind in (_mongo, _redis, _cache):
        kind.renew()


at_fork(__name__, in_child=_after_fork)
