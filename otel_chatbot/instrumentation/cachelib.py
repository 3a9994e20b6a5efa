"""Instrumentation of cachelib: reads, their hits and misses, and the time of each call.

Fed by the distribution, which calls `instrument` when the application imports cachelib; feeds `metrics.record`.
A cache in Redis is left to the instrumentation of Redis, because its reads would count twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from .._clock import perf_counter
from .._guard import never_raise
from ..health.clients import remember_cache
from ..metrics import record
from ..semconv import attributes as a
from ..semconv import metrics as m
from ..semconv.spec import Source
from .common import cache_size, chat_turn, other_keys
from .common.patching import Method, Patches, imported_before, living

_patches = Patches()

_OPERATIONS: Final = (
    "get", "get_many", "get_dict", "set", "set_many", "add", "delete", "delete_many", "has", "clear", "inc", "dec",
)  # fmt: skip
_VALUES: Final[dict[str, Callable[[tuple[Any, ...], Any], list[tuple[Any, Any]]]]] = {
    "get": lambda keys, reply: [(keys[0] if keys else "", reply)],
    "get_many": lambda keys, reply: list(zip(keys, reply, strict=False)),
    "get_dict": lambda _keys, reply: list(reply.items()),
}
"""The operations that read, and the keys and values in their replies; cachelib says None for a key that is not there."""

_SYSTEMS: Final = {
    "FileSystemCache": a.DbSystem.FILE,
    "MemcachedCache": a.DbSystem.MEMCACHED,
    "MongoDbCache": a.DbSystem.MONGODB,
    "DynamoDbCache": a.DbSystem.DYNAMODB,
    "ValkeyCache": a.DbSystem.VALKEY,
    "RedisCache": a.DbSystem.REDIS,
}
"""Where cachelib's caches store their data, by class. Any other cache is in the memory of this process."""

# True inside a call that is being counted: cachelib's methods call each other.
_inside: ContextVar[bool] = ContextVar("otel_chatbot_cachelib", default=False)


class State:
    """Whether the instrumentation is on."""

    on = False


def instrument() -> None:
    """Switch cachelib's figures on; a second call does nothing. Imports cachelib."""
    if State.on:
        return
    earlier = imported_before("cachelib")
    from cachelib.base import BaseCache

    State.on = True
    record.activate_source(Source.CACHELIB)
    cache_size.ask_caches()
    _patches.wrap(BaseCache, "__init__", _remembering)
    if earlier:
        _find(BaseCache)


def uninstrument() -> None:
    """Switch them off again."""
    State.on = False
    _patches.restore()


def _remembering(original: Method) -> Method:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        _meet(self)

    return init


@never_raise
def _find(base: type) -> None:
    """Remember the caches that were made before the instrumentation."""
    for cache in living((base,)):
        _meet(cache)


@never_raise
def _meet(cache: Any) -> None:
    """Remember a cache, and wrap the methods of its classes unless that has happened."""
    remember_cache(cache)
    if system_of(type(cache)) is a.DbSystem.REDIS:
        return
    for owner in type(cache).__mro__:
        if owner is not object:
            for name in _OPERATIONS:
                _patches.wrap(owner, name, _counting(name))


def system_of(kind: type) -> a.DbSystem:
    """Where the caches of a class store their data, by its nearest base class that is known."""
    return next((_SYSTEMS[base.__name__] for base in kind.__mro__ if base.__name__ in _SYSTEMS), a.DbSystem.MEMORY)


def _counting(name: str) -> Callable[[Method], Method]:
    def make(original: Method) -> Method:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not State.on or _inside.get() or record.is_own_traffic() or system_of(type(self)) is a.DbSystem.REDIS:
                return original(self, *args, **kwargs)
            token = _inside.set(True)
            start = perf_counter()
            try:
                reply = original(self, *args, **kwargs)
            finally:
                _inside.reset(token)
                _measure(name, perf_counter() - start)
            _read(self, name, args or tuple(kwargs.values()), reply)
            return reply

        return call

    return make


@never_raise
def _measure(name: str, seconds: float) -> None:
    record.observe(m.CACHE_OPERATION_TIME, seconds, {a.DB_OPERATION: name})
    chat_turn.spent(a.Phase.CACHE, seconds)


@never_raise
def _read(cache: Any, name: str, keys: tuple[Any, ...], reply: Any) -> None:
    if name not in _VALUES:
        return
    # flask-caching reads the version of a memoized function before each of its values. It is no read of the application.
    found = [value is not None for key, value in _VALUES[name](keys, reply) if not other_keys.is_libraries(key)]
    attributes = {a.DB_SYSTEM: system_of(type(cache)).value}
    if hits := sum(found):
        record.count(m.CACHE_HITS, hits, attributes)
    if misses := len(found) - sum(found):
        record.count(m.CACHE_MISSES, misses, attributes)
