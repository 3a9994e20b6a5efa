"""Where Redis's commands go and how they are called, for each kind of pool; no server is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from redis import asyncio as aio
from redis import sentinel

from otel_chatbot.instrumentation.common.redis_addresses import address, pool_name
from otel_chatbot.instrumentation.redis import spans


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    kept = dict(vars(spans.SPANS))
    spans.SPANS.switch_on(provider)
    yield exporter
    vars(spans.SPANS).update(kept)


@pytest.mark.parametrize("kind", [redis.ConnectionPool, redis.BlockingConnectionPool, aio.ConnectionPool])
@pytest.mark.parametrize(
    ("url", "place", "name"),
    [
        ("redis://cache.example:6380/3", ("cache.example", 6380, "3"), "cache.example:6380/3"),
        ("redis://:secret@cache.example", ("cache.example", 6379, "0"), "cache.example:6379/0"),
        ("rediss://[2001:db8::1]:6380/1", ("2001:db8::1", 6380, "1"), "2001:db8::1:6380/1"),
        ("unix:///run/redis.sock?db=2", ("/run/redis.sock", None, "2"), "/run/redis.sock/2"),
    ],
)
def test_host_port_and_index_of_a_pool_are_told_apart(kind: Any, url: str, place: tuple, name: str) -> None:
    pool = kind.from_url(url)
    assert address(pool) == place
    assert pool_name(pool) == name


def test_a_pool_without_a_host_is_redis_pys_default_one() -> None:
    assert address(redis.ConnectionPool()) == ("localhost", 6379, "0")


@pytest.mark.parametrize("package", [sentinel, aio.sentinel])
def test_a_sentinels_pool_has_the_masters_address_once_it_is_known_and_always_the_services_name(package: Any) -> None:
    pool = package.Sentinel([("127.0.0.1", 1)]).master_for("main", db=4).connection_pool
    assert address(pool) == (None, None, "4")
    assert pool_name(pool) == "main/4"
    getattr(pool, "proxy", pool).master_address = ("10.0.0.7", 6379)
    assert address(pool) == ("10.0.0.7", 6379, "4")
    assert pool_name(pool) == "main/4"


@pytest.mark.parametrize(
    ("command", "name", "text"),
    [
        (("GET", "key"), "GET", "GET ?"),
        (("PING",), "PING", None),
        (("CONFIG GET", "port"), "CONFIG", "CONFIG GET ?"),
        (("SCRIPT FLUSH",), "SCRIPT", None),
        (("get key",), "GET", "GET ?"),
        ((b"DBSIZE",), "DBSIZE", None),
        ((), "_OTHER", None),
    ],
)
def test_a_text_that_is_only_the_name_is_left_out(
    exported: InMemorySpanExporter, command: tuple, name: str, text: str | None
) -> None:
    span = spans.begin_command(spans.operation_name(command), command, ("h", 6380, "3"))
    assert span is not None
    span.end()
    [found] = exported.get_finished_spans()
    attributes = dict(found.attributes or {})
    assert attributes.pop("db.redis.args_length") == len(command)
    assert attributes == {
        "db.system.name": "redis", "db.namespace": "3", "db.operation.name": name, "server.address": "h", "server.port": 6380,
        "network.transport": "tcp", **({} if text is None else {"db.query.text": text}),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "commands", "name", "size", "text"),
    [
        ("MULTI", [("SET", "a", 1), ("SET", "b", 2)], "MULTI SET", 2, "SET ? ?\nSET ? ?"),
        ("PIPELINE", [("SET", "a", 1), ("GET", "b")], "PIPELINE", 2, "SET ? ?\nGET ?"),
        ("PIPELINE", [("GET", "b")], "PIPELINE GET", None, "GET ?"),
        ("PIPELINE", [("PING",), ("DBSIZE",)], "PIPELINE", 2, None),
        ("MULTI", [], "MULTI", None, None),
    ],
)
def test_a_pipeline_is_named_as_the_conventions_for_redis_say(
    exported: InMemorySpanExporter, kind: str, commands: list[tuple], name: str, size: int | None, text: str | None
) -> None:
    span = spans.begin_pipeline(kind, commands, ("/run/redis.sock", None, "0"))
    assert span is not None
    span.end()
    [found] = exported.get_finished_spans()
    attributes = found.attributes or {}
    told = [attributes.get(key) for key in ("db.operation.name", "db.operation.batch.size", "db.query.text", "server.address")]
    assert told == [name, size, text, "/run/redis.sock"]
    assert (attributes["network.transport"], attributes.get("server.port")) == ("unix", None)


def test_where_a_cluster_is_not_known_yet_a_span_has_its_index_alone() -> None:
    assert spans.connection_attributes((None, None, "0")) == {"db.system.name": "redis", "db.namespace": "0"}
