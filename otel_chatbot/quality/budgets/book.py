"""The ledger's keys for budgets: what is read before a call, and what is added after it.

Fed by `budgets.rows` and the settings; feeds `budgets.spending`, `budgets.check` and `budgets.figures`. It knows no clock and no
ledger. An id of a user or a conversation never is in a key: a digest stands for it, keyed as those of active users are.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from ...semconv.attributes import BudgetScope, BudgetUnit
from .periods import Period, Span, span
from .rows import Budget, nano_dollars

KEPT_SECONDS: Final = 3600
"""For how long a figure is kept after its period's end: workers' clocks differ, and a late call may still be added."""
_DIGEST: Final = 12
"""Bytes of an id's digest."""


class Subject(NamedTuple):
    """Whose call it is, as far as it is known."""

    user: str | None = None
    conversation: str | None = None
    models: tuple[str, ...] = ()
    """The names of the model: as it was asked for, and as it answered."""

    def part(self, budget: Budget) -> str | None:
        """Who it is to this budget; None where the budget is not concerned."""
        if budget.scope is BudgetScope.APP:
            return ""
        if budget.scope is BudgetScope.MODEL:
            return "" if budget.model in self.models else None
        return (self.user if budget.scope is BudgetScope.USER else self.conversation) or None


class Entry(NamedTuple):
    """One figure of the ledger: what one budget says of one subject in one period. `who` is the plain id; it is empty for all."""

    budget: Budget
    span: Span
    who: str = ""

    @property
    def expires(self) -> int:
        """For how many seconds after the last addition the figure is kept: it is there until the period has ended."""
        return self.span.end - self.span.begin + KEPT_SECONDS


class Book:
    """The budgets of an app, and the periods that run now."""

    def __init__(self, budgets: tuple[Budget, ...], zone: dt.tzinfo) -> None:
        self.budgets = budgets
        self._zone = zone
        self._spans: dict[Period, Span] = {}
        scopes = {budget.scope for budget in budgets}
        self.of_users: Final = BudgetScope.USER in scopes
        self.of_conversations: Final = BudgetScope.CONVERSATION in scopes

    def span(self, period: Period, now: float) -> Span:
        """The running period. It is worked out once per period: clocks and zones take their time."""
        found = self._spans.get(period)
        if found is None or not found.begin <= now < found.end:
            found = self._spans[period] = span(period, now, self._zone)
        return found

    def entries(self, subject: Subject, now: float) -> list[Entry]:
        """The figures that a call of this subject is held against."""
        return [
            Entry(budget, self.span(budget.period, now), who)
            for budget in self.budgets
            if (who := subject.part(budget)) is not None
        ]

    def resets(self, budget: Budget, now: float) -> dt.datetime:
        """When the budget's running period ends, on the clock of the budgets' zone."""
        return dt.datetime.fromtimestamp(self.span(budget.period, now).end, self._zone)


def amounts(entries: Iterable[Entry], dollars: Decimal | None, tokens: int) -> list[tuple[Entry, int]]:
    """What a call adds to each figure: nano-dollars or tokens. A call without a price adds nothing to a budget in dollars."""
    nano = 0 if dollars is None else nano_dollars(dollars)
    found = [(entry, nano if entry.budget.unit is BudgetUnit.USD else tokens) for entry in entries]
    return [(entry, amount) for entry, amount in found if amount > 0]


def key(entry: Entry, secret: bytes) -> str:
    """The name of a figure in the ledger. `secret` keys the digests."""
    budget = entry.budget
    name = f"budget:{budget.whose}:{budget.period.value}:{budget.unit.value}:{entry.span.begin}"
    return f"{name}:{digest(entry.who, secret)}" if entry.who else name


def digest(who: str, secret: bytes) -> str:
    """What stands for the id of a user or a conversation."""
    return hashlib.blake2b(who.encode("utf-8", "surrogatepass"), digest_size=_DIGEST, key=secret).hexdigest()
