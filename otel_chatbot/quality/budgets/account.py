"""What was spent, in the ledger that the workers share: added after each model call, read before one.

Fed by `budgets.spending` and `budgets.check`; feeds the ledger and `budgets.figures`. The total of a figure is the ledger's
alone: a worker that dies takes nothing with it but what the calls under way would have cost. Amounts are whole numbers:
nano-dollars (10^-9 USD) or tokens.

While the ledger is away, amounts are kept in this process, and added with the next one that it takes.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from ...metrics import record
from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.logs import PACKAGE_LOGGER
from ..ledger import Addition, Ledger, LedgerUnavailable
from .book import Book, Entry, Subject, amounts, key

LEVELS: Final = (80, 100)
"""Percent of a limit; it is counted how many users and conversations have reached them."""
_SECRET: Final = "budget:secret"  # noqa: S105 - where it is kept
_FINE: Final = 0.01
"""How exact the highest figure of many is shown, as a share of the limit: not each call of the highest one writes twice."""
_YEARS: Final = 10 * 366 * 24 * 3600.0
_MOST_UNSENT: Final = 10_000
_logger = logging.getLogger(PACKAGE_LOGGER)


class Account:
    """The spending of an app, held against its budgets."""

    def __init__(self, book: Book, ledger: Ledger) -> None:
        self.book = book
        self._ledger = ledger
        self._secret = b""
        self.renew()

    def renew(self) -> None:
        """In a forked child: the parent adds what it has kept."""
        self._lock = threading.Lock()
        self._unsent: dict[Entry, int] = {}
        self._highest: dict[str, tuple[int, int]] = {}
        self._away = False

    def charge(self, subject: Subject, dollars: Decimal | None, tokens: int, now: float) -> None:
        """Add what a call has cost, to the periods that run when it ends."""
        due = amounts(self.book.entries(subject, now), dollars, tokens)
        if due:
            self._add(due)

    def spent(self, entries: Sequence[Entry]) -> list[int]:
        """The figures before a call. LedgerUnavailable where nobody can tell."""
        if self._unsent:
            self._add([])
        try:
            found = self._ledger.read([self._key(entry) for entry in entries])
        except LedgerUnavailable as error:
            self._tell(a.LedgerUse.CHECK, error)
            raise
        if self._away:
            self._back()
        return found

    def of_all(self, entries: Sequence[Entry]) -> list[int]:
        """For the metrics: what was spent of each budget, or by the user or conversation that spent most."""
        return self._ledger.read([
            f"{entry.name}:highest" if entry.budget.scope in a.BUDGET_EACH else entry.name for entry in entries
        ])  # fmt: skip

    def reached(self, entry: Entry) -> list[int]:
        """Of a budget for each user or conversation, how many have reached each of LEVELS."""
        return self._ledger.read([f"{entry.name}:reached:{level}" for level in LEVELS])

    def _add(self, due: list[tuple[Entry, int]]) -> None:
        if self._unsent:
            due = self._together(due)
        try:
            totals = self._ledger.add_all([Addition(self._key(entry), amount, entry.expires) for entry, amount in due])
        except LedgerUnavailable as error:
            self._keep(due)
            self._tell(a.LedgerUse.SPEND, error)
            return
        if self._away:
            self._back()
        for (entry, amount), total in zip(due, totals, strict=True):
            if entry.who:
                self._among_many(entry, total - amount, total)

    def _together(self, due: list[tuple[Entry, int]]) -> list[tuple[Entry, int]]:
        """The amounts that are due now, and those that wait."""
        with self._lock:
            waiting, self._unsent = self._unsent, {}
        for entry, amount in due:
            waiting[entry] = waiting.get(entry, 0) + amount
        return list(waiting.items())

    def _keep(self, due: list[tuple[Entry, int]]) -> None:
        with self._lock:
            for entry, amount in due:
                if entry in self._unsent or len(self._unsent) < _MOST_UNSENT:
                    self._unsent[entry] = self._unsent.get(entry, 0) + amount

    def _among_many(self, entry: Entry, before: int, total: int) -> None:
        """Note whether one of many users or conversations is now the one that spent most, and whether it has reached a level."""
        limit, each = entry.budget.limit, entry.name
        reached = [level for level in LEVELS if before * 100 < limit * level <= total * 100]
        known, highest = self._highest.get(each, (0, 0))
        try:
            if reached or total - highest > limit * _FINE:
                self._ledger.raise_to(f"{each}:highest", total, entry.expires)
                self._highest[each] = entry.span.end, max(total, highest)
                if not known:  # the first one of a period
                    self._forget(entry.span.begin)
            if reached:
                self._ledger.add_all([Addition(f"{each}:reached:{level}", 1, entry.expires) for level in reached])
        except LedgerUnavailable as error:
            self._tell(a.LedgerUse.SPEND, error)

    def _forget(self, begin: int) -> None:
        """Forget the highest figures of periods that ended before this moment."""
        self._highest = {name: found for name, found in list(self._highest.items()) if found[0] > begin}

    def _key(self, entry: Entry) -> str:
        if entry.who and not self._secret:
            made = secrets.token_hex(32)
            self._secret = bytes.fromhex(self._ledger.first(_SECRET, made, _YEARS))
        return key(entry, self._secret)

    def _tell(self, use: a.LedgerUse, error: LedgerUnavailable) -> None:
        record.count(m.LEDGER_UNAVAILABLE, 1.0, {a.LEDGER_USE: use.value})
        if not self._away:
            self._away = True
            _logger.warning("nobody can tell what was spent (%s)", error)

    def _back(self) -> None:
        self._away = False
        _logger.warning("the ledger is back: budgets are kept again")
