"""What the tests of Redis share: the instrumentation with and without sampled spans, and a client in each protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from support.databases import instrumented
from support.servers import RedisServer

from otel_chatbot.instrumentation.redis import hooks as instrumentation
from otel_chatbot.metrics import record


@pytest.fixture(params=["always_on", "always_off"])
def sampler(request: pytest.FixtureRequest) -> Iterator[str]:
    with instrumented(instrumentation, request.param) as sampler:
        yield sampler


@pytest.fixture(params=[2, 3])
def client(request: pytest.FixtureRequest, sampler: str, redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client in each of the two protocols: their replies differ."""
    with redis.Redis(port=redis_server.port, db=3, protocol=request.param) as client:
        with record.own_traffic():
            client.flushdb()
            client.mset({"a": 1, "b": 2})
            client.hset("h", mapping={"x": 1, "y": 2})
        yield client
