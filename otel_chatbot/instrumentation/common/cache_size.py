"""How many keys the cache holds: asked of Redis and of in-process caches when a view is built.

Fed by the application's clients (`health.clients`); feeds the gauge `cache_size`. A short-lived thread
asks Redis over the package's own connection, at most every few seconds. A slow Redis delays a scrape by 0.2 s at most; then
the scrape shows the last figure.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ... import config
from ..._clock import monotonic
from ..._fork import at_fork
from ..._guard import never_raise
from ...health import clients
from ...metrics import record
from ...metrics.store import Key
from ...semconv import attributes as a
from ...semconv import metrics as m
from .other_keys import is_cache, is_libraries
from .redis_addresses import pool_name

_logger = logging.getLogger("otel_chatbot")

_FRESH: Final = 2.0
"""Seconds for which an answer is used again."""
_PATIENCE: Final = 0.2
"""Seconds that a view waits for an answer."""
_TIMEOUT: Final = 1.0
"""Seconds that Redis has for each reply. Only the asking thread waits for them."""
_SMALL: Final = 10_000
"""With up to so many keys, all keys of a Redis are read each time; with more, once per minute."""
_WALK_EVERY: Final = 60.0
_WALK_SECONDS: Final = 5.0
_STEP: Final = 1000


class Histories(NamedTuple):
    """How to recognise the keys of chats, which are no cache."""

    types: tuple[str, ...] = ()
    """The server's types of values that may be a chat under any name of a key."""
    of_type: Callable[[str, Any], bool] = lambda _kind, _key: False
    named: Callable[[], Callable[[Any], bool]] = lambda: lambda _key: False


class RedisSize:
    """The number of cache keys in the application's Redis servers; None before the first answer."""

    def __init__(self) -> None:
        self.value: float | None = None
        self.histories = Histories()
        self.start_anew()

    def start_anew(self) -> None:
        """Start without a thread: in a forked child the asking thread belongs to the parent."""
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._asked = -_FRESH
        self._known: dict[str, int] = {}
        self._walked: dict[str, tuple[float, int]] = {}

    def read(self) -> float | None:
        """The number, not older than two seconds where Redis answers within 0.2 s."""
        with self._lock:
            asking = self._asking
            if asking is None or not asking.is_alive():
                if monotonic() - self._asked < _FRESH:
                    return self.value
                self._asked = monotonic()
                asking = self._asking = threading.Thread(target=self._ask, name="otel_chatbot-cache-size", daemon=True)
                asking.start()
        asking.join(_PATIENCE)
        return self.value

    @never_raise
    def _ask(self) -> None:
        known = {}
        with record.own_traffic():
            for place, client in _servers().items():
                count = self._known.get(place) if (answer := self._answer(place, client)) is None else answer
                if count is not None:
                    known[place] = count
        self._known = known
        self.value = float(sum(known.values())) if known else None

    def _answer(self, place: str, client: Any) -> int | None:
        from redis.exceptions import RedisError

        from ...health.redis_connection import own_redis

        try:
            with contextlib.closing(own_redis(client, "", _TIMEOUT)) as own:
                return self._keys(place, own)
        except (RedisError, OSError) as error:
            _logger.debug("%s does not say how many keys it holds: %s", place, type(error).__name__)
            return None  # its last figure stays; the health check says what is wrong

    def _keys(self, place: str, own: Any) -> int:
        prefix = config.current().cache_prefix
        size = int(own.dbsize())
        when, count = self._walked.get(place, (-_WALK_EVERY, 0))
        now = monotonic()
        if size <= _SMALL or now - when >= _WALK_EVERY:
            count = self._count(own, prefix, now + _WALK_SECONDS)
            self._walked[place] = (now, count)
        return count if prefix else size - count

    def _count(self, own: Any, prefix: str, end: float) -> int:
        """How many keys have the prefix, or, without a prefix, are no cache. SCAN may repeat a key: it counts once."""
        from redis.exceptions import ResponseError

        is_chat = self.histories.named()
        found = {
            hash(key)
            for key in _until(end, own.scan_iter(match=_literal(prefix) + "*" if prefix else None, count=_STEP))
            if prefix or not is_cache(key) or is_chat(key)
        }
        for kind in () if prefix else self.histories.types:
            with contextlib.suppress(ResponseError):  # a server before Redis 6 cannot be asked by type
                walk = _until(end, own.scan_iter(count=_STEP, _type=kind))
                found |= {hash(key) for key in walk if self.histories.of_type(kind, key)}
        return len(found)


def _until(end: float, walk: Iterator[Any]) -> Iterator[Any]:
    for key in walk:
        yield key
        if monotonic() > end:
            return


def _literal(prefix: str) -> str:
    return "".join("\\" + c if c in "*?[]\\^" else c for c in prefix)


def _servers() -> dict[str, Any]:
    """One client per server and database that the application uses. A client whose constructor failed is left out."""
    found: dict[str, Any] = {}
    for client in clients.redis_clients():
        pool = getattr(client, "connection_pool", None)
        if pool is not None:
            found.setdefault(pool_name(pool), client)
        elif getattr(client, "nodes_manager", None) is not None:
            found.setdefault(f"cluster {id(client)}", client)
    return found


REDIS: Final = RedisSize()
_sources: dict[str, Callable[[], Mapping[Key, float]]] = {}


def ask_redis(histories: Histories) -> None:
    """Let the gauge ask the application's Redis servers."""
    REDIS.histories = histories
    _sources[a.DbSystem.REDIS.value] = _from_redis
    record.gauge_source(m.CACHE_SIZE, _all)


def ask_caches() -> None:
    """Let the gauge ask the application's in-process caches."""
    _sources[a.DbSystem.MEMORY.value] = _from_caches
    record.gauge_source(m.CACHE_SIZE, _all)


def _all() -> Mapping[Key, float]:
    return {key: value for source in list(_sources.values()) for key, value in source().items()}


def _from_redis() -> Mapping[Key, float]:
    value = REDIS.read()
    return {} if value is None else {(a.DbSystem.REDIS.value,): value}


def _from_caches() -> Mapping[Key, float]:
    sizes = [size for cache in clients.caches() if (size := _held(cache)) is not None]
    return {(a.DbSystem.MEMORY.value,): float(sum(sizes))} if sizes else {}


def _held(cache: Any) -> int | None:
    """The number of keys that have not expired, for a cache in this process's memory; None for other caches."""
    if not any(base.__name__ == "SimpleCache" for base in type(cache).__mro__):
        return None
    now = time.time()
    # Key -> (unix time of expiry, 0 for never; value): cachelib/simple.py.
    items = list(cache._cache.items())
    return sum(1 for key, (end, _) in items if (end == 0 or end > now) and not is_libraries(key))


at_fork(__name__, in_child=REDIS.start_anew)
