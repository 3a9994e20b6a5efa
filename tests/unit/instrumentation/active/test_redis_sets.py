"""The same ids over several machines: in sorted sets of the app's Redis, which no request waits for."""

from __future__ import annotations

import threading
import time

import pytest
import redis
from support.process import wait_for
from support.servers import RedisServer

from otel_chatbot.instrumentation.active.gauges import CONVERSATIONS, USERS
from otel_chatbot.instrumentation.active.redis_sets import PREFIX, ActiveInRedis


@pytest.fixture
def url(redis_server: RedisServer) -> str:
    """A database that nothing but these tests counts in, empty: apps of other tests may have been active a moment ago."""
    with redis.Redis(port=redis_server.port, db=11) as client:
        client.flushdb()
    return f"redis://127.0.0.1:{redis_server.port}/11"


def in_redis(url: str, window: float = 60.0) -> ActiveInRedis:
    return ActiveInRedis((USERS, CONVERSATIONS), window, lambda: redis.Redis.from_url(url), lambda: True)


def test_machines_with_one_redis_count_the_union_and_leave_only_keys_that_expire(url: str) -> None:
    one, two = in_redis(url), in_redis(url)
    now = time.monotonic()
    for number in range(30):
        one.offer(USERS, f"user{number}", now)
        two.offer(USERS, f"user{number + 20}", now)
    two.offer(CONVERSATIONS, "c", now)
    for machine in (one, two):
        wait_for(lambda machine=machine: machine.count(USERS) == 50, "both machines to see 50 users")
    assert two.count(CONVERSATIONS) == 1
    with redis.Redis.from_url(url) as client:
        keys = list(client.scan_iter(match=PREFIX + "*"))
        assert len(keys) == 3
        assert all(client.ttl(key) > 0 for key in keys)
        assert b"user1" not in b"".join(client.zrange(PREFIX + USERS, 0, -1))
        client.delete(*keys)


def test_ids_in_redis_leave_the_window(url: str) -> None:
    ids = in_redis(url, window=2.0)
    ids.offer(USERS, "short", time.monotonic())
    wait_for(lambda: ids.count(USERS) == 1, "the id to arrive")
    wait_for(lambda: ids.count(USERS) == 0, "the id to expire", 60)


def test_a_redis_that_is_down_costs_a_request_nothing_and_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    attempts = []

    def refuse():
        attempts.append(threading.current_thread())
        raise ConnectionError("refused")

    ids = ActiveInRedis((USERS,), 60.0, refuse, lambda: True)
    for number in range(1000):
        ids.offer(USERS, str(number), time.monotonic())
    wait_for(lambda: attempts, "an attempt")
    assert threading.current_thread() not in attempts, "a request's thread asks no server"
    wait_for(lambda: "on this machine only" in caplog.text, "the warning")
    assert ids.count(USERS) == 0


def test_without_redis_no_thread_is_started() -> None:
    ids = ActiveInRedis((USERS,), 60.0, lambda: None, lambda: False)
    ids.offer(USERS, "x", time.monotonic())
    assert ids.count(USERS) == 0
    assert ids._thread is None
