"""`over_budget()`: which budget forbids a call, until when, and what becomes of a call while nobody can tell."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from support import ledgers
from support.ai import watched
from support.budgets import budgeted
from support.databases import Figures
from support.process import free_port

from otel_chatbot import OverBudget, chat_completion, over_budget
from otel_chatbot.metrics import deduplication
from otel_chatbot.quality.ledger import Ledger
from otel_chatbot.semconv import metrics as m

UTC = dt.timezone.utc


def at(text: str) -> float:
    return dt.datetime.fromisoformat(f"{text}+00:00").timestamp()


NOON = at("2026-11-28T12:00:00")


def spend(tokens: int) -> None:
    with chat_completion("openai", "gpt-4o") as call:
        call.usage(tokens, 0)


def away() -> Ledger:
    return ledgers.ledger("redis", f"redis://127.0.0.1:{free_port()}/0")


def test_a_call_is_admitted_below_the_limit_and_refused_from_the_limit_on(tmp_path: Path) -> None:
    figures = Figures()
    with budgeted("app day 100 tokens", tmp_path, NOON), watched():
        spend(99)
        assert over_budget() is None
        spend(1)
        assert over_budget() == OverBudget(
            "app day tokens", "app", "tokens", 100.0, 100.0, dt.datetime(2026, 11, 29, tzinfo=UTC), 12 * 3600
        )
    assert figures.named(m.BUDGET_REFUSED) == [({"chatbot.budget.name": "app day tokens", "chatbot.budget.scope": "app"}, 1.0)]


def test_of_several_budgets_the_one_that_lasts_longest_is_told(tmp_path: Path) -> None:
    rows = "app hour 1 tokens; app month 5 tokens; user day 3 tokens; model:gpt-4o day 1 tokens"
    with budgeted(rows, tmp_path, NOON), watched():
        over_budget(user="ada")
        spend(4)
        assert over_budget(user="ada").budget == "user day tokens"
        assert over_budget(user="bob").budget == "app hour tokens"
        assert over_budget(user="bob", model="gpt-4o").budget == "model:gpt-4o day tokens"
        assert over_budget(user="bob", model="gpt-4o-mini").budget == "app hour tokens"
        over_budget()
        spend(1)
        assert over_budget(user="ada", model="gpt-4o").budget == "app month tokens"


@pytest.mark.parametrize(
    ("rows", "before", "resets", "seconds"),
    [
        ("app month 5 tokens", "2026-11-30T22:59:30", "2026-12-01T00:00:00+01:00", 30),  # midnight in Berlin
        ("app month 5 tokens", "2026-10-31T22:59:59.5", "2026-11-01T00:00:00+01:00", 1),  # after a month of winter's hour
        ("app month 5 tokens", "2026-03-31T21:59:59", "2026-04-01T00:00:00+02:00", 1),  # after one of summer's
        ("app day 5 tokens", "2026-03-29T00:59:59", "2026-03-30T00:00:00+02:00", 21 * 3600 + 1),  # in the night of the change
        ("app hour 5 tokens", "2026-10-25T00:30:00", "2026-10-25T02:00:00+01:00", 1800),  # the first of two same hours
    ],
)
def test_a_budget_is_whole_again_in_the_first_second_of_the_next_period(
    tmp_path: Path, rows: str, before: str, resets: str, seconds: int
) -> None:
    with budgeted(rows, tmp_path, at(before), "Europe/Berlin") as held, watched():
        spend(5)
        over = over_budget()
        assert over is not None
        assert (over.resets_at.isoformat(), over.retry_after) == (resets, seconds)
        held.now = over.resets_at.timestamp() - 0.01
        assert over_budget() is not None
        held.now = over.resets_at.timestamp()
        assert over_budget() is None
        spend(5)
        assert over_budget().spent == 5.0


def test_who_was_named_once_in_a_request_stays_named_in_it(tmp_path: Path) -> None:
    with budgeted("user day 3 tokens", tmp_path, NOON), watched():
        with deduplication.request_scope():
            assert over_budget(user="ada") is None
            spend(3)
            assert over_budget().budget == "user day tokens"
        with deduplication.request_scope():
            assert over_budget() is None


def test_a_new_run_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    for _ in range(2):
        with budgeted("app day 10 tokens; user day 10 tokens", tmp_path, NOON), watched():
            assert over_budget(user="ada") is None
            spend(5)
    with budgeted("app day 11 tokens; user day 10 tokens", tmp_path, NOON):
        assert over_budget(user="bob") is None
        assert over_budget(user="ada").budget == "user day tokens"


def test_while_nobody_can_tell_a_call_is_admitted_or_refused_as_the_setting_says(tmp_path: Path) -> None:
    with budgeted("user day 10 tokens", tmp_path, NOON, ledger=away()):
        assert over_budget(user="ada") is None
    with budgeted("user day 10 tokens", tmp_path, NOON, ledger=away(), CHATBOT_OTEL_BUDGET_LEDGER_AWAY="closed"):
        over = over_budget(user="ada")
        assert over is not None
        assert (over.reason, over.spent, over.retry_after) == ("spending_unknown", None, 5)
        assert over_budget() is None  # no budget is concerned


def test_without_budgets_nothing_is_forbidden() -> None:
    assert over_budget(user="ada", conversation="c1", model="gpt-4o") is None
