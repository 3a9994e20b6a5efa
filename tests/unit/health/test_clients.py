"""The app's own clients: remembered weakly, the latest one answers, the package's own are left out."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator

import pymongo
import pytest
import redis
from cachelib import SimpleCache
from support.health import fresh_health

from otel_chatbot.health import HealthChecker, clients
from otel_chatbot.health.mongo import own_client
from otel_chatbot.metrics import record


@pytest.fixture(autouse=True)
def checker() -> Iterator[HealthChecker]:
    with fresh_health() as fresh:
        yield fresh


class Client:
    pass


def test_the_latest_live_client_answers() -> None:
    first, second = Client(), Client()
    clients.remember_redis(first)
    clients.remember_redis(second)
    assert clients.redis() is second
    del second
    gc.collect()
    assert clients.redis() is first
    del first
    gc.collect()
    assert clients.redis() is None


def test_a_client_remembered_again_becomes_the_latest_and_stands_once() -> None:
    first, second = Client(), Client()
    for client in (first, second, first):
        clients.remember_cache(client)
    assert clients.cache() is first
    assert len(clients._cache._references) == 2


def test_the_kinds_are_kept_apart() -> None:
    mongo, redis_, cache = Client(), Client(), Client()
    clients.remember_mongo(mongo)
    clients.remember_redis(redis_)
    clients.remember_cache(cache)
    assert (clients.mongo(), clients.redis(), clients.cache()) == (mongo, redis_, cache)


def test_what_is_made_as_own_traffic_is_not_the_apps() -> None:
    own = Client()
    with record.own_traffic():
        clients.remember_mongo(own)
    assert clients.mongo() is None


def test_a_closed_mongo_client_is_passed_over() -> None:
    with pymongo.MongoClient("127.0.0.1", 1, connect=False) as first:
        second = pymongo.MongoClient("127.0.0.1", 2, connect=False)
        clients.remember_mongo(first)
        clients.remember_mongo(second)
        assert clients.mongo() is second
        second.close()
        assert clients.mongo() is first


def test_without_instrumentation_pymongos_own_table_answers_and_our_probes_are_not_in_it() -> None:
    with pymongo.MongoClient("127.0.0.1", 1, connect=False) as app_client, own_client(app_client, "", 0.1):
        assert clients.mongo() is app_client
    assert clients.mongo() is None


def test_a_thousand_dead_and_living_clients_are_not_hoarded() -> None:
    living = [Client() for _ in range(1000)]
    for client in living:
        clients.remember_redis(client)
    assert clients.redis() is living[-1]
    assert len(clients._redis._references) <= 64


def test_many_threads_may_remember_at_once() -> None:
    living = [Client() for _ in range(60)]
    start = threading.Barrier(len(living))

    def remember(client: Client) -> None:
        start.wait(10)
        clients.remember_redis(client)

    threads = [threading.Thread(target=remember, args=(client,)) for client in living]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {reference() for reference in clients._redis._references} == set(living)


def test_a_forked_child_knows_the_clients_and_can_remember_although_the_lock_was_held() -> None:
    client, later = Client(), Client()
    clients.remember_redis(client)
    with clients._redis._lock:
        child = os.fork()
        if child == 0:
            found = clients.redis() is client
            clients.remember_redis(later)
            os._exit(0 if found and clients.redis() is later else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_cachelib_cache_is_checked_where_there_is_no_redis(checker: HealthChecker) -> None:
    cache = SimpleCache()
    clients.remember_cache(cache)
    found = checker.readiness()["checks"]["cache"]
    assert (found["status"], found["message"], found["backend"]) == ("healthy", "Cache OK (memory)", "memory")
    assert cache._cache == {}, "the key of the check must be gone"


def test_a_cache_that_loses_what_was_written_is_degraded(checker: HealthChecker) -> None:
    class Loses(SimpleCache):
        def get(self, key: str) -> None:
            return None

    cache = Loses()
    clients.remember_cache(cache)
    answer = checker.readiness()
    assert answer["status"] == "degraded"
    assert answer["checks"]["cache"]["message"] == "the value written was not read back"


def test_redis_goes_before_a_cache_in_memory(checker: HealthChecker) -> None:
    cache, client = SimpleCache(), redis.Redis(port=1)
    clients.remember_redis(client)
    clients.remember_cache(cache)
    found = checker.readiness()["checks"]["cache"]
    assert found["status"] == "unhealthy"
    assert "refused" in found["message"]
