"""What an application may define: a bad definition raises with the remedy, the same name twice is one metric."""

from __future__ import annotations

import math

import pytest
from support.metrics import _fresh_metrics, dropped, unused  # noqa: F401 - one of them is an autouse fixture

import otel_chatbot as o


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        (o.Counter, {"name": ""}, "usable name"),
        (o.Counter, {"name": "1st"}, "usable name"),
        (o.Counter, {"name": "a b"}, "usable name"),
        (o.Counter, {"name": "a:b"}, "usable name"),
        (o.Counter, {"name": "naïve"}, "usable name"),
        (o.Counter, {"name": "a" * 256}, "usable name"),
        (o.Counter, {"name": None}, "usable name"),
        (o.Counter, {"name": "total.orders"}, "'total' may only stand at the end"),
        (o.Gauge, {"name": "orders_total"}, "no counter"),
        (o.Gauge, {"name": "test.ratio", "unit": "1"}, "_ratio"),
        (o.Counter, {"name": "test.money", "unit": "USD"}, "{USD}"),
        (o.Counter, {"name": "test.speed", "unit": "m/s"}, "{m/s}"),
        (o.Counter, {"name": "test.speed", "unit": None}, "unit None is no text"),
        (o.Histogram, {"name": "test.speed", "unit": b""}, "unit b'' is no text"),
        (o.Counter, {"name": "test.text", "attributes": "kind"}, "('kind',)"),
        (o.Counter, {"name": "test.label", "attributes": ("a b",)}, "'a b'"),
        (o.Counter, {"name": "test.label", "attributes": (1,)}, "1"),
        (o.Counter, {"name": "test.label", "attributes": ("__name__",)}, "reserved"),
        (o.Counter, {"name": "test.label", "attributes": ("otel.scope.name",)}, "reserved"),
        (o.Histogram, {"name": "test.label", "attributes": ("le",)}, "reserved"),
        (o.Counter, {"name": "test.label", "attributes": ("a.b", "a_b")}, "one label"),
        (o.Histogram, {"name": "test.edges", "buckets": (1, 1)}, "do not increase"),
        (o.Histogram, {"name": "test.edges", "buckets": (2, 1)}, "do not increase"),
        (o.Histogram, {"name": "test.edges", "buckets": ()}, "at least one"),
        (o.Histogram, {"name": "test.edges", "buckets": (math.nan, 1)}, "finite"),
        (o.Histogram, {"name": "test.edges", "buckets": ("x",)}, "not numbers"),
        (o.Counter, {"name": "http.server.request.duration"}, "belongs to"),
        (o.Histogram, {"name": "http.server.request.duration", "unit": "s"}, "recorded by the package itself"),
        (o.Gauge, {"name": "chatbot.health.status"}, "recorded by the package itself"),
        (o.Gauge, {"name": "chatbot_errors"}, "belongs to"),
        (o.Gauge, {"name": "chatbot_response_time_seconds_count"}, "belongs to"),
        (o.Histogram, {"name": "chatbot_active_users"}, "cannot become a histogram"),
        (o.Counter, {"name": "CHATBOT.ERRORS"}, "belongs to"),
    ],
)
def test_a_bad_definition_raises_with_name_value_and_remedy(kind, arguments, words) -> None:
    with pytest.raises(ValueError) as raised:
        kind(**arguments)
    assert words in str(raised.value)
    assert repr(arguments["name"]).strip("'")[:20] in str(raised.value)


def test_the_same_name_twice_gives_the_same_figures() -> None:
    name = unused()
    one, other = o.Counter(name, "first"), o.Counter(name, "second")
    one.inc()
    other.inc()
    assert one.get() == other.get() == 2
    assert other.description == "first"
    with pytest.raises(ValueError, match="another name"):
        o.Gauge(name)
    with pytest.raises(ValueError, match="another name"):
        o.Counter(name, unit="s")


def test_a_second_definition_with_other_buckets_is_told(caplog: pytest.LogCaptureFixture) -> None:
    name = unused()
    o.Histogram(name, buckets=(1, 2))
    assert o.Histogram(name).buckets == (1.0, 2.0)
    assert caplog.records == []
    assert o.Histogram(name, buckets=(1, 3)).buckets == (1.0, 2.0)
    assert "first definition stays" in caplog.text


def test_one_of_the_sixteen_by_any_of_its_names_is_that_one() -> None:
    o.Counter("chatbot_errors_total").inc()
    o.Counter("chatbot.errors").inc()
    assert o.errors_total.get() == 2


@pytest.mark.parametrize(
    ("kind", "name", "unit", "prometheus"),
    [
        (o.Counter, "shop.orders", "{order}", "shop_orders_total"),
        (o.Counter, "shop_carts_total", "", "shop_carts_total"),
        (o.Counter, "shop.traffic", "By", "shop_traffic_bytes_total"),
        (o.Gauge, "shop.load", "%", "shop_load_percent"),
        (o.Histogram, "shop_wait_seconds", "s", "shop_wait_seconds"),
        (o.Histogram, "shop.age", "min", "shop_age_minutes"),
    ],
)
def test_units_and_suffixes_give_the_prometheus_name(kind, name, unit, prometheus) -> None:
    assert kind(name, unit=unit).name == prometheus
