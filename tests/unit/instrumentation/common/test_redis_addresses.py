"""Where a Redis pool's connections go, by redis-py's own pools: address and database, never a credential."""

from __future__ import annotations

from typing import Any

import pytest
from redis import ConnectionPool
from redis.asyncio import ConnectionPool as AsyncConnectionPool
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.sentinel import Sentinel

from otel_chatbot.instrumentation.common.redis_addresses import address, connection_name, pool_name

URLS = [
    ("redis://db.example", ("db.example", 6379, "0"), "db.example:6379/0"),
    ("redis://user:secret@db.example:6380/3", ("db.example", 6380, "3"), "db.example:6380/3"),
    ("rediss://db.example:6380?db=2", ("db.example", 6380, "2"), "db.example:6380/2"),
    ("unix://user:secret@/run/redis.sock?db=1", ("/run/redis.sock", None, "1"), "/run/redis.sock/1"),
]


@pytest.mark.parametrize("kind", [ConnectionPool, AsyncConnectionPool])
@pytest.mark.parametrize(("url", "place", "name"), URLS)
def test_a_pool_is_known_by_its_address_and_database(kind: Any, url: str, place: tuple[Any, ...], name: str) -> None:
    pool = kind.from_url(url)
    assert (address(pool), pool_name(pool)) == (place, name)


def test_a_pool_without_arguments_goes_where_redis_py_goes_by_itself() -> None:
    assert address(ConnectionPool()) == ("localhost", 6379, "0")
    assert pool_name(ConnectionPool(host=None, port=None, db=None)) == "localhost:6379/0"


@pytest.mark.parametrize("kind", [Sentinel, AsyncSentinel])
def test_a_pool_of_sentinels_is_known_by_its_service_and_its_master_once_that_is_known(kind: Any) -> None:
    pool = kind([("s.example", 26379)]).master_for("mymaster", db=4, password="secret").connection_pool
    assert pool_name(pool) == "mymaster/4"
    assert address(pool) == (None, None, "4")
    getattr(pool, "proxy", pool).master_address = ("10.0.0.7", "6379")  # as its connections set it
    assert address(pool) == ("10.0.0.7", 6379, "4")


def test_a_connection_has_the_name_of_its_pool() -> None:
    assert connection_name(None, {"host": "db.example", "port": "7", "db": 0}) == "db.example:7/0"
    assert connection_name("mymaster", {"host": "10.0.0.7", "port": 6379}) == "mymaster/0"
    assert connection_name("mymaster", {"path": "/run/redis.sock", "db": 2}) == "mymaster/2"
