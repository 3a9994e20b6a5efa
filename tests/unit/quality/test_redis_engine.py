"""The ledger's keys in Redis: its own, each app's apart, and all of them expire."""

from __future__ import annotations

from pathlib import Path

import redis
from support.process import wait_for
from support.servers import RedisServer

from otel_chatbot.quality import redis_engine
from otel_chatbot.quality.ledger import Addition, key_of
from otel_chatbot.quality.redis_engine import RedisEngine


def test_keys_begin_with_the_package_and_the_app_and_all_expire(redis_server: RedisServer) -> None:
    url = f"redis://127.0.0.1:{redis_server.port}/13"
    one, two = RedisEngine(url, "shop/one"), RedisEngine(url, "shop/two")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        one.add([Addition(key_of("sum", "alice"), 1, 60.0)])
        one.swap(key_of("who", "alice"), "up", 60.0)
        assert two.read([key_of("sum", "alice")]) == [0]
        assert two.swap(key_of("who", "alice"), "up", 60.0) is None
        keys = list(client.scan_iter())
        assert len(keys) == 3
        assert all(key.startswith(b"otel_chatbot:ledger:") for key in keys)
        assert all(0 < client.pttl(key) <= 60_000 for key in keys)
        assert not any(b"alice" in key or b"shop" in key for key in keys)
        client.flushdb()
    one.close()
    two.close()


def test_a_connection_that_the_server_has_closed_meanwhile_is_made_anew(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server, redis.Redis.from_url(server.url) as other:
        engine = RedisEngine(server.url, "shop/bot", patience=30.0)
        engine.add([Addition("sum", 7, 3600.0)])
        assert engine.read(["sum"]) == [7]
        other.client_kill_filter(_type="normal", skipme=True)
        wait_for(lambda: redis_engine._is_closed(engine._reading), "the end of the connection to arrive")
        assert engine.read(["sum"]) == [7]
        engine.close()
