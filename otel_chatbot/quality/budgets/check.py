"""`otel_chatbot.over_budget()`: whether a call may still be made, asked before it is.

Fed by the application and by `budgets.guard`; reads `budgets.account`. A call is admitted if less than each limit was spent
when it was asked. What a call costs is known when it ends: so what is spent beyond a limit is at most what the calls cost that were
under way when it was reached.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any, Final

from ... import _wiring, config
from ..._guard import never_raise
from ...metrics import record
from ...semconv import attributes as a
from ...semconv import metrics as m
from ..ledger import PAUSE, LedgerUnavailable
from .book import Entry
from .spending import BUDGETS, named

OVER: Final = "over_budget"
UNKNOWN: Final = "spending_unknown"


@dataclass(frozen=True)
class OverBudget:
    """A budget that is used up."""

    budget: str
    """Its name: `user day USD`."""
    scope: str
    """`app`, `model`, `user` or `conversation`."""
    unit: str
    """`USD` or `tokens`."""
    limit: float
    spent: float | None
    """None where the ledger is away and the setting BUDGET_LEDGER_AWAY says closed."""
    resets_at: dt.datetime
    """When it may be worth to ask again, in the budgets' time zone."""
    retry_after: int
    """The same in whole seconds from now, at least 1."""

    @property
    def reason(self) -> str:
        """`over_budget`, or `spending_unknown`."""
        return UNKNOWN if self.spent is None else OVER

    def as_dict(self) -> dict[str, Any]:
        """For an answer in JSON."""
        return {
            "error": self.reason,
            "budget": self.budget,
            "scope": self.scope,
            "unit": self.unit,
            "limit": self.limit,
            "spent": self.spent,
            "resets_at": self.resets_at.isoformat(),
        }


def over_budget(*, user: str | None = None, conversation: str | None = None, model: str | None = None) -> OverBudget | None:
    """The budget that forbids a further model call now; None if there is none. Of several, the one that lasts longest.

    Inside of a request, user and conversation are the ones that the settings find in it, unless they are given. What is given here
    also says on whose account the model calls of this request go, outside of one those that follow in this thread or task.
    The budgets of a model are looked at only if it is given. A fault of the telemetry forbids nothing.
    """
    _wiring.ensure_configured()
    return _over_budget(user, conversation, model)


@never_raise
def _over_budget(user: str | None, conversation: str | None, model: str | None) -> OverBudget | None:
    account = BUDGETS.account
    if account is None:
        return None
    subject = named(user, conversation, model)
    now = BUDGETS.clock()
    entries = account.book.entries(subject, now)
    if not entries:
        return None
    try:
        spent = account.spent(entries)
    except LedgerUnavailable:
        if config.current().budget_ledger_away != "closed":
            return None
        entry = entries[0]
        return _refused(entry, None, dt.datetime.fromtimestamp(now + PAUSE, dt.timezone.utc), now)
    over = [(entry, units) for entry, units in zip(entries, spent, strict=True) if units >= entry.budget.limit]
    if not over:
        return None
    entry, units = max(over, key=lambda found: found[0].span.end)
    return _refused(entry, units, account.book.resets(entry), now)


def _refused(entry: Entry, units: int | None, resets: dt.datetime, now: float) -> OverBudget:
    budget = entry.budget
    record.count(m.BUDGET_REFUSED, 1.0, {a.BUDGET_NAME: budget.name, a.BUDGET_SCOPE: budget.scope.value})
    return OverBudget(
        budget.name,
        budget.scope.value,
        budget.unit.value,
        budget.amount(budget.limit),
        None if units is None else budget.amount(units),
        resets,
        max(1, math.ceil(resets.timestamp() - now)),
    )
