"""From a row to the names in Prometheus: the same that OpenTelemetry's own exporter gives, and none twice."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from opentelemetry.exporter.prometheus import _mapping as exporter

from otel_chatbot.semconv import collector as c
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv import prometheus as p
from otel_chatbot.semconv.spec import UNIT_SUFFIX, Kind, MetricSpec, family_base, label_name, prometheus_name, sample_names

PROMETHEUS = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@pytest.mark.parametrize(
    ("name", "unit", "kind", "found"),
    [
        ("shop.orders", "{order}", Kind.COUNTER, "shop_orders_total"),
        ("shop.carts_total", "", Kind.COUNTER, "shop_carts_total"),
        ("shop.traffic", "By", Kind.COUNTER, "shop_traffic_bytes_total"),
        ("shop.wait", "s", Kind.HISTOGRAM, "shop_wait_seconds"),
        ("shop.wait_seconds", "s", Kind.HISTOGRAM, "shop_wait_seconds"),
        ("shop.open", "{door}", Kind.UP_DOWN_COUNTER, "shop_open"),
        ("shop..a--b", "", Kind.GAUGE, "shop_a_b"),
        ("9lives", "", Kind.GAUGE, "_9lives"),
        ("größe", "%", Kind.GAUGE, "gr_e_percent"),
    ],
)
def test_a_name_gets_its_unit_and_the_end_of_a_counter_once(name: str, unit: str, kind: Kind, found: str) -> None:
    assert prometheus_name(name, unit, kind) == found


@pytest.mark.parametrize("unit", UNIT_SUFFIX)
def test_a_unit_is_called_as_opentelemetrys_exporter_calls_it(unit: str) -> None:
    assert exporter.map_unit(unit) == UNIT_SUFFIX[unit]


@pytest.mark.parametrize("attribute", ["http.route", "db.system.name", "a-b", "a__b", "größe", "x"])
def test_a_label_is_called_as_opentelemetrys_exporter_calls_it(attribute: str) -> None:
    label = label_name(attribute)
    assert PROMETHEUS.fullmatch(label)
    assert re.sub("_+", "_", label) == re.sub("_+", "_", exporter.sanitize_attribute(attribute))


def test_a_label_does_not_begin_with_a_digit() -> None:
    assert label_name("9lives") == "_9lives"


@pytest.mark.parametrize(
    ("kind", "samples", "type_"),
    [
        (Kind.COUNTER, ["a_total", "a", "a_created"], "counter"),
        (Kind.GAUGE, ["a"], "gauge"),
        (Kind.UP_DOWN_COUNTER, ["a"], "gauge"),
        (Kind.HISTOGRAM, ["a", "a_bucket", "a_count", "a_sum", "a_created"], "histogram"),
    ],
)
def test_a_kind_has_its_type_and_its_samples(kind: Kind, samples: list[str], type_: str) -> None:
    spec = MetricSpec("a", kind, "", "An a")
    assert (sample_names(spec), kind.prometheus_type) == (samples, type_)
    assert family_base(spec) == "a"


def test_no_two_metrics_of_the_tables_share_a_name_of_a_sample() -> None:
    for table in (m.ALL, c.ALL, p.ALL):
        taken = Counter(name for spec in table for name in sample_names(spec))
        assert [name for name, times in taken.items() if times > 1] == []
        assert all(PROMETHEUS.fullmatch(name) for name in taken)
