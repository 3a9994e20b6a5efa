"""Prometheus text, OpenMetrics and JSON: read back by prometheus_client's parsers and by promtool."""

from __future__ import annotations

import json
import math
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.utils import floatToGoString
from support.process import program

from otel_chatbot.metrics.exposition import _edge, metrics_json, openmetrics_text, plain, prometheus_text
from otel_chatbot.metrics.view import Exemplar, Family, HistogramPoint, Point
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind, MetricSpec, label_name

ATTRIBUTES = ("http.route", "kind", "status")
EDGES = (0.005, 1.0, 2.5e6)

# Everything that UTF-8 can hold; carriage returns too, which must not end a line.
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ['"', "\\", "\n", '\\n"', "}", "a\rb", "é\u2028", "# EOF"]
)
VALUES = st.floats(allow_nan=False) | st.integers(0, 2**60).map(float)
LABELS = st.dictionaries(st.sampled_from(ATTRIBUTES), TEXTS | st.integers(-5, 600))


def read_as(attributes: dict) -> dict[str, str]:
    """What Prometheus makes of attributes: an empty label is none."""
    return {label_name(name): str(value) for name, value in attributes.items() if value != ""}


def distinct(points: list) -> list:
    return list({tuple(sorted(read_as(point.attributes).items())): point for point in points}.values())


def histogram_points(draw_counts: st.SearchStrategy[list[int]]) -> st.SearchStrategy[HistogramPoint]:
    exemplars = st.none() | st.builds(
        Exemplar, st.floats(0, 1e9), st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.floats(1e9, 2e9)
    )
    return st.builds(HistogramPoint, LABELS, st.floats(0, 1e300), draw_counts, st.lists(exemplars, min_size=4, max_size=4))


def number_family(kind: Kind, points: list[Point], description: str = "Help", name: str = "shop.orders") -> Family:
    return Family(MetricSpec(name, kind, "", description, ATTRIBUTES), points)


def histogram_family(points: list[HistogramPoint], description: str = "Help", unit: str = "s") -> Family:
    return Family(MetricSpec("shop.wait", Kind.HISTOGRAM, unit, description, ATTRIBUTES, EDGES), [], points)


def samples(families) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def check(path_or_text: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [program("promtool", "install Debian's prometheus, or run `make setup`"), "check", "metrics"]
    return subprocess.run(command, input=path_or_text, capture_output=True, check=False, timeout=60)


PARSERS = [(prometheus_text, parse_text), (openmetrics_text, parse_openmetrics)]


@pytest.mark.parametrize(("write", "parse"), PARSERS, ids=["text", "openmetrics"])
@pytest.mark.parametrize("kind", [Kind.COUNTER, Kind.GAUGE, Kind.UP_DOWN_COUNTER])
@settings(max_examples=100, deadline=None)
@given(points=st.lists(st.builds(Point, LABELS, VALUES), max_size=5).map(distinct), description=TEXTS)
def test_counters_and_gauges_read_back_as_they_were(write, parse, kind, points, description) -> None:
    if kind is Kind.COUNTER:
        points = [Point(point.attributes, abs(point.value)) for point in points]
    (family,) = parse(write([number_family(kind, points, description)]).decode())
    name = "shop_orders_total" if kind is Kind.COUNTER else "shop_orders"
    assert family.type == ("counter" if kind is Kind.COUNTER else "gauge")
    assert family.documentation == (" ".join(description.split()) or "shop.orders")
    assert samples([family]) == {(name, tuple(sorted(read_as(p.attributes).items()))): p.value for p in points}


@pytest.mark.parametrize(("write", "parse"), PARSERS, ids=["text", "openmetrics"])
@settings(max_examples=100, deadline=None)
@given(
    points=st.lists(histogram_points(st.lists(st.integers(0, 2**40), min_size=4, max_size=4)), max_size=3).map(distinct),
    description=TEXTS,
)
def test_histograms_read_back_as_they_were_with_their_exemplars(write, parse, points, description) -> None:
    (family,) = parse(write([histogram_family(points, description)]).decode())
    assert (family.type, family.name) == ("histogram", "shop_wait_seconds")
    expected = {}
    for point in points:
        labels = read_as(point.attributes)
        for index, edge in enumerate(("0.005", "1.0", "2.5e+06", "+Inf")):
            key = ("shop_wait_seconds_bucket", tuple(sorted({**labels, "le": edge}.items())))
            expected[key] = float(sum(point.counts[: index + 1]))
        expected["shop_wait_seconds_count", tuple(sorted(labels.items()))] = float(point.count)
        expected["shop_wait_seconds_sum", tuple(sorted(labels.items()))] = point.sum
    assert samples([family]) == expected
    if parse is parse_openmetrics:
        assert family.unit == "seconds"
        found = [s.exemplar for s in family.samples if s.name.endswith("_bucket")]
        wanted = [exemplar for point in points for exemplar in point.exemplars]
        assert len(found) == len(wanted)
        for seen, exemplar in zip(found, wanted, strict=True):
            if exemplar is None:
                assert seen is None
                continue
            assert seen is not None
            assert seen.labels == {"trace_id": f"{exemplar.trace_id:032x}", "span_id": f"{exemplar.span_id:016x}"}
            assert seen.value == exemplar.value
            assert float(seen.timestamp) == pytest.approx(exemplar.time, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    points=st.lists(st.builds(Point, LABELS, VALUES.filter(lambda v: v >= 0)), max_size=4).map(distinct),
    histograms=st.lists(histogram_points(st.lists(st.integers(0, 9), min_size=4, max_size=4)), max_size=2).map(distinct),
    description=TEXTS.filter(str.strip),
)
def test_promtool_finds_nothing_wrong_with_hostile_labels_and_help(points, histograms, description) -> None:
    text = prometheus_text([number_family(Kind.COUNTER, points, description), histogram_family(histograms, description)])
    checked = check(text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b""), text


FIXED_BY_CONVENTION = {"db_client_connection_count": "promlint takes `_count` for a part of a histogram"}


def test_promtool_finds_nothing_wrong_with_our_names_but_for_those_that_a_convention_fixes() -> None:
    families = []
    for spec in m.ALL:
        labels = dict.fromkeys(spec.attributes, "x")
        if spec.kind is Kind.HISTOGRAM:
            buckets = len(spec.buckets) + 1
            families.append(Family(spec, [], [HistogramPoint(labels, 1.0, [1] * buckets, [None] * buckets)]))
        else:
            families.append(Family(spec, [Point(labels, 1.0)]))
    checked = check(prometheus_text(families))
    complaints = [line.split()[0] for line in (checked.stdout + checked.stderr).decode().splitlines()]
    assert set(complaints) == set(FIXED_BY_CONVENTION)


def test_infinite_and_missing_values_are_spelled_as_prometheus_does() -> None:
    points = [Point({"kind": name}, value) for name, value in (("p", math.inf), ("m", -math.inf), ("n", math.nan))]
    text = prometheus_text([number_family(Kind.GAUGE, points)]).decode()
    assert [line.split()[-1] for line in text.splitlines()[2:]] == ["+Inf", "-Inf", "NaN"]
    figures = metrics_json([number_family(Kind.GAUGE, points)])
    assert figures["shop_orders"]["value"] is None


def test_a_lone_surrogate_is_written_as_a_question_mark() -> None:
    family = number_family(Kind.GAUGE, [Point({"kind": "\ud800x"}, 1.0), Point({"kind": "\udfffx"}, 2.0)], "\udc80")
    assert b'shop_orders{kind="?x"} 3.0\n' in prometheus_text([family])


def test_points_that_read_the_same_are_one_series() -> None:
    counters = [Point({}, 1.0), Point({"kind": ""}, 2.0), Point({"status": 200}, 4.0), Point({"status": "200"}, 8.0)]
    assert samples(parse_text(prometheus_text([number_family(Kind.COUNTER, counters)]).decode())) == {
        ("shop_orders_total", ()): 3.0,
        ("shop_orders_total", (("status", "200"),)): 12.0,
    }
    twice = [HistogramPoint({"kind": kind}, 1.0, [1, 0, 2, 0], [None] * 4) for kind in (1, "1")]
    read = samples(parse_text(prometheus_text([histogram_family(twice)]).decode()))
    assert read["shop_wait_seconds_count", (("kind", "1"),)] == 6.0


def test_the_order_of_attributes_makes_no_other_series() -> None:
    points = [Point({"a": "1", "b": "2"}, 1.0), Point({"b": "2", "a": "1"}, 2.0)]
    text = prometheus_text([number_family(Kind.COUNTER, points)])
    assert b'shop_orders_total{a="1",b="2"} 3.0\n' in text


def test_attributes_that_become_one_label_are_joined() -> None:
    spec = MetricSpec("shop.orders", Kind.COUNTER, "", "Help", ("a.b", "a_b"))
    text = prometheus_text([Family(spec, [Point({"a_b": "2", "a.b": "1"}, 1.0)])])
    assert b'shop_orders_total{a_b="1;2"} 1.0\n' in text


NAMES = st.text(max_size=4) | st.sampled_from(
    [
        "",
        "a.b",
        "a_b",
        "a-b",
        "le",
        "le_",
        "quantile",
        "quantile_",
        "é",
        "éé",
        "__r",
        "__name__",
        "1st",
        "_",
        "__",
        "\n",
        "\ud800",
        'a"}',
    ]
)


@st.composite
def with_any_names(draw: st.DrawFn) -> tuple[Family, Family]:
    """A gauge and a histogram whose points have whatever attributes, each its own."""
    labels = st.dictionaries(NAMES, TEXTS | st.integers(-5, 600), max_size=4)
    points = [Point(found, 1.0) for found in draw(st.lists(labels, min_size=1, max_size=3))]
    names = tuple(dict.fromkeys(name for point in points for name in point.attributes))
    histograms = [HistogramPoint(point.attributes, 2.0, [1, 0, 1, 0], [None] * 4) for point in points]
    gauge = MetricSpec("shop.level", Kind.GAUGE, "", "Help", names)
    return Family(gauge, points), Family(MetricSpec("shop.wait", Kind.HISTOGRAM, "s", "Help", names, EDGES), [], histograms)


@pytest.mark.parametrize(("write", "parse"), PARSERS, ids=["text", "openmetrics"])
@settings(max_examples=300, deadline=None)
@given(families=with_any_names())
def test_no_name_of_an_attribute_makes_the_page_unreadable(write, parse, families: tuple[Family, Family]) -> None:
    gauge, histogram = parse(write(families).decode())
    written = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in (*gauge.samples, *histogram.samples)]
    assert len(written) == len(set(written))
    assert sum(sample.value for sample in gauge.samples) == len(families[0].points)
    counts = [sample.value for sample in histogram.samples if sample.name == "shop_wait_seconds_count"]
    assert sum(counts) == 2 * len(families[1].histograms)
    assert json.loads(json.dumps(metrics_json(families), allow_nan=False))["shop_level"]["value"] == len(families[0].points)


@pytest.mark.parametrize(
    ("attributes", "labels"),
    [
        ({"__r": "x"}, {"_r": "x"}), ({"__name__": "x"}, {"_name__": "x"}), ({"": "x"}, {"_": "x"}), ({"éé": "x"}, {"_": "x"}),
        ({"é": "x", "": "y"}, {"_": "y;x"}), ({"le": "x", "le_": "y"}, {"le_": "x;y"}), ({"1st": "x", "_1st": "y"}, {"_1st": "x;y"}),
    ],
)  # fmt: skip
def test_names_that_prometheus_keeps_for_itself_become_others(attributes: dict, labels: dict[str, str]) -> None:
    spec = MetricSpec("shop.level", Kind.GAUGE, "", "Help", tuple(attributes))
    for write, parse in PARSERS:
        (family,) = parse(write([Family(spec, [Point(attributes, 1.0)])]).decode())
        assert [sample.labels for sample in family.samples] == [labels]


def test_a_foreign_attribute_named_le_does_not_become_a_bucket() -> None:
    spec = MetricSpec("shop.wait", Kind.HISTOGRAM, "s", "Help", ("le",), EDGES)
    text = prometheus_text([Family(spec, [], [HistogramPoint({"le": "x"}, 1.0, [1, 0, 0, 0], [None] * 4)])])
    assert b'shop_wait_seconds_bucket{le_="x",le="0.005"} 1\n' in text


@pytest.mark.parametrize(
    ("other", "kind"),
    [("shop_orders", Kind.COUNTER), ("shop.orders", Kind.GAUGE), ("shop.orders_total", Kind.GAUGE), ("shop", Kind.HISTOGRAM)],
)
def test_families_that_would_share_a_name_are_not_mixed_and_one_line_says_so(
    other, kind, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_chatbot.metrics.exposition._warned", set())
    first = number_family(Kind.COUNTER, [Point({}, 1.0)])
    if kind is Kind.HISTOGRAM:
        first = number_family(Kind.GAUGE, [Point({}, 1.0)], name="shop.count")
        second = Family(MetricSpec(other, kind, "", "Other", (), EDGES), [], [HistogramPoint({}, 0.0, [0] * 4, [None] * 4)])
    else:
        second = number_family(kind, [Point({}, 2.0)], "Other", name=other)
    for _ in range(2):
        assert prometheus_text([first, second]) == prometheus_text([first])
        assert openmetrics_text([first, second]) == openmetrics_text([first])
    assert len(caplog.records) == 1
    assert "is not shown" in caplog.text


def test_json_is_strict_sums_the_series_and_keeps_the_edges_as_text() -> None:
    orders = number_family(Kind.COUNTER, [Point({"kind": "a"}, 1.0), Point({"kind": "b"}, 1.5)])
    wait = histogram_family(
        [
            HistogramPoint({"kind": "a"}, 1.5, [1, 1, 0, 0], [None] * 4),
            HistogramPoint({"kind": "b"}, 2.5, [0, 1, 0, 1], [None] * 4),
        ]
    )
    assert metrics_json([orders, wait, number_family(Kind.GAUGE, [], name="shop.level")]) == {
        "shop_orders_total": {"type": "counter", "value": 2.5},
        "shop_wait_seconds": {
            "type": "histogram",
            "count": 4,
            "sum": 4,
            "avg": 1,
            "buckets": {"0.005": 1, "1.0": 3, "2.5e+06": 3, "+Inf": 4},
        },
        "shop_level": {"type": "gauge", "value": 0},
    }


@given(st.floats(1e-9, 9e9) | st.integers(1, 9_000_000_000).map(float))
def test_edges_are_spelled_as_by_the_clients_of_prometheus(edge: float) -> None:
    assert _edge(edge) == floatToGoString(edge)  # theirs has a zero too many from 1e10 on


@given(st.floats())
def test_plain_numbers_keep_their_value(value: float) -> None:
    assert plain(value) == value or math.isnan(value)
    assert isinstance(plain(value), int) == (abs(value) <= 2**53 and value.is_integer())


def test_an_empty_histogram_is_strict_json_too() -> None:
    assert json.loads(json.dumps(metrics_json([histogram_family([])]), allow_nan=False))["shop_wait_seconds"] == {
        "type": "histogram", "count": 0, "sum": 0, "avg": 0, "buckets": {"0.005": 0, "1.0": 0, "2.5e+06": 0, "+Inf": 0},
    }  # fmt: skip


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_beyond_all_numbers_is_the_largest_one_in_json(sign: int) -> None:
    points = [HistogramPoint({"kind": kind}, sign * 1.7e308, [0, 0, 0, 1], [None] * 4) for kind in "ab"]
    figures = metrics_json([histogram_family(points)])
    assert figures["shop_wait_seconds"]["sum"] == sign * 1.7976931348623157e308
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
