"""The figures of one pool: each value under its own name, taken back when the pool is gone."""

from __future__ import annotations

import pytest
from support.databases import Figures

from otel_chatbot.instrumentation.common.pool_figures import PoolSeries
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.attributes import DbSystem

POOL = {"db.system.name": "mongodb", "db.client.connection.pool.name": "db.example:27017"}


@pytest.fixture
def pool() -> PoolSeries:
    return PoolSeries(DbSystem.MONGODB, "db.example:27017")


def test_a_pools_figures_have_each_value_under_its_own_name(pool: PoolSeries) -> None:
    seen = Figures()
    pool.limits(2, 100)
    pool.move(3, 1, 4)
    pool.opened(0.1)
    pool.waited(0.1)
    pool.was_used(0.1)
    pool.timed_out()
    by_state = {
        attributes.pop("db.client.connection.state"): (attributes, value)
        for attributes, value in seen.named(m.CONNECTION_COUNT)
    }
    assert by_state == {"idle": (POOL, 3), "used": (POOL, 1)}
    assert seen.named(m.CONNECTION_PENDING) == [(POOL, 4)]
    assert seen.named(m.CONNECTION_IDLE_MIN) == [(POOL, 2)]
    assert seen.named(m.CONNECTION_MAX) == seen.named(m.CONNECTION_IDLE_MAX) == [(POOL, 100)]
    for spec in (m.CONNECTION_TIMEOUTS, m.CONNECTION_CREATE_TIME, m.CONNECTION_WAIT_TIME, m.CONNECTION_USE_TIME):
        assert seen.named(spec) == [(POOL, 1)]


def test_a_pool_that_is_gone_has_taken_its_part_back(pool: PoolSeries) -> None:
    seen = Figures()
    pool.limits(2, 100)
    pool.move(3, 1, 4)
    pool.close()
    for spec in (m.CONNECTION_COUNT, m.CONNECTION_PENDING, m.CONNECTION_MAX, m.CONNECTION_IDLE_MAX, m.CONNECTION_IDLE_MIN):
        assert seen.named(spec) == []
