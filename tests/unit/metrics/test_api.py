"""The public metrics: what may be defined and recorded, and what is read back."""

from __future__ import annotations

import decimal
import json
import logging
import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from pymongo.monitoring import ConnectionCreatedEvent
from support.metrics import _fresh_metrics, dropped, unused  # noqa: F401 - one of them is an autouse fixture

import otel_chatbot as o
from otel_chatbot import _wiring
from otel_chatbot.instrumentation.mongodb.pool import PoolFigures
from otel_chatbot.metrics import record, view
from otel_chatbot.metrics.api import define_instruments
from otel_chatbot.metrics.blueprint import json_view
from otel_chatbot.semconv import metrics as m


def family(name: str) -> view.Family:
    return next(found for found in view.read() if found.spec.prometheus == name)


# Counting


def test_the_sixteen_count_set_observe_and_read_back() -> None:
    for spec in m.CHATBOT:
        metric = getattr(o, spec.python)
        assert metric.name == spec.prometheus
        if isinstance(metric, o.Counter):
            metric.inc()
            metric.inc(2)
            metric.inc(amount=0.5)
            assert metric.get() == 3.5
            metric.reset()
            assert metric.get() == 0
        elif isinstance(metric, o.Gauge):
            metric.set(5)
            metric.inc()
            metric.dec(3)
            assert metric.get() == 3
        else:
            metric.observe(0.1)
            metric.observe(value=0.3)
            seen = metric.get()
            assert (seen["count"], seen["sum"], seen["avg"]) == (2, pytest.approx(0.4), pytest.approx(0.2))
            metric.reset()
            assert metric.get()["count"] == 0


def test_a_histogram_reads_back_cumulative_buckets_with_text_keys() -> None:
    seen = o.Histogram(unused(), buckets=(1, 5, 10))
    for value in (0.5, 1, 4, 100):
        seen.observe(value)
    assert seen.get() == {
        "count": 4, "sum": 105.5, "avg": 26.375, "buckets": {"1.0": 2, "5.0": 3, "10.0": 3, "+Inf": 4},
    }  # fmt: skip
    assert seen.buckets == (1.0, 5.0, 10.0)


def test_whole_numbers_read_back_as_counts() -> None:
    counter = o.Counter(unused())
    counter.inc(2.0)
    assert repr(counter.get()) == "2"


def test_attributes_are_given_as_labels_or_by_name_and_add_up() -> None:
    counter = o.Counter(unused(), attributes=("http.route", "kind"))
    counter.inc(http_route="/a", kind="x")
    counter.inc(2, {"http.route": "/a", "kind": "x"})
    counter.inc(4, {"http_route": "/a"}, kind="x")
    counter.inc(8, attributes={"kind": "y"})
    assert counter.get() == 15
    points = {tuple(sorted(point.attributes.items())): point.value for point in family(counter.name).points}
    assert points == {(): 0.0, (("http.route", "/a"), ("kind", "x")): 7.0, (("kind", "y"),): 8.0}


def test_an_unlisted_attribute_is_dropped_counted_and_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    counter = o.Counter(unused(), attributes=("kind",))
    before = dropped("unlisted_attribute")
    for _ in range(3):
        counter.inc(kind="x", user_id="u1")
    assert counter.get() == 3
    assert dropped("unlisted_attribute") == before + 3
    assert [(record.levelname, "user_id" in record.message) for record in caplog.records] == [("WARNING", True)]
    assert [point.attributes for point in family(counter.name).points] == [{}, {"kind": "x"}]


def test_threads_that_count_together_lose_nothing(scale: int) -> None:
    counter, gauge, histogram = o.Counter(unused()), o.Gauge(unused()), o.Histogram(unused())

    def work() -> None:
        for _ in range(2000 * scale):
            counter.inc()
            gauge.inc(2)
            gauge.dec()
            histogram.observe(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert counter.get() == gauge.get() == histogram.get()["count"] == 8000 * scale


def test_the_first_recording_sets_the_package_up_and_the_definition_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(_wiring.Configured, "done", False)
    monkeypatch.setattr(_wiring, "SET_UP", lambda: calls.append("set up"))
    counter, gauge = o.Counter(unused(), attributes=("kind",)), o.Gauge(unused())
    assert counter.get() == 0
    assert calls == []
    counter.inc(kind="x")
    counter.inc()
    assert calls == ["set up"]
    _wiring.Configured.done = False
    gauge.set(1)
    assert calls == ["set up", "set up"]


# Bad values


BAD = [math.nan, math.inf, -math.inf, 10**400, "5", b"5", None, Ellipsis, [], 1j]


@pytest.mark.parametrize("value", [*BAD, -1, -0.001], ids=str)
def test_a_counter_and_a_histogram_refuse_what_they_cannot_add(value, caplog: pytest.LogCaptureFixture) -> None:
    counter, histogram = o.Counter(unused(), attributes=("kind",)), o.Histogram(unused(), attributes=("kind",))
    before = dropped("invalid_value")
    for _ in range(2):
        counter.inc(value)
        counter.inc(value, kind="x")
        histogram.observe(value)
        histogram.observe(value, kind="x")
    assert counter.get() == 0
    assert histogram.get()["count"] == 0
    assert dropped("invalid_value") == before + 8
    assert len(caplog.records) == 2
    assert counter.name in caplog.records[0].message
    assert "finite number that is not negative" in caplog.text


@pytest.mark.parametrize("value", BAD, ids=str)
def test_a_gauge_refuses_what_is_no_number(value, caplog: pytest.LogCaptureFixture) -> None:
    gauge = o.Gauge(unused())
    gauge.set(3)
    before = dropped("invalid_value")
    gauge.set(value)
    gauge.inc(value)
    gauge.dec(value)
    assert gauge.get() == 3
    assert dropped("invalid_value") == before + 3
    assert len(caplog.records) == 1


def test_the_warning_of_a_bad_value_does_not_show_what_is_no_number(caplog: pytest.LogCaptureFixture) -> None:
    o.Counter(unused()).inc("secret@example.org")  # type: ignore[arg-type]
    assert "a str" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("value", [True, decimal.Decimal("1.5"), 2**40, 0, 0.0])
def test_numbers_of_other_types_are_recorded(value) -> None:
    counter, gauge, histogram = o.Counter(unused()), o.Gauge(unused()), o.Histogram(unused())
    for _ in range(2):
        counter.inc(value)
        histogram.observe(value)
    gauge.set(value)
    gauge.inc(value)
    assert counter.get() == gauge.get() == histogram.get()["sum"] == 2 * float(value)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.integers(), st.floats(), st.text(), st.none(), st.binary(), st.decimals(), st.fractions(), st.complex_numbers()
    ),
    st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.lists(st.integers()))),
)
def test_no_recording_call_raises_whatever_it_is_given(value, attributes) -> None:
    for call in (FUZZED[0].inc, FUZZED[1].set, FUZZED[1].inc, FUZZED[1].dec, FUZZED[2].observe):
        call(value, attributes)
    json.loads(json_view({"REQUEST_METHOD": "GET"}).get_data(), parse_constant=lambda name: pytest.fail(name))


FUZZED = [kind(unused(), attributes=("a", "b")) for kind in (o.Counter, o.Gauge, o.Histogram)]


# Definitions


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


# The registry and the views of everything


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


# Gauges that fill themselves


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


# OpenTelemetry instruments


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
