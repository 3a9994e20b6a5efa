"""The ledger's keys for budgets: what is read before a call, and what is added after it.

Fed by `budgets.rows` and the settings; feeds `budgets.spending`, `budgets.check` and `budgets.figures`. It knows no clock and no
ledger. An id of a user or a conversation never is in a key: a digest stands for it, keyed as those of active users are.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from ...semconv.attributes import BudgetScope, BudgetUnit
from .periods import Span, span
from .rows import Budget, nano_dollars

KEPT_SECONDS: Final = 3600
"""For how long a figure is kept after its period's end: workers' clocks differ, and a late call may still be added."""
_DIGEST: Final = 12
"""Bytes of an id's digest."""
_APP, _MODEL, _USER, _CONVERSATION = BudgetScope  # each is looked at per call and budget


class Subject(NamedTuple):
    """Whose call it is, as far as it is known."""

    user: str | None = None
    conversation: str | None = None
    models: tuple[str, ...] = ()
    """The names of the model: as it was asked for, and as it answered."""


class Entry(NamedTuple):
    """One figure of the ledger: what one budget says of one subject in one period. `who` is the plain id; it is empty for all."""

    budget: Budget
    span: Span
    name: str
    """The beginning of the figure's key; all of it, where it is for all."""
    who: str = ""

    @property
    def expires(self) -> int:
        """For how many seconds after the last addition the figure is kept: it is there until the period has ended."""
        return self.span.end - self.span.begin + KEPT_SECONDS


class Book:
    """The budgets of an app, at least one, and the periods that run now."""

    def __init__(self, budgets: tuple[Budget, ...], zone: dt.tzinfo) -> None:
        self._budgets = budgets
        self._zone = zone
        self._running: tuple[int, int, tuple[Entry, ...]] = (0, 0, ())
        scopes = {budget.scope for budget in budgets}
        self.of_users: Final = BudgetScope.USER in scopes
        self.of_conversations: Final = BudgetScope.CONVERSATION in scopes

    def running(self, now: float) -> tuple[Entry, ...]:
        """The figure of each budget for all, in the period that runs now."""
        begin, end, found = self._running  # one tuple: threads read it while another one changes it
        if not begin <= now < end:  # clocks and zones take their time: they are asked once per period
            found = tuple(self._entry(budget, now) for budget in self._budgets)
            begin = max(entry.span.begin for entry in found)
            self._running = begin, min(entry.span.end for entry in found), found
        return found

    def entries(self, subject: Subject, now: float) -> list[Entry]:
        """The figures that a call of this subject is held against."""
        found = []
        user, conversation, models = subject
        for entry in self.running(now):
            budget, span, name, _ = entry
            scope = budget.scope
            if scope is _APP or (scope is _MODEL and budget.model in models):
                found.append(entry)
            elif scope is _USER and user:
                found.append(Entry(budget, span, name, user))
            elif scope is _CONVERSATION and conversation:
                found.append(Entry(budget, span, name, conversation))
        return found

    def resets(self, entry: Entry) -> dt.datetime:
        """When an entry's period ends, on the clock of the budgets' zone."""
        return dt.datetime.fromtimestamp(entry.span.end, self._zone)

    def _entry(self, budget: Budget, now: float) -> Entry:
        found = span(budget.period, now, self._zone)
        return Entry(budget, found, f"budget:{budget.whose}:{budget.period.value}:{budget.unit.value}:{found.begin}")


def amounts(entries: Iterable[Entry], dollars: Decimal | None, tokens: int) -> list[tuple[Entry, int]]:
    """What a call adds to each figure: nano-dollars or tokens. A call without a price adds nothing to a budget in dollars."""
    nano = 0 if dollars is None else nano_dollars(dollars)
    found = [(entry, nano if entry.budget.unit is BudgetUnit.USD else tokens) for entry in entries]
    return [(entry, amount) for entry, amount in found if amount > 0]


def key(entry: Entry, secret: bytes) -> str:
    """The name of a figure in the ledger. `secret` keys the digests."""
    return f"{entry.name}:{digest(entry.who, secret)}" if entry.who else entry.name


@functools.lru_cache(maxsize=4096)
def digest(who: str, secret: bytes) -> str:
    """What stands for the id of a user or a conversation."""
    return hashlib.blake2b(who.encode("utf-8", "surrogatepass"), digest_size=_DIGEST, key=secret).hexdigest()
