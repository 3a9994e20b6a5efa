"""What a series said at a moment, by how much it grew, and quantiles of what was observed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.viewer import store

from otel_chatbot.semconv.spec import Kind
from otel_chatbot.ui.figures import Figure, Recorder
from otel_chatbot.ui.queries.samples import STALE, Sample, Series, base, gauge, increase, quantile, sample, series
from otel_chatbot.ui.rows import Batch
from otel_chatbot.ui.store import Store

APP = {"service.name": "shop", "service.instance.id": "one"}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    one = store(tmp_path)
    yield one
    one.close()


def say(kept: Store, *points: tuple[int, float], start: int = 0, kind: Kind = Kind.COUNTER, service: str = "shop") -> None:
    """Write a metric's samples: time and value of each."""
    recorder, batch = Recorder(), Batch()
    resource = batch.resource({"service.name": service})
    for at, value in points:
        recorder.add(Figure("a", kind, "", "", {}, start, at, value), resource, batch)
    kept.write(batch)


def only(kept: Store, service: str = "") -> Series:
    with kept.reading() as db:
        [found] = series(db, "a", service)
    return found


def test_quantiles_are_those_of_prometheus() -> None:
    edges = (1.0, 2.0, 4.0)
    assert quantile(0.5, edges, [0, 4, 4, 0]) == 2.0
    assert quantile(0.25, edges, [0, 4, 4, 0]) == 1.5
    assert quantile(0.99, edges, [0, 0, 0, 5]) == 4.0
    assert quantile(0.5, edges, [0, 0, 0, 0]) is None
    assert quantile(0.5, (), []) is None


def test_samples_are_added_and_taken_away_bucket_by_bucket() -> None:
    more, less = Sample(5.0, 4, [1, 3], 9), Sample(2.0, 1, [1, 0], 4)
    assert more - less == Sample(3.0, 3, [0, 3], 9)
    assert more - Sample() == more
    assert more + less == Sample(7.0, 5, [2, 3], 9)
    assert Sample(buckets=[1]) + Sample(buckets=[1, 2]) == Sample(buckets=[2, 2])


def test_a_series_is_what_its_last_sample_before_a_moment_says(kept: Store) -> None:
    say(kept, (100, 1.0), (200, 5.0))
    one = only(kept)
    with kept.reading() as db:
        found = [sample(db, one, at) for at in (99, 100, 199, 200, 999)]
    assert [each and each.value for each in found] == [None, 1.0, 1.0, 5.0, 5.0]


def test_growth_since_a_moment_begins_at_nothing_where_the_counting_began_later(kept: Store) -> None:
    say(kept, (100, 3.0), (200, 5.0), start=50)
    one = only(kept)
    with kept.reading() as db:
        assert base(db, one, 40).value == 0.0
        assert base(db, one, 60).value == 3.0, "what was counted before the first sample is older"
        assert base(db, one, 150).value == 3.0
        assert [increase(db, [one], since, 300).value for since in (0, 40, 60, 150, 250)] == [5.0, 5.0, 2.0, 2.0, 0.0]


def test_series_are_those_of_one_service_or_of_all(kept: Store) -> None:
    say(kept, (100, 3.0))
    say(kept, (100, 4.0), service="other")
    with kept.reading() as db:
        assert len(series(db, "a")) == 2
        assert series(db, "b") == []
    assert only(kept, "other").service == "other"


def test_a_gauge_that_nobody_renews_is_nobodys(kept: Store) -> None:
    say(kept, (100, 3.0), kind=Kind.GAUGE)
    one = only(kept)
    with kept.reading() as db:
        assert [gauge(db, one, at) for at in (99, 100, 100 + STALE, 101 + STALE)] == [None, 3.0, 3.0, None]
