"""The views of everything, the reset, and the gauges that fill themselves until they are set by hand."""

from __future__ import annotations

import json

import pytest
from pymongo.monitoring import ConnectionCreatedEvent
from support.metrics import _fresh_metrics, dropped, unused  # noqa: F401 - one of them is an autouse fixture

import otel_chatbot as o
from otel_chatbot.instrumentation.mongodb.pool import PoolFigures
from otel_chatbot.metrics import record, view
from otel_chatbot.metrics.blueprint import json_view
from otel_chatbot.semconv import metrics as m


def family(name: str) -> view.Family:
    return next(found for found in view.read() if found.spec.prometheus == name)


def test_all_metrics_are_the_sixteen_by_prometheus_name_ready_for_json() -> None:
    o.conversations_created.inc()
    o.active_users.set(2.5)
    o.response_time.observe(1)
    figures = o.get_all_metrics()
    assert list(figures) == [spec.prometheus for spec in m.CHATBOT]
    assert figures["chatbot_conversations_created_total"] == {"type": "counter", "value": 1}
    assert figures["chatbot_active_users"] == {"type": "gauge", "value": 2.5}
    assert figures["chatbot_response_time_seconds"]["type"] == "histogram"
    assert figures["chatbot_response_time_seconds"]["avg"] == 1
    json.dumps(figures, allow_nan=False)


def test_a_metric_of_the_application_is_in_every_view_from_its_definition_on() -> None:
    counter = o.Counter(unused("test.seen"), "Things seen", attributes=("kind",))
    gauge = o.Gauge(unused("test.level"))
    histogram = o.Histogram(unused("test.wait"), buckets=(1,))
    text = o.get_prometheus_metrics()
    assert f"# HELP {counter.name} Things seen\n# TYPE {counter.name} counter\n{counter.name} 0.0\n" in text
    assert f"{gauge.name} 0.0\n" in text
    assert f'{histogram.name}_bucket{{le="+Inf"}} 0\n' in text
    assert text == o.registry.prometheus_format()
    assert counter.name in json.loads(json_view({"REQUEST_METHOD": "GET"}).get_data())["metrics"]


@pytest.fixture(autouse=True)
def mongodb_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """On: tests that switch MongoDB's figures off leave them so."""
    monkeypatch.setattr(PoolFigures, "enabled", True)


def open_connections(number: int) -> None:
    pool = PoolFigures()
    for connection in range(number):
        pool.connection_created(ConnectionCreatedEvent(("127.0.0.1", 27017), connection))


def test_reset_all_metrics_sets_this_process_back() -> None:
    counter, gauge = o.Counter(unused(), attributes=("kind",)), o.Gauge(unused())
    record.activate(m.DB_CONNECTIONS, m.CACHE_HITS)
    open_connections(4)
    record.count(m.CACHE_HITS, 3)
    for metric in (counter, o.errors_total, o.cache_hits):
        metric.inc(5)
    counter.inc(kind="x")
    gauge.set(7)
    o.response_time.observe(1)
    o.reset_all_metrics()
    assert [metric.get() for metric in (counter, gauge, o.errors_total, o.cache_hits)] == [0, 0, 0, 0]
    assert o.response_time.get()["count"] == 0
    assert o.db_connections.get() == 4  # it fills itself: the pools still hold these
    o.cache_hits.inc()
    assert o.cache_hits.get() == 1


def test_a_gauge_set_by_hand_no_longer_fills_itself() -> None:
    record.gauge_source(m.ACTIVE_USERS, lambda: {(): 40.0})
    record.activate(m.DB_CONNECTIONS)
    open_connections(3)
    assert (o.active_users.get(), o.db_connections.get()) == (40, 3)
    o.active_users.set(2)
    o.db_connections.inc()
    open_connections(5)
    record.activate(m.DB_CONNECTIONS)
    record.gauge_source(m.ACTIVE_USERS, lambda: {(): 40.0})
    assert (o.active_users.get(), o.db_connections.get()) == (2, 1)
    assert [point.value for point in family("chatbot_active_users").points] == [2.0]
    assert sum(point.value for point in family("chatbot_db_connections").points) == 1.0
