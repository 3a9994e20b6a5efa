"""The alerts of budgets: nearly used up, used up before the period ends, used up, and not kept.

Fed by `render.promql`; feeds `render.alerts`. They look at the budgets of the whole app and of models. That one user or one
conversation has spent what it may is for the guard to say; how many have is on the dashboard.
"""

from __future__ import annotations

from typing import Final

from ..semconv import attributes as a
from ..semconv import metrics as m
from . import objectives as o
from .alert import Alert
from .promql import APPS, ratio, unlike

_EACH: Final = unlike(a.BUDGET_SCOPE, "|".join(sorted(scope.value for scope in a.BUDGET_EACH)))
_BUDGETS: Final = APPS.split(a.BUDGET_NAME).only(_EACH)
_LIMIT: Final = _BUDGETS.value(m.BUDGET_LIMIT, how="max")
_SPENT: Final = f"({_BUDGETS.or_zero(ratio(_BUDGETS.value(m.BUDGET_SPENT, how='max'), _LIMIT))})"
_FORECAST: Final = f"({_BUDGETS.or_zero(ratio(_BUDGETS.value(m.BUDGET_FORECAST, how='max'), _LIMIT))})"
_UNKNOWN: Final = APPS.over("15m").split(a.LEDGER_USE)
_PERCENT: Final = "humanizePercentage"

BUDGETS: Final = (
    Alert(
        "ChatbotBudgetNearlySpent",
        f"{_SPENT} >= 0.8 < 1",
        "0s",
        o.TICKET,
        "Nothing for users of {job} yet: {chatbot.budget.name} is nearly used up",
        "{value} of the budget {chatbot.budget.name} of {job} are spent.",
        _PERCENT,
    ),
    Alert(
        "ChatbotBudgetForecast",
        f"{_FORECAST} > 1\nand {_SPENT} < 1\nand {_SPENT} > 0.1",
        "15m",
        o.TICKET,
        "Users of {job} will be refused before the period ends, if {chatbot.budget.name} goes on like this",
        "At the present rate {value} of the budget {chatbot.budget.name} of {job} will be spent at the end of its period.",
        _PERCENT,
    ),
    Alert(
        "ChatbotBudgetSpent",
        f"{_SPENT} >= 1",
        "0s",
        o.PAGE,
        "Users of {job} are refused, where a guard asks the budget {chatbot.budget.name}: it is used up",
        "{value} of the budget {chatbot.budget.name} of {job} are spent.",
        _PERCENT,
    ),
    Alert(
        "ChatbotBudgetUnchecked",
        f"({_UNKNOWN.or_zero(_UNKNOWN.events(m.LEDGER_UNAVAILABLE))}) > 0",
        "0s",
        o.TICKET,
        "Users of {job} may spend more than budgets allow, or are refused, because nobody can tell what was spent",
        "The ledger of {job} could not be asked {value} times in the last 15 minutes ({chatbot.ledger.use}).",
        "humanize",
    ),
)
"""The rows, in the order in which they come true."""
