"""The registry: every metric that the application can name."""

from __future__ import annotations

import pytest
from support.metrics import _fresh_metrics, dropped, unused  # noqa: F401 - one of them is an autouse fixture

import otel_chatbot as o
from otel_chatbot.metrics import view


def family(name: str) -> view.Family:
    return next(found for found in view.read() if found.spec.prometheus == name)


def test_the_registry_is_one_and_knows_every_metric_by_its_names() -> None:
    counter = o.Counter(unused("test.registered"))
    assert o.MetricsRegistry() is o.registry
    assert o.registry.get("chatbot_errors_total") is not None
    assert o.registry.get(counter.name) is counter
    assert o.registry.get(counter.spec.name) is counter
    assert o.registry.get("nothing") is None
    o.registry.register(counter)
    with pytest.raises(TypeError, match="not a metric"):
        o.registry.register("counter")  # type: ignore[arg-type]
    assert o.registry.all()[counter.name] == {"type": "counter", "value": 0}
