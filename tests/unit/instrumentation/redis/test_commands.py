"""What one operation of redis-py counts: each value under its own name, and nothing of what does not fill itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.databases import Figures, undisturbed

from otel_chatbot.instrumentation.redis.commands import State, begin
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.semconv import metrics as m


class Pool:
    connection_kwargs: dict[str, Any] = {"host": "cache.example", "port": 6380, "db": 3}


class Client:
    connection_pool = Pool()


@pytest.fixture(autouse=True)
def on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(State, "on", True)
    with undisturbed(), deduplication.request_scope():
        record.activate(m.CACHE_HITS, m.CACHE_MISSES, m.CACHE_OPERATION_TIME)
        yield


def get(reply: object) -> None:
    operation = begin(Client(), "GET", [("GET", "key")])
    assert operation is not None
    operation.failed(reply) if isinstance(reply, Exception) else operation.succeeded([reply])


def test_an_operations_figures_have_each_value_under_its_own_name() -> None:
    figures = Figures()
    get(TimeoutError("late"))
    assert figures.named(m.CACHE_OPERATION_TIME) == [({"db.operation.name": "GET"}, 1)]
    assert figures.named(m.DB_CLIENT_DURATION) == [
        (
            {
                "db.system.name": "redis",
                "db.operation.name": "GET",
                "db.namespace": "3",
                "error.type": "TimeoutError",
                "server.address": "cache.example",
                "server.port": 6380,
            },
            1,
        )
    ]


def test_a_key_that_is_there_is_a_hit_and_one_that_is_not_a_miss() -> None:
    figures = Figures()
    get(b"value")
    get(b"value")
    get(None)
    assert figures.named(m.CACHE_HITS) == [({"db.system.name": "redis"}, 2)]
    assert figures.named(m.CACHE_MISSES) == [({"db.system.name": "redis"}, 1)]


def test_what_is_switched_off_is_not_counted_and_the_conventions_metric_is() -> None:
    record.AUTOMATIC.active.clear()
    figures = Figures()
    get(b"value")
    assert figures.named(m.CACHE_HITS) == figures.named(m.CACHE_OPERATION_TIME) == []
    assert [count for _, count in figures.named(m.DB_CLIENT_DURATION)] == [1]
