"""Metrics over time: what the page "Metrics" makes of samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.sampler import Sampler
from support.viewer import store

from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.ui.queries import figures
from otel_chatbot.ui.store import Store


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    one = store(tmp_path)
    yield one
    one.close()


def test_every_metric_is_listed_with_its_series_the_chatbots_first(kept: Store) -> None:
    sampler = Sampler(kept)
    for spec, attributes in (
        (m.DB_CLIENT_DURATION, {}),
        (m.API_REQUESTS, {a.HTTP_STATUS: 200}),
        (m.API_REQUESTS, {a.HTTP_STATUS: 404}),
    ):
        sampler.say(10, spec, 1, attributes=attributes)
    with kept.reading() as db:
        found = figures.metrics(db)["metrics"]
        shown = figures.metric(db, m.API_REQUESTS.name, 100)
    assert [(one["name"], one["series"]) for one in found] == [(m.API_REQUESTS.name, 2), (m.DB_CLIENT_DURATION.name, 1)]
    assert shown is not None
    assert (shown["metric"]["kind"], len(shown["series"]), shown["left_out"]) == ("counter", 2, 0)


def test_what_has_not_changed_is_not_written_again_but_a_gauge_once_a_minute(kept: Store) -> None:
    sampler = Sampler(kept)
    for ago in range(200, 0, -10):
        sampler.say(ago, m.API_REQUESTS, 5)
        sampler.say(ago, m.ACTIVE_USERS, 5)
    with kept.reading() as db:
        counts = dict(db.execute("SELECT name, count(*) FROM sample JOIN series ON series.id = sample.series GROUP BY name"))
    assert counts == {m.API_REQUESTS.name: 1, m.ACTIVE_USERS.name: 4}
