"""The check `cache`: a value written to the app's cache is read back, and the key is gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cachelib import FileSystemCache, SimpleCache
from support.health import fresh_health
from support.servers import RedisServer

from otel_chatbot.health import clients
from otel_chatbot.health.cache import check_cache
from otel_chatbot.health.results import HealthStatus


class Forgetful(SimpleCache):
    def get(self, key: str) -> Any:
        return "something else"


@pytest.fixture
def fresh() -> Iterator[None]:
    with fresh_health():
        yield


@pytest.mark.usefixtures("fresh")
def test_without_a_cache_there_is_nothing_to_check() -> None:
    found = check_cache(1.0)
    assert (found.status, found.message, found.details) == (HealthStatus.HEALTHY, "not configured", {})


@pytest.mark.usefixtures("fresh")
def test_a_cache_of_cachelib_is_named_by_its_backend_and_left_without_our_key(tmp_path: Path) -> None:
    on_disk, in_memory = FileSystemCache(str(tmp_path)), SimpleCache()
    for cache, backend in ((in_memory, "memory"), (on_disk, "filesystem")):
        clients.remember_cache(cache)
        found = check_cache(1.0)
        assert (found.status, found.message) == (HealthStatus.HEALTHY, f"Cache OK ({backend})")
        assert found.details == {"backend": backend}
    assert in_memory._cache == {}
    assert on_disk._file_count == 0


@pytest.mark.usefixtures("fresh")
def test_a_cache_that_answers_with_another_value_is_unhealthy() -> None:
    cache = Forgetful()
    clients.remember_cache(cache)
    found = check_cache(1.0)
    assert (found.status, found.message) == (HealthStatus.UNHEALTHY, "the value written was not read back")
    assert found.details == {"backend": "memory"}


def test_redis_goes_before_cachelib_and_keeps_nothing_of_the_check(redis_server: RedisServer) -> None:
    import redis

    with fresh_health(REDIS_URL=redis_server.url), redis.Redis.from_url(redis_server.url) as asking:
        before = asking.dbsize()
        cache = Forgetful()
        clients.remember_cache(cache)
        found = check_cache(20.0)
        assert (found.status, found.message) == (HealthStatus.HEALTHY, "Cache OK (redis)")
        assert asking.dbsize() == before


def test_an_app_whose_redis_decodes_answers_is_read_back_too(redis_server: RedisServer) -> None:
    import redis

    with fresh_health(), redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        clients.remember_redis(client)
        assert check_cache(20.0).status is HealthStatus.HEALTHY
