"""Budgets of this process for the tests: rows, a ledger in a file of their own, a clock that is set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from otel_chatbot import config
from otel_chatbot.quality.budgets.account import Account
from otel_chatbot.quality.budgets.book import Book
from otel_chatbot.quality.budgets.periods import zone_of
from otel_chatbot.quality.budgets.rows import load
from otel_chatbot.quality.budgets.spending import BUDGETS
from otel_chatbot.quality.ledger import Ledger

from . import ledgers


class Budgeted:
    """The budgets that hold now. `now` is what their clock says, in unix seconds."""

    def __init__(self, rows: str, ledger: Ledger, now: float, zone: str = "UTC") -> None:
        self.now = now
        self.account = Account(Book(load(rows), zone_of(zone)), ledger)

    def clock(self) -> float:
        return self.now


@contextmanager
def budgeted(
    rows: str, place: Path, now: float, zone: str = "UTC", *, ledger: Ledger | None = None, **settings: str
) -> Iterator[Budgeted]:
    """With these budgets, kept in a file in `place` or in `ledger`."""
    used = ledger or ledgers.ledger("sqlite", str(place / "ledger.sqlite"))
    found = Budgeted(rows, used, now, zone)
    try:
        with (
            patch.dict(os.environ, settings),
            patch.dict(BUDGETS.__dict__, account=found.account),
            patch.object(BUDGETS, "clock", found.clock),
        ):
            config.current.cache_clear()
            yield found
    finally:
        used.close()
        config.current.cache_clear()
