"""What an answer from the cache has saved: the last known cost of the model that was asked last for the same wish."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal

import pytest
from support.databases import Figures, undisturbed

from otel_chatbot import config
from otel_chatbot.instrumentation.common import savings
from otel_chatbot.instrumentation.common.savings import Model, WantedModel
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.semconv import metrics as m

NUMBERS = itertools.count()
MINI, LARGE = Model("own", "small"), Model("own", "large")


@pytest.fixture(autouse=True)
def figures() -> Iterator[Figures]:
    with undisturbed(), deduplication.request_scope():
        record.activate(m.AI_COST_SAVED)
        yield Figures()


@pytest.fixture
def route() -> str:
    """One of its own, for the run remembers wishes."""
    return f"/ask/{next(NUMBERS)}"


def test_the_model_that_was_asked_last_is_the_one_that_is_saved(figures: Figures, route: str) -> None:
    savings.cost_of(MINI, Decimal("0.25"))
    savings.cost_of(LARGE, Decimal("4.0"))
    wish = WantedModel(route, None)
    for model in (LARGE, MINI):
        savings.asked(wish, model)
    savings.count(wish)
    assert figures.series(m.AI_COST_SAVED) == {("own", "small"): 0.25}


def test_its_last_known_cost_is_what_was_saved(figures: Figures, route: str) -> None:
    wish = WantedModel(route, "gpt-4o")
    savings.asked(wish, LARGE)
    for dollars in ("9.0", "0.5"):
        savings.cost_of(LARGE, Decimal(dollars))
    savings.count(wish)
    assert figures(m.AI_COST_SAVED) == 0.5


def test_another_route_and_another_named_model_are_other_wishes(figures: Figures, route: str) -> None:
    savings.cost_of(MINI, Decimal("0.25"))
    savings.asked(WantedModel(route, None), MINI)
    savings.count(WantedModel(route + "/other", None))
    savings.count(WantedModel(route, "gpt-4o"))
    assert figures.series(m.AI_COST_SAVED) == {}


def test_a_model_whose_cost_is_unknown_saves_nothing_that_is_known(figures: Figures, route: str) -> None:
    wish = WantedModel(route, None)
    savings.asked(wish, Model("own", f"llama{route}"))
    savings.count(wish)
    assert figures.series(m.AI_COST_SAVED) == {}


def test_a_metric_that_is_switched_off_counts_nothing(figures: Figures, route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wish = WantedModel(route, None)
    savings.cost_of(MINI, Decimal("0.25"))
    savings.asked(wish, MINI)
    monkeypatch.setattr(config, "current", lambda: config.Settings(auto_off=("chatbot.ai.cost.saved",)))
    savings.count(wish)
    assert figures.series(m.AI_COST_SAVED) == {}
