"""The alerts of budgets look at those of the whole app and of models; that each fires is promtool's to say."""

from __future__ import annotations

import pytest
from support import promql

from otel_chatbot.render.alert import Alert
from otel_chatbot.render.budget_alerts import BUDGETS


@pytest.mark.parametrize("row", BUDGETS, ids=lambda row: row.name)
def test_one_user_or_conversation_that_has_spent_much_is_no_alert(row: Alert) -> None:
    asked = [str(found) for found in promql.selectors(row.expr) if (found.name or "").startswith("chatbot_budget_")]
    assert len(asked) == row.expr.count("chatbot_budget_scope!~")
    assert bool(asked) is (row.name != "ChatbotBudgetUnchecked")


def test_80_percent_a_forecast_over_100_and_100_percent_are_told_and_only_the_last_one_at_night() -> None:
    assert [(row.name, row.severity) for row in BUDGETS] == [
        ("ChatbotBudgetNearlySpent", "ticket"),
        ("ChatbotBudgetForecast", "ticket"),
        ("ChatbotBudgetSpent", "page"),
        ("ChatbotBudgetUnchecked", "ticket"),
    ]
