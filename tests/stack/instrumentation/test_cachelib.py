"""cachelib's caches: each key asked for is a hit or a miss, each call one operation, and Redis counts only once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cachelib import BaseCache, FileSystemCache, NullCache, RedisCache, SimpleCache
from support.databases import TRACING, Figures, undisturbed
from support.servers import RedisServer

from otel_chatbot.health import clients
from otel_chatbot.instrumentation import cachelib as instrumentation
from otel_chatbot.instrumentation.redis import hooks as redis_instrumentation
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.semconv import metrics as m


@pytest.fixture(autouse=True)
def on() -> Iterator[None]:
    with undisturbed(), deduplication.request_scope():
        clients.forget_all()
        instrumentation.instrument()
        yield
        instrumentation.uninstrument()
        clients.forget_all()


def reads(figures: Figures) -> tuple[float, float]:
    return figures(m.CACHE_HITS), figures(m.CACHE_MISSES)


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_each_key_that_a_call_asks_for_is_a_hit_or_a_miss(kind: str, tmp_path) -> None:
    cache = SimpleCache() if kind == "memory" else FileSystemCache(str(tmp_path))
    figures = Figures()
    cache.set("a", 1)
    cache.set_many({"b": 2, "c": 3})
    assert cache.get("a") == 1
    assert cache.get("none") is None
    assert cache.get_many("a", "none", "b") == [1, None, 2]
    assert cache.get_dict("c", "none") == {"c": 3, "none": None}
    cache.has("a"), cache.delete("a"), cache.add("b", 1), cache.inc("b"), cache.clear()
    assert reads(figures) == (4, 3)
    assert set(figures.series(m.CACHE_HITS)) == {(kind,)}
    calls = ("set", "set_many", "get_many", "get_dict", "has", "delete", "add", "inc", "clear")
    assert figures.series(m.CACHE_OPERATION_TIME) == {(name,): 1 for name in calls} | {("get",): 2}


def test_a_cache_in_redis_counts_once_by_its_redis_commands(redis_server: RedisServer) -> None:
    redis_instrumentation.instrument(TRACING)
    try:
        SimpleCache()  # the methods that every cache inherits are wrapped now
        cache = RedisCache(host="127.0.0.1", port=redis_server.port, key_prefix="cachelib:")
        cache.clear()
        figures = Figures()
        cache.set("a", 1)
        assert cache.get("a") == 1
        assert cache.get("none") is None
        assert cache.get_many("a", "none") == [1, None]
        assert cache.get_dict("a", "none") == {"a": 1, "none": None}
        assert reads(figures) == (3, 3)
        assert set(figures.series(m.CACHE_HITS)) == {("redis",)}
        assert [figures(m.CACHE_OPERATION_TIME, *name) for name in ((), ("GET",), ("MGET",))] == [5, 2, 2]
        cache._write_client.close()
    finally:
        redis_instrumentation.uninstrument()


def test_a_cache_of_the_applications_own_class_counts_too() -> None:
    class Upper(SimpleCache):
        def get(self, key):
            value = super().get(key)
            return value and value.upper()

    class Slow(BaseCache):
        def get(self, key):
            raise TimeoutError("slow")

    figures = Figures()
    cache = Upper()
    cache.set("a", "x")
    assert cache.get("a") == "X"
    assert NullCache().get("a") is None
    with pytest.raises(TimeoutError):
        Slow().get("a")
    assert reads(figures) == (1, 1)
    assert figures.series(m.CACHE_OPERATION_TIME) == {("set",): 1, ("get",): 3}


def test_what_the_package_asks_is_not_counted() -> None:
    cache = SimpleCache()
    figures = Figures()
    with record.own_traffic():
        cache.set("a", 1)
        cache.get("a")
    assert reads(figures) == (0, 0)
    assert figures.series(m.CACHE_OPERATION_TIME) == {}


def test_caches_are_remembered_also_those_older_than_the_instrumentation() -> None:
    instrumentation.uninstrument()
    early = SimpleCache()
    assert clients.cache() is None
    instrumentation.instrument()
    instrumentation.instrument()
    assert early in clients.caches()
    late = SimpleCache()
    assert clients.cache() is late
    figures = Figures()
    early.get("none")
    assert reads(figures) == (0, 1)
    instrumentation.uninstrument()
    early.get("none")
    assert reads(figures) == (0, 1)
    assert not hasattr(SimpleCache.get, "__wrapped__")


def test_versions_of_memoized_functions_and_sessions_are_no_reads_of_the_cache() -> None:
    cache = SimpleCache()
    figures = Figures()
    cache.set("app.f_memver", "v1")
    cache.get_many("app.f_memver", "app.g_memver"), cache.get("session:1"), cache.get(key="app.f_memver")
    cache.get("hash-of-arguments"), cache.get_dict("app.f_memver", "value")
    assert reads(figures) == (0, 2)
