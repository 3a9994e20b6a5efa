"""Redis pools in the shape of MongoDB's, by the pool's own books: sync and asyncio, plain and blocking, after a fork."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import queue
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from redis import asyncio as aio
from support.databases import TRACING, Figures, undisturbed, until
from support.process import free_port
from support.servers import RedisServer

from otel_chatbot.instrumentation.redis import hooks as instrumentation
from otel_chatbot.metrics import deduplication
from otel_chatbot.semconv import metrics as m


@pytest.fixture
def name(redis_server: RedisServer) -> Iterator[str]:
    """The pool's name, while the instrumentation is on."""
    with undisturbed(), deduplication.request_scope():
        gc.collect()
        instrumentation.instrument(TRACING)
        yield f"127.0.0.1:{redis_server.port}/0"
        instrumentation.uninstrument()


@pytest.fixture(params=[redis.ConnectionPool, redis.BlockingConnectionPool])
def pool(request: pytest.FixtureRequest, name: str, redis_server: RedisServer) -> Iterator[redis.ConnectionPool]:
    pool = request.param(host="127.0.0.1", port=redis_server.port, max_connections=3)
    yield pool
    pool.disconnect()


def idle_and_used(figures: Figures) -> tuple[float, float]:
    return figures(m.CONNECTION_COUNT, "idle"), figures(m.CONNECTION_COUNT, "used")


def test_a_pool_shows_idle_and_used_connections_and_returns_to_zero(pool, name) -> None:
    figures = Figures()
    client = redis.Redis(connection_pool=pool)
    client.ping()
    assert idle_and_used(figures) == (1, 0)
    first, second = pool.get_connection(), pool.get_connection()
    assert idle_and_used(figures) == (0, 2)
    assert set(figures.series(m.CONNECTION_COUNT)) == {("redis", name, "used")}
    pool.release(first)
    assert idle_and_used(figures) == (1, 1)
    pool.release(second)
    assert idle_and_used(figures) == (2, 0)
    pool.disconnect()
    assert idle_and_used(figures) == (0, 0)
    client.ping()
    assert idle_and_used(figures) == (1, 0)
    assert figures.series(m.CONNECTION_MAX) == figures.series(m.CONNECTION_IDLE_MAX) == {("redis", name): 3}
    assert figures.series(m.CONNECTION_PENDING) == {}


def test_waits_uses_and_new_connections_are_timed(pool, name) -> None:
    figures = Figures()
    client = redis.Redis(connection_pool=pool)
    for _ in range(5):
        client.ping()
    client.pipeline().get("a").execute()
    assert figures.series(m.CONNECTION_WAIT_TIME) == figures.series(m.CONNECTION_USE_TIME) == {("redis", name): 6}
    assert figures.series(m.CONNECTION_CREATE_TIME) == {("redis", name): 1}
    pool.disconnect()
    client.ping()
    assert figures.series(m.CONNECTION_CREATE_TIME) == {("redis", name): 2}


def test_a_full_pool_that_gives_up_is_a_timeout(name, redis_server) -> None:
    for pool in (
        redis.ConnectionPool(host="127.0.0.1", port=redis_server.port, max_connections=1),
        redis.BlockingConnectionPool(host="127.0.0.1", port=redis_server.port, max_connections=1, timeout=0.05),
    ):
        figures = Figures()
        connection = pool.get_connection()
        with pytest.raises(redis.ConnectionError):
            pool.get_connection()
        assert figures.series(m.CONNECTION_TIMEOUTS) == {("redis", name): 1}
        assert figures.series(m.CONNECTION_PENDING) == {}
        assert idle_and_used(figures) == (0, 1)
        pool.release(connection)
        pool.disconnect()


def test_who_waits_for_a_connection_is_pending_and_the_wait_is_timed(name, redis_server) -> None:
    figures = Figures()
    pool = redis.BlockingConnectionPool(host="127.0.0.1", port=redis_server.port, max_connections=1, timeout=10)
    connection = pool.get_connection()
    waiter = threading.Thread(target=redis.Redis(connection_pool=pool).ping)
    waiter.start()
    until(lambda: figures(m.CONNECTION_PENDING) == 1, "one pending request")
    time.sleep(0.05)
    pool.release(connection)
    waiter.join(10)
    assert figures(m.CONNECTION_PENDING) == 0
    assert figures(m.CONNECTION_WAIT_TIME) == 2
    assert idle_and_used(figures) == (1, 0)
    pool.disconnect()


def test_a_server_that_is_not_there_is_no_timeout_and_leaves_nothing_behind(name) -> None:
    figures = Figures()
    client = redis.Redis(port=free_port(), retry=None)
    with pytest.raises(redis.ConnectionError):
        client.ping()
    assert figures.series(m.CONNECTION_TIMEOUTS) == figures.series(m.CONNECTION_COUNT) == {}
    assert figures.series(m.CONNECTION_PENDING) == figures.series(m.CONNECTION_CREATE_TIME) == {}


def test_many_threads_leave_the_books_exact(pool) -> None:
    figures = Figures()
    client = redis.Redis(connection_pool=pool)

    def work() -> None:
        for _ in range(100):
            client.ping()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert figures(m.CONNECTION_USE_TIME) == 300
    idle, used = idle_and_used(figures)
    assert used == 0
    assert 1 <= idle <= 3
    assert idle == figures(m.CONNECTION_CREATE_TIME)


def test_a_pool_thrown_away_takes_its_connections_along(name, redis_server) -> None:
    figures = Figures()
    client = redis.Redis(host="127.0.0.1", port=redis_server.port, db=9)
    client.ping()
    name = f"127.0.0.1:{redis_server.port}/9"
    assert [figures(spec, name) for spec in (m.CONNECTION_COUNT, m.CONNECTION_MAX)] == [1, 100]
    del client
    gc.collect()
    assert [figures(spec, name) for spec in (m.CONNECTION_COUNT, m.CONNECTION_MAX)] == [0, 0]


@pytest.mark.parametrize("kind", [aio.ConnectionPool, aio.BlockingConnectionPool])
def test_asyncio_pools_are_followed_alike(name, redis_server, kind) -> None:
    figures = Figures()

    async def chat() -> None:
        pool = kind(host="127.0.0.1", port=redis_server.port, max_connections=2)
        client = aio.Redis(connection_pool=pool)
        await client.ping()
        assert idle_and_used(figures) == (1, 0)
        connection = await pool.get_connection()
        assert idle_and_used(figures) == (0, 1)
        await pool.release(connection)
        assert figures.series(m.CONNECTION_MAX) == {("redis", name): 2}
        await pool.aclose()
        assert idle_and_used(figures) == (0, 0)
        assert figures(m.CONNECTION_WAIT_TIME) == figures(m.CONNECTION_USE_TIME) == 2
        assert figures(m.CONNECTION_CREATE_TIME) == 1

    asyncio.run(chat())


def test_a_full_asyncio_pool_that_gives_up_is_a_timeout(name, redis_server) -> None:
    async def fill(pool: aio.ConnectionPool) -> None:
        connection = await pool.get_connection()
        with pytest.raises(redis.ConnectionError):
            await pool.get_connection()
        await pool.release(connection)
        await pool.aclose()

    where = {"host": "127.0.0.1", "port": redis_server.port, "max_connections": 1}
    for kind, more in ((aio.ConnectionPool, {}), (aio.BlockingConnectionPool, {"timeout": 0.05})):
        figures = Figures()
        asyncio.run(fill(kind(**where, **more)))
        assert figures.series(m.CONNECTION_TIMEOUTS) == {("redis", name): 1}, kind
        assert figures.series(m.CONNECTION_COUNT) == figures.series(m.CONNECTION_PENDING) == {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_shows_only_its_own_connections(pool, name) -> None:
    client = redis.Redis(connection_pool=pool)
    client.ping()
    held = pool.get_connection()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            told = [sum(v for (metric, _), v in Figures._snapshot().items() if metric == m.CONNECTION_COUNT.name)]
            figures = Figures()
            with contextlib.suppress(queue.Full):  # what redis-py's blocking pool says to a parent's connection
                pool.release(held)
            told += idle_and_used(figures)
            client.ping()
            told += idle_and_used(figures)
            pool.disconnect()
            text = repr([*told, *idle_and_used(figures)])
        except BaseException as error:
            text = repr(error)
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    pool.release(held)
    assert [float(part) for part in told.strip("[]").split(",")] == [0, 0, 0, 1, 0, 0, 0], told
