"""What the page "Now" makes of samples: numbers, lines, and why one is empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.sampler import APP, Sampler
from support.viewer import store

from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind
from otel_chatbot.ui.queries import figures, now
from otel_chatbot.ui.store import Store


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    one = store(tmp_path)
    yield one
    one.close()


def test_growth_is_counted_from_the_window_on_and_ever(kept: Store) -> None:
    sampler = Sampler(kept)
    for ago, value in ((500, 100), (200, 130), (10, 150)):
        sampler.say(ago, m.API_REQUESTS, value)
    assert sampler.figure("Requests") == 150
    assert sampler.figure("Requests", 300) == 50
    assert sampler.figure("Requests", 100) == 20
    assert sampler.figure("Requests", 5) == 0


def test_a_series_that_begins_while_one_looks_has_grown_from_nothing(kept: Store) -> None:
    sampler = Sampler(kept)
    sampler.say(100, m.API_REQUESTS, 5, attributes={a.HTTP_STATUS: 200})
    sampler.say(50, m.API_REQUESTS, 3, attributes={a.HTTP_STATUS: 500})
    assert sampler.figure("Requests", 80) == 3
    assert sampler.figure("Requests", 1000) == 3, "the first series was there before anybody looked"


def test_a_restart_of_the_app_loses_nothing_and_two_apps_are_added(kept: Store) -> None:
    sampler = Sampler(kept)
    sampler.say(100, m.API_REQUESTS, 70, began=10_000)
    sampler.say(50, m.API_REQUESTS, 4, began=60)
    sampler.say(50, m.API_REQUESTS, 6, began=60, app={"service.name": "other"})
    assert sampler.figure("Requests") == 80
    assert sampler.figure("Requests", 90) == 10


def test_differences_are_added_up(kept: Store) -> None:
    sampler = Sampler(kept)
    for ago in (30, 20, 10):
        sampler.say(ago, m.API_REQUESTS, 7, began=ago + 10, delta=True)
    assert sampler.figure("Requests") == 21


def test_a_gauge_that_nobody_renews_is_nobodys(kept: Store) -> None:
    sampler = Sampler(kept)
    sampler.say(1000, m.ACTIVE_USERS, 8, app={"service.name": "ended"})
    assert sampler.figure("Active users") is None
    sampler.say(20, m.ACTIVE_USERS, 3)
    sampler.say(20, m.ACTIVE_USERS, 5, app={"service.name": "other"})
    assert sampler.figure("Active users") == 5


def test_a_histogram_tells_its_quantiles_and_its_tokens(kept: Store) -> None:
    sampler = Sampler(kept)
    buckets = [0] * (len(m.RESPONSE_TIME.buckets) + 1)
    buckets[5] = 10  # 0.1 to 0.25 s
    sampler.say(10, m.RESPONSE_TIME, 2.0, count=10, buckets=buckets, exemplars=[(0.2, 1.0, "ab" * 16)])
    assert sampler.figure("Response time, p50") == pytest.approx(0.175)
    with kept.reading() as db:
        found = figures.metric(db, m.RESPONSE_TIME.name, 100)
        assert figures.metric(db, "nobody's", 100) is None
    assert found is not None
    [series] = found["series"]
    assert (series["count"], series["value"], series["p50"]) == (10, 2.0, pytest.approx(0.175))
    assert series["exemplars"] == [{"value": 0.2, "at": 1.0, "trace": "ab" * 16}]
    for kind, tokens in (("input", 120), ("output", 30)):
        sampler.say(10, m.GEN_AI_TOKENS, tokens, count=1, buckets=[1], attributes={a.GEN_AI_TOKEN_TYPE: kind})
    assert (sampler.figure("Tokens in"), sampler.figure("Tokens out")) == (120, 30)


def test_titles_and_meanings_are_those_of_the_dashboards() -> None:
    shared = [one.title for one in now.NOW if one.title in now._PANELS]
    assert {"Errors", "Response time, p95", "Active users", "Health", "Conversations", "Cost", "Failed AI calls"} <= set(shared)
    assert all(one.meaning or one.title in now._PANELS for one in now.NOW)
    assert {Kind.COUNTER, Kind.HISTOGRAM} <= {spec.kind for spec in m.CHATBOT}


def test_a_share_is_of_all_that_was_counted_and_none_where_nothing_was(kept: Store) -> None:
    sampler = Sampler(kept)
    assert (sampler.figure("Errors"), sampler.figure("Failed AI calls"), sampler.figure("Cache hits")) == (None, None, None)
    sampler.say(10, m.API_REQUESTS, 10)
    assert sampler.figure("Errors") == 0
    sampler.say(5, m.ERRORS, 2)
    sampler.say(5, m.CACHE_MISSES, 3)
    sampler.say(5, m.CACHE_HITS, 1)
    buckets = [1] + [0] * len(m.AI_RESPONSE_TIME.buckets)
    for attributes in ({}, {a.ERROR_TYPE: "timeout"}):
        sampler.say(5, m.AI_RESPONSE_TIME, 1.0, count=1, buckets=buckets, attributes=attributes)
    assert (sampler.figure("Errors"), sampler.figure("Failed AI calls"), sampler.figure("Cache hits")) == (0.2, 0.5, 0.25)


def test_an_empty_figure_says_what_may_be_wrong_and_a_full_one_what_it_means(kept: Store) -> None:
    Sampler(kept).say(10, m.API_REQUESTS, 10)
    with kept.reading() as db:
        shown = {one["title"]: one for one in now.now(db, 0)["figures"]}
    assert (shown["Requests"]["empty"], shown["Requests"]["meaning"][:13]) == ("", "HTTP requests")
    assert "otel-chatbot[genai]" in shown["Cost"]["empty"]
    assert all(one["empty"] or one["value"] is not None for one in shown.values())


def test_lines_are_told_apart_by_their_attribute_and_other_services_are_left_out(kept: Store) -> None:
    sampler = Sampler(kept)
    for ago, value in ((90, 1), (50, 4)):
        for status, app in ((200, APP), (500, APP), (404, {"service.name": "other"})):
            sampler.say(ago, m.API_REQUESTS, value, app=app, attributes={a.HTTP_STATUS: status})
    with kept.reading() as db:
        page = now.now(db, 80, "shop")
    [line] = [one for one in page["lines"] if one["title"] == "Requests by status"]
    assert {one["name"]: sum(one["points"]) for one in line["values"]} == {"200": 3.0, "500": 3.0}
    assert len(line["times"]) == len(line["values"][0]["points"])
    assert {*page["services"]} == {"shop", "other"}


def test_the_fullest_pool_is_shown_by_the_share_that_is_in_use(kept: Store) -> None:
    sampler = Sampler(kept)
    assert (sampler.figure("Connections in use"), sampler.figure("Waiting for a connection")) == (None, None)
    for pool, used, most in (("users", 1, 100), ("orders", 9, 10)):
        attributes = {a.POOL_NAME: pool, a.DB_SYSTEM: "mongodb"}
        sampler.say(10, m.CONNECTION_MAX, most, attributes=attributes)
        sampler.say(10, m.CONNECTION_PENDING, 2, attributes=attributes)
        for state, value in (("used", used), ("idle", 50)):
            sampler.say(10, m.CONNECTION_COUNT, value, attributes={**attributes, a.CONNECTION_STATE: state})
    other = {"service.name": "shop", "service.instance.id": "two"}
    sampler.say(
        10,
        m.CONNECTION_COUNT,
        1,
        app=other,
        attributes={a.POOL_NAME: "orders", a.DB_SYSTEM: "mongodb", a.CONNECTION_STATE: "used"},
    )
    assert (sampler.figure("Connections in use"), sampler.figure("Waiting for a connection")) == (0.9, 4)
