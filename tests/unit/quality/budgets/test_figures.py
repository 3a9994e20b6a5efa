"""The gauges of budgets: one value per budget, no user and no conversation among the attributes, nothing while the ledger is away."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from support import ledgers
from support.ai import watched
from support.budgets import budgeted
from support.process import free_port

from otel_chatbot import chat_completion, over_budget
from otel_chatbot.metrics.view import read
from otel_chatbot.quality.budgets.figures import BudgetFigures
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import MetricSpec

NOON = dt.datetime(2026, 11, 28, 12, tzinfo=dt.timezone.utc).timestamp()
APP, USER = ("app day tokens", "app", "tokens"), ("user month tokens", "user", "tokens")


def shown(spec: MetricSpec) -> dict[tuple[object, ...], float]:
    """What every reader is shown."""
    [family] = [family for family in read() if family.spec.name == spec.name]
    return {tuple(point.attributes.values()): point.value for point in family.points}


def test_spending_limit_and_forecast_of_each_budget_are_shown_and_of_many_users_the_highest(tmp_path: Path) -> None:
    with budgeted("app day 1000 tokens; user month 100 tokens", tmp_path, NOON) as held, watched():
        for user, tokens in (("ada", 85), ("bob", 100), ("bob", 40), ("eve", 5)):
            over_budget(user=user)
            with chat_completion("openai", "gpt-4o") as call:
                call.usage(tokens, 0)
        BudgetFigures(held.account, held.clock).install()
        assert shown(m.BUDGET_SPENT) == {APP: 230.0, USER: 140.0}
        assert shown(m.BUDGET_LIMIT) == {APP: 1000.0, USER: 100.0}
        assert {key: round(value, 1) for key, value in shown(m.BUDGET_FORECAST).items()} == {APP: 460.0, USER: 152.7}
        assert shown(m.BUDGET_REACHED) == {(*USER[:2], "80"): 2.0, (*USER[:2], "100"): 1.0}
        held.now += 24 * 3600
        assert shown(m.BUDGET_SPENT) == {APP: 0.0, USER: 140.0}


def test_while_the_ledger_is_away_only_the_limits_are_shown(tmp_path: Path) -> None:
    away = ledgers.ledger("redis", f"redis://127.0.0.1:{free_port()}/0")
    with budgeted("user month 100 tokens", tmp_path, NOON, ledger=away) as held:
        BudgetFigures(held.account, held.clock).install()
        assert shown(m.BUDGET_LIMIT) == {USER: 100.0}
        assert shown(m.BUDGET_SPENT) == shown(m.BUDGET_FORECAST) == shown(m.BUDGET_REACHED) == {}
