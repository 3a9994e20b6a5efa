"""Ratings and signs of bad answers on the page "Now"."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.sampler import APP, Sampler
from support.viewer import store

from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.ui.queries import now
from otel_chatbot.ui.store import Store

SECOND_INSTANCE = {**APP, "service.instance.id": "two"}
CALLS = [8] + [0] * len(m.AI_RESPONSE_TIME.buckets)


@pytest.fixture
def sampler(tmp_path: Path) -> Iterator[Sampler]:
    kept: Store = store(tmp_path)
    yield Sampler(kept)
    kept.close()


def test_ratings_that_several_instances_tell_alike_are_counted_once(sampler: Sampler) -> None:
    for app in (APP, SECOND_INSTANCE):
        for release, counts in (("1.0", {"up": 5, "3": 2}), ("2.0", {"up": 1, "0.6-0.8": 3, "down": 1, "5": 0})):
            for rating, count in counts.items():
                sampler.say(10, m.FEEDBACK, count, app=app, attributes={a.RATING: rating, a.RELEASE: release})
    assert (sampler.figure("Ratings"), sampler.figure("Liked")) == (12, 0.75)


def test_refusals_and_signs_are_shares_of_the_model_calls_in_the_time_shown(sampler: Sampler) -> None:
    assert (sampler.figure("Refused"), sampler.figure("Signs of bad answers")) == (None, None)
    sampler.say(50, m.AI_RESPONSE_TIME, 1.0, began=60, count=8, buckets=CALLS)
    assert (sampler.figure("Refused"), sampler.figure("Signs of bad answers")) == (0, 0)
    for signal, count in ((a.AnswerSignal.REFUSED, 2), (a.AnswerSignal.EMPTY, 1)):
        sampler.say(10, m.ANSWER_SIGNALS, count, began=60, attributes={a.ANSWER_SIGNAL: signal.value})
    assert (sampler.figure("Refused", 100), sampler.figure("Signs of bad answers", 100)) == (0.25, 0.375)


def test_figures_of_answers_that_are_empty_say_why(sampler: Sampler) -> None:
    sampler.say(10, m.FEEDBACK, 0, attributes={a.RATING: "up", a.RELEASE: "1.0"})
    with sampler.kept.reading() as db:
        shown = {one["title"]: one for one in now.now(db, 0)["figures"]}
    assert shown["Ratings"]["value"] is None
    assert "CHATBOT_OTEL_FEEDBACK_HEADER" in shown["Liked"]["empty"]
    assert "No call of a model" in shown["Refused"]["empty"]
