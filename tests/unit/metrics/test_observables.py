"""A reader of any meter provider sees the counters and gauges of this process."""

from __future__ import annotations

import logging

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from support.metrics import _fresh_metrics, dropped, unused  # noqa: F401 - one of them is an autouse fixture

import otel_chatbot as o
from otel_chatbot.metrics import record, view
from otel_chatbot.metrics.api import define_instruments
from otel_chatbot.semconv import metrics as m


def family(name: str) -> view.Family:
    return next(found for found in view.read() if found.spec.prometheus == name)


def test_a_reader_of_a_meter_provider_sees_counters_and_gauges_and_those_that_come_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    counter = o.Counter(unused(), "Things", unit="{thing}", attributes=("kind",))
    define_instruments(provider)
    define_instruments(provider)
    later = o.Gauge(unused())
    counter.inc(3, kind="x")
    later.set(1.5)
    o.errors_total.inc()
    record.gauge_source(m.CACHE_SIZE, lambda: pytest.fail("a callback does no I/O"))
    data = reader.get_metrics_data()
    assert data is not None
    scope = data.resource_metrics[0].scope_metrics[0]
    assert scope.scope.name == "otel_chatbot"
    found = {metric.name: metric for metric in scope.metrics}
    points = {
        metric: {tuple((p.attributes or {}).items()): p.value for p in found[metric].data.data_points} for metric in found
    }
    assert points[counter.spec.name] == {(): 0.0, (("kind", "x"),): 3.0}
    assert (found[counter.spec.name].unit, found[counter.spec.name].description) == ("{thing}", "Things")
    assert found[counter.spec.name].data.is_monotonic
    assert points[later.spec.name] == {(): 1.5}
    assert points["chatbot.errors"][()] == 1.0
    assert m.CACHE_SIZE.name not in found
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []
    provider.shutdown()
