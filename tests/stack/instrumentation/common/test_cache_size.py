"""The gauge `cache_size` asks the application's real Redis and its in-process caches, and nobody waits for a slow one."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import redis
from cachelib import SimpleCache
from support.databases import TRACING, Figures, undisturbed, until
from support.redis_shapes import SHAPES
from support.servers import RedisServer

from otel_chatbot import config
from otel_chatbot.health import clients
from otel_chatbot.instrumentation import cachelib
from otel_chatbot.instrumentation.common import cache_size
from otel_chatbot.instrumentation.redis import histories
from otel_chatbot.instrumentation.redis import hooks as instrumentation
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.metrics.shared.facts import FACTS
from otel_chatbot.metrics.view import read
from otel_chatbot.semconv import metrics as m


@pytest.fixture(autouse=True)
def on() -> Iterator[None]:
    with undisturbed(), deduplication.request_scope():
        instrumentation.instrument(TRACING)
        clients.forget_all()
        FACTS.forget()
        histories.NAMES.clear()
        cache_size.REDIS.value = None
        cache_size.REDIS.start_anew()
        yield
        if cache_size.REDIS._asking is not None:
            cache_size.REDIS._asking.join(10)
        instrumentation.uninstrument()
        cachelib.uninstrument()
        clients.forget_all()


@pytest.fixture
def client(redis_server: RedisServer, on: None) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_server.port, db=5) as client:
        client.flushdb()
        yield client


def size(patience: float = 10.0) -> dict[str, float]:
    """The gauge as every view shows it, by system, after an answer that a busy machine may give late."""
    cache_size.REDIS._asked = -10.0  # as if the last answer were old
    cache_size.REDIS.read()
    cache_size.REDIS._asking.join(patience)
    family = next(family for family in read() if family.spec is m.CACHE_SIZE)
    return {str(point.attributes["db.system.name"]): point.value for point in family.points if point.attributes}


def test_every_key_counts_but_the_packages_own(client) -> None:
    client.mset({f"key{n}": n for n in range(25)})
    client.set("otel_chatbot:active", 1, ex=60)
    client.sadd("set", 1, 2, 3)
    assert size() == {"redis": 26}
    client.delete("key1", "key2")
    assert size() == {"redis": 24}


def test_keys_of_known_libraries_and_of_the_setting_are_no_cache(client, monkeypatch) -> None:
    others = ("session:1", "LIMITS:LIMITER/x", "celery", "_kombu.binding.celery", "unacked", "celery-task-meta-1", "rq:job:1")
    client.mset(dict.fromkeys((*others, "flask_cache_app.f_memver", "own:1", "key", "celery_of_mine"), 1))
    assert size() == {"redis": 3}
    monkeypatch.setattr(config, "current", lambda: config.Settings(cache_exclude=("own:", "none:")))
    assert size() == {"redis": 2}


def test_chats_are_no_cache(client) -> None:
    sizes = {}
    for shape in SHAPES:
        client.flushdb()
        client.set("answer:5d41", "x")
        shape.write(client)
        assert client.dbsize() > 1
        sizes[shape.name] = size()["redis"]
    assert sizes == dict.fromkeys(sizes, 1)


def test_lists_of_chats_that_this_run_has_not_seen_are_no_cache(client) -> None:
    with record.own_traffic():
        client.rpush("chat:1", "x"), client.xadd("room:1", {"a": "b"}), client.zadd("messages:1", {"x": 1})
        client.rpush("jobs", "x"), client.zadd("ranking", {"x": 1}), client.set("chat:answer", "x")
    assert size() == {"redis": 3}


def test_a_server_that_cannot_be_asked_by_type_says_how_many_keys_it_holds(client, monkeypatch) -> None:
    whole = redis.Redis.scan_iter

    def scan_iter(self, *args, _type=None, **kwargs):
        if _type is not None:
            raise redis.ResponseError("syntax error")
        return whole(self, *args, **kwargs)

    monkeypatch.setattr(redis.Redis, "scan_iter", scan_iter)
    client.set("a", 1), client.rpush("chat:1", "x")
    assert size() == {"redis": 2}


def test_with_a_prefix_its_keys_count(client, monkeypatch) -> None:
    settings = config.Settings(cache_prefix="cache[1]*:")
    monkeypatch.setattr(config, "current", lambda: settings)
    client.mset({"cache[1]*:a": 1, "cache[1]*:b": 1, "cache1x:c": 1, "other": 1})
    assert size() == {"redis": 2}


def test_several_databases_are_summed_and_several_clients_of_one_are_not(client, redis_server) -> None:
    with redis.Redis(port=redis_server.port, db=6) as other, redis.Redis(port=redis_server.port, db=5):
        other.flushdb()
        other.set("a", 1)
        client.set("a", 1)
        assert size() == {"redis": 2}


def test_the_question_is_counted_nowhere(client) -> None:
    client.get("a")
    TRACING.exporter.clear()
    figures = Figures()
    size()
    for spec in (m.CACHE_OPERATION_TIME, m.DB_CLIENT_DURATION, m.CONNECTION_COUNT, m.CONNECTION_WAIT_TIME, m.CACHE_MISSES):
        assert figures.series(spec) == {}, spec.name
    assert TRACING.spans == ()


def test_an_answer_is_good_for_two_seconds(client) -> None:
    client.set("a", 1)
    assert size() == {"redis": 1}
    client.set("b", 1)
    assert cache_size.REDIS.read() == 1


def test_a_large_database_is_walked_through_once_a_minute(client, monkeypatch) -> None:
    monkeypatch.setattr(cache_size, "_SMALL", 2)
    client.set("otel_chatbot:own", 1, ex=60)
    client.mset({f"key{n}": n for n in range(5)})
    assert size() == {"redis": 5}
    client.set("otel_chatbot:late", 1, ex=60)
    client.set("key5", 1)
    assert size() == {"redis": 7}, "the late key of the package is found in the next minute"


def test_a_silent_server_delays_a_view_by_a_fifth_of_a_second_and_leaves_the_last_figure(client, monkeypatch) -> None:
    monkeypatch.setattr(cache_size, "_TIMEOUT", 60.0)  # the server ends the question below, not the clock
    client.set("a", 1)
    assert size() == {"redis": 1}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pool = redis.ConnectionPool(port=silent.getsockname()[1])
        nobody = redis.Redis(connection_pool=pool)
        assert size(patience=0) == {"redis": 1}
        assert cache_size.REDIS._asking.is_alive(), "the view did not wait for the answer"
        del nobody, pool
    until(lambda: not cache_size.REDIS._asking.is_alive(), "the end of the question")


def test_a_server_that_does_not_answer_spoils_no_others_figure(client) -> None:
    client.set("a", 1)
    with redis.Redis(port=1):
        assert size() == {"redis": 1}
        client.set("b", 1)
        assert size() == {"redis": 2}


def test_a_client_whose_making_failed_is_not_asked(client) -> None:
    client.set("a", 1)
    with pytest.raises(redis.RedisClusterException):
        clients.remember_redis(half := redis.RedisCluster.__new__(redis.RedisCluster)) or half.__init__()
    assert size() == {"redis": 1}


def test_a_server_that_is_gone_leaves_no_figure_and_no_fault() -> None:
    with redis.Redis(port=1):
        assert size() == {}


def test_without_a_client_there_is_no_figure() -> None:
    assert size() == {}


def test_an_in_process_cache_shows_what_has_not_expired() -> None:
    cachelib.instrument()
    clients.forget_all()
    cache, other = SimpleCache(), SimpleCache()
    cache.set_many({"a": 1, "b": 2, "otel_chatbot:health": 3})
    cache.set("gone", 1, timeout=1)
    other.set("for ever", 1, timeout=0)
    assert size() == {"memory": 4}
    expires, value = cache._cache["gone"]
    cache._cache["gone"] = (expires - 60, value)
    assert size() == {"memory": 3}
    with record.own_traffic():
        cache.clear()
    assert size() == {"memory": 1}
