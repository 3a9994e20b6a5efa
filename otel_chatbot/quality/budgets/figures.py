"""The gauges of budgets: what was spent, what may be, what it will have been at the period's end.

Fed by `budgets.account` when a view is built; feeds `metrics.record`. Whoever builds a view of the run reads the ledger: so each budget
has one value, however many workers there are. A user or a conversation never is an attribute: of their budgets the gauges
show the one that spent most, and how many have reached 80 % and 100 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ...metrics import record
from ...metrics.store import Key
from ...semconv import attributes as a
from ...semconv import metrics as m
from ..ledger import LedgerUnavailable
from .account import LEVELS, Account
from .book import Entry
from .periods import forecast
from .spending import BUDGETS


class _Reading(NamedTuple):
    entry: Entry
    spent: float

    @property
    def key(self) -> Key:
        budget = self.entry.budget
        return budget.name, budget.scope.value, budget.unit.value


class BudgetFigures:
    """The values of the gauges."""

    def __init__(self, account: Account, clock: Callable[[], float]) -> None:
        self._account = account
        self._clock = clock

    def install(self) -> None:
        """Register the gauges."""
        record.gauge_source(m.BUDGET_SPENT, self.spent)
        record.gauge_source(m.BUDGET_LIMIT, self.limits)
        record.gauge_source(m.BUDGET_FORECAST, self.forecasts)
        record.gauge_source(m.BUDGET_REACHED, self.reached)

    def spent(self) -> Mapping[Key, float]:
        """In dollars or tokens; empty while the ledger is away."""
        return {reading.key: reading.spent for reading in self._read()}

    def limits(self) -> Mapping[Key, float]:
        """In dollars or tokens."""
        return {
            _Reading(entry, 0.0).key: entry.budget.amount(entry.budget.limit)
            for entry in self._account.book.running(self._clock())
        }

    def forecasts(self) -> Mapping[Key, float]:
        """The spending at the end of the running period, at the rate since its beginning."""
        now = self._clock()
        return {reading.key: forecast(reading.spent, reading.entry.span, now) for reading in self._read()}

    def reached(self) -> Mapping[Key, float]:
        """Users and conversations by how much of their limit they have reached."""
        found: dict[Key, float] = {}
        for entry in self._account.book.running(self._clock()):
            budget = entry.budget
            if budget.scope in a.BUDGET_EACH:
                try:
                    counts = self._account.reached(entry)
                except LedgerUnavailable:
                    return {}
                found |= {
                    (budget.name, budget.scope.value, str(level)): float(count)
                    for level, count in zip(LEVELS, counts, strict=True)
                }
        return found

    def _read(self) -> list[_Reading]:
        entries = self._account.book.running(self._clock())
        try:
            spent = self._account.of_all(entries)
        except LedgerUnavailable:
            return []
        return [_Reading(entry, entry.budget.amount(units)) for entry, units in zip(entries, spent, strict=True)]


def install() -> None:
    """Read the budgets of the settings, and show them."""
    if BUDGETS.account is not None:
        BudgetFigures(BUDGETS.account, BUDGETS.clock).install()
