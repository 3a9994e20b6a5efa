"""Every kind of client is followed: clusters, clients older than the instrumentation, beside upstream's, and off again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import redis
from opentelemetry.instrumentation.redis import RedisInstrumentor
from redis import asyncio as aio
from support.databases import TRACING, Figures
from support.process import free_port
from support.servers import RedisServer

from otel_chatbot.health import clients
from otel_chatbot.instrumentation.common import cache_size
from otel_chatbot.instrumentation.redis import hooks as instrumentation
from otel_chatbot.metrics import record
from otel_chatbot.semconv import metrics as m

pytestmark = pytest.mark.usefixtures("sampler")


@pytest.fixture(scope="module")
def cluster_server(tmp_path_factory) -> Iterator[RedisServer]:
    """A cluster of one node that holds every slot."""
    folder = tmp_path_factory.mktemp("cluster")
    port = free_port()
    with RedisServer(
        folder, port, "--cluster-enabled", "yes", "--dir", str(folder), "--cluster-port", str(free_port())
    ) as server:
        with redis.Redis(port=port) as node:
            node.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
            server.wait(lambda: node.cluster("info").get("cluster_state") == "ok", "the cluster")
        yield server


def test_a_cluster_client_counts_its_calls_and_nothing_of_its_own_housekeeping(cluster_server) -> None:
    figures = Figures()
    with redis.RedisCluster(host="127.0.0.1", port=cluster_server.port) as cluster:
        assert clients.redis() is cluster
        cluster.set("a", 1)
        cluster.get("a"), cluster.get("none")
        pipe = cluster.pipeline()
        pipe.get("a").get("none").get("a")
        pipe.execute()
    assert (figures(m.CACHE_HITS), figures(m.CACHE_MISSES)) == (3, 2)
    assert figures.series(m.CACHE_OPERATION_TIME) == {("SET",): 1, ("GET",): 2, ("PIPELINE",): 1}
    assert figures(m.DB_CLIENT_DURATION, "redis", "GET", cluster_server.port) == 2


def test_a_cluster_says_how_many_keys_it_holds(cluster_server) -> None:
    with redis.RedisCluster(host="127.0.0.1", port=cluster_server.port) as cluster:
        cluster.flushall()
        for n in range(7):
            cluster.set(f"key{n}", n)
        cluster.set("otel_chatbot:own", 1, ex=60)
        with record.own_traffic():
            assert cache_size.RedisSize()._answer("cluster", cluster) == 7


def test_an_asyncio_cluster_client_counts_alike(cluster_server) -> None:
    figures = Figures()

    async def chat() -> None:
        async with aio.RedisCluster(host="127.0.0.1", port=cluster_server.port) as cluster:
            await cluster.set("a", 1)
            await asyncio.gather(cluster.get("a"), cluster.get("none"))
            pipe = cluster.pipeline()
            pipe.get("a").get("none")
            await pipe.execute()

    asyncio.run(chat())
    assert (figures(m.CACHE_HITS), figures(m.CACHE_MISSES)) == (2, 2)
    assert figures.series(m.CACHE_OPERATION_TIME) == {("SET",): 1, ("GET",): 2, ("PIPELINE",): 1}


def test_switched_off_nothing_is_counted_and_on_again_everything_once(client) -> None:
    figures = Figures()
    instrumentation.uninstrument()
    instrumentation.uninstrument()
    client.get("a")
    assert figures.series(m.CACHE_OPERATION_TIME) == figures.series(m.CACHE_HITS) == {}
    assert not hasattr(redis.Redis.execute_command, "__wrapped__")
    instrumentation.instrument(TRACING)
    instrumentation.instrument(TRACING)
    client.get("a")
    assert figures.series(m.CACHE_OPERATION_TIME) == {("GET",): 1}
    assert figures(m.CACHE_HITS) == 1


def test_where_the_application_switches_upstreams_spans_on_there_is_one_set_of_spans(client, sampler) -> None:
    figures = Figures()
    RedisInstrumentor().instrument(tracer_provider=TRACING)
    try:
        with TRACING.request():
            client.get("a")
            client.pipeline().get("a").execute()
    finally:
        RedisInstrumentor().uninstrument()
    client.get("a")
    assert figures(m.CACHE_HITS) == 3
    assert [span.name for span in TRACING.spans if span.name == "GET"] == ["GET"] * (3 if sampler == "always_on" else 0)


def test_a_client_older_than_the_instrumentation_is_counted_and_known(redis_server) -> None:
    instrumentation.uninstrument()
    clients.forget_all()
    with redis.Redis(port=redis_server.port) as early:
        assert clients.redis() is None
        instrumentation.instrument(TRACING)
        assert early in clients.redis_clients()
        figures = Figures()
        early.get("none")
        assert figures(m.CACHE_MISSES) == 1
