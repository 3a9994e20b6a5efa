"""Counters, gauges and histograms: what may be recorded by hand, and what is read back."""

from __future__ import annotations

import decimal
import json
import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.metrics import _fresh_metrics, dropped, unused  # noqa: F401 - one of them is an autouse fixture

import otel_chatbot as o
from otel_chatbot import _wiring
from otel_chatbot.metrics import view
from otel_chatbot.metrics.blueprint import json_view
from otel_chatbot.semconv import metrics as m


def family(name: str) -> view.Family:
    return next(found for found in view.read() if found.spec.prometheus == name)


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
