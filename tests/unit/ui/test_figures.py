"""Figures as rows: a series once, a sample only when it has changed, and nothing that falls."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from support.viewer import pairs

from otel_chatbot.semconv.spec import Kind
from otel_chatbot.ui import figures
from otel_chatbot.ui.figures import Figure, Recorder, add_metrics
from otel_chatbot.ui.rows import Batch

SECOND = 10**9


def add(recorder: Recorder, at: float, value: float, *, delta: bool = False, **more: Any) -> Batch:
    """A figure of one metric at so many seconds; what it adds to the file."""
    batch = Batch()
    fields = {"name": "a", "kind": Kind.COUNTER, "unit": "s", "description": "An a", "attributes": {}, "start": 1, **more}
    recorder.add(Figure(at=int(at * SECOND), value=value, **fields), 7, batch, delta=delta)
    return batch


def values(*batches: Batch) -> list[float]:
    return [row[2] for batch in batches for row in batch.samples]


def test_a_series_is_written_once_and_a_sample_when_it_has_changed() -> None:
    recorder = Recorder()
    batches = [add(recorder, at, value) for at, value in ((10, 1.0), (20, 1.0), (30, 2.0))]
    assert [len(batch.series) for batch in batches] == [1, 0, 0]
    assert values(*batches) == [1.0, 2.0]


@pytest.mark.parametrize(
    ("kind", "after", "again"),
    [(Kind.GAUGE, 59, False), (Kind.GAUGE, 60, True), (Kind.COUNTER, 3599, False), (Kind.COUNTER, 3600, True)],
)
def test_what_has_not_changed_is_said_again_after_a_while(kind: Kind, after: int, again: bool) -> None:
    recorder = Recorder()
    add(recorder, 10, 1.0, kind=kind)
    batch = add(recorder, 10 + after, 1.0, kind=kind)
    assert (len(batch.samples), len(batch.series)) == (int(again), int(again))


def test_other_attributes_and_another_beginning_are_another_series() -> None:
    recorder = Recorder()
    given: list[dict[str, Any]] = [
        {},
        {"attributes": {"b": 1}},
        {"start": 2},
        {"attributes": {"b": 1, "c": 2}},
        {"attributes": {"c": 2, "b": 1}},
    ]
    identities = [{*add(recorder, 10 + number, 1.0 + number, **more).series} for number, more in enumerate(given)]
    assert [len(found) for found in identities] == [1, 1, 1, 1, 0], "in whatever order attributes come"
    assert len(set().union(*identities)) == 4


def test_differences_are_added_up_bucket_by_bucket() -> None:
    recorder = Recorder()
    histogram: dict[str, Any] = {"kind": Kind.HISTOGRAM, "edges": (1.0,), "delta": True}
    add(recorder, 10, 2.0, count=2, buckets=[1, 1], **histogram)
    batch = add(recorder, 20, 3.0, start=2, count=1, buckets=[0, 1], **histogram)
    [(_, _, value, count, buckets, _)] = batch.samples
    assert (value, count, orjson.loads(buckets)) == (5.0, 3, [1, 2])


def test_a_series_that_was_not_there_at_the_last_reading_has_grown_from_nothing_since() -> None:
    recorder = Recorder()
    add(recorder, 10, 1.0)
    batch = add(recorder, 20, 4.0, attributes={"status": 500})
    assert [(row[1], row[2]) for row in batch.samples] == [(10 * SECOND, 0.0), (20 * SECOND, 4.0)]
    assert values(add(recorder, 20.1, 3.0, attributes={"status": 404}, start=15 * SECOND)) == [3.0], (
        "it began after that reading"
    )


def test_of_very_many_series_no_further_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_MOST_SERIES", 2)
    recorder = Recorder()
    batches = [add(recorder, 10, 1.0, attributes={"n": number}) for number in range(4)]
    assert [len(batch) for batch in batches] == [1, 1, 0, 0]
    assert values(add(recorder, 20, 2.0, attributes={"n": 1})) == [2.0]


def message() -> Any:
    made = ExportMetricsServiceRequest()
    group = made.resource_metrics.add()
    group.resource.attributes.extend(pairs({"service.name": "shop", "service.instance.id": "one"}))
    return made, group.scope_metrics.add()


def rows(made: Any) -> dict[str, tuple[Any, ...]]:
    """By name: kind, and value, count, buckets and exemplars of the one sample."""
    batch = Batch()
    add_metrics(made, Recorder(), batch)
    by_series = {row[0]: row for row in batch.samples}
    return {row[1]: (row[2], *by_series[identity][2:]) for identity, row in batch.series.items()}


def test_each_form_of_an_otlp_metric_is_read_as_its_kind() -> None:
    made, scope = message()
    counter = scope.metrics.add(name="counter")
    counter.sum.is_monotonic, counter.sum.aggregation_temporality = True, 2
    counter.sum.data_points.add(time_unix_nano=10, as_int=3)
    scope.metrics.add(name="up-down").sum.data_points.add(time_unix_nano=10, as_double=2.5)
    scope.metrics.add(name="gauge").gauge.data_points.add(time_unix_nano=10)
    histogram = scope.metrics.add(name="histogram").histogram.data_points.add(
        time_unix_nano=10, sum=4.0, count=2, explicit_bounds=[1.0], bucket_counts=[1, 1]
    )
    histogram.exemplars.add(as_double=3.0, time_unix_nano=2_000_000, trace_id=b"\x01" * 16)
    histogram.exemplars.add(as_double=3.0, time_unix_nano=2_000_000)
    scope.metrics.add(name="summary").summary.data_points.add(time_unix_nano=10, sum=6.0, count=3)
    scope.metrics.add(name="exponential").exponential_histogram.data_points.add(time_unix_nano=10, sum=7.0, count=4)
    scope.metrics.add(name="nothing")
    found = rows(made)
    assert found == {
        "counter": ("counter", 3.0, 0, None, None),
        "up-down": ("updowncounter", 2.5, 0, None, None),
        "gauge": ("gauge", 0.0, 0, None, None),
        "histogram": ("histogram", 4.0, 2, "[1,1]", f'[[3.0,2.0,"{"01" * 16}"]]'),
        "summary": ("histogram", 6.0, 3, None, None),
        "exponential": ("histogram", 7.0, 4, None, None),
    }


def test_numbers_that_the_file_cannot_take_are_cut() -> None:
    made, scope = message()
    scope.metrics.add(name="big").histogram.data_points.add(
        start_time_unix_nano=2**64 - 1,
        time_unix_nano=2**64 - 1,
        count=2**64 - 1,
        explicit_bounds=[1.0],
        bucket_counts=[2**64 - 1, 0],
    )
    [(_, _, count, buckets, _)] = rows(made).values()
    assert count == 2**63 - 1
    assert orjson.loads(buckets) == [2**63 - 1, 0]
