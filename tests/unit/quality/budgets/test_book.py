"""The ledger's keys: which budgets a call counts for, which period it falls in, and that no id can be read from a key."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

from otel_chatbot.quality.budgets.book import Book, Subject, amounts, key
from otel_chatbot.quality.budgets.rows import load

ROWS = load("app day 20 USD; user hour 50000 tokens; model:gpt-4o month 300 USD; conversation day 9 tokens")
NOON = dt.datetime(2026, 11, 28, 12, tzinfo=dt.timezone.utc).timestamp()
BOOK = Book(ROWS, dt.timezone.utc)


def names(subject: Subject) -> list[str]:
    return [entry.budget.name for entry in BOOK.entries(subject, NOON)]


def test_a_call_counts_for_the_budgets_of_those_that_are_known() -> None:
    assert names(Subject()) == ["app day USD"]
    assert names(Subject(user="ada", conversation="c1", models=("gpt-4o-2024-08-06", "gpt-4o"))) == [
        "app day USD", "user hour tokens", "model:gpt-4o month USD", "conversation day tokens",
    ]  # fmt: skip
    assert names(Subject(user="", models=("gpt-4o-mini",))) == ["app day USD"]


def test_a_budget_takes_dollars_or_tokens_and_a_call_without_a_price_no_dollars() -> None:
    entries = BOOK.entries(Subject(user="ada"), NOON)
    assert [amount for _, amount in amounts(entries, Decimal("0.0000025"), 42)] == [2500, 42]
    assert [(entry.budget.name, amount) for entry, amount in amounts(entries, None, 42)] == [("user hour tokens", 42)]
    assert amounts(entries, Decimal(0), 0) == []


def test_a_key_names_the_period_and_hides_the_id() -> None:
    day, hour = BOOK.entries(Subject(user="ada"), NOON)
    begin = int(NOON) - 12 * 3600
    assert key(day, b"secret") == f"budget:app:day:USD:{begin}"
    ada, others = key(hour, b"secret"), {key(hour, b"other"), key(hour._replace(who="bob"), b"secret")}
    assert ada.startswith(f"budget:user:hour:tokens:{int(NOON)}:")
    assert "ada" not in ada.removeprefix("budget:user:hour")
    assert ada not in others
    assert len(others) == 2


def test_the_next_period_has_another_key_from_its_first_second_on() -> None:
    berlin = Book(load("app month 1 USD"), ZoneInfo("Europe/Berlin"))
    end = dt.datetime(2026, 10, 31, 23, tzinfo=dt.timezone.utc).timestamp()  # midnight in Berlin, after the clock went back
    before, after = (berlin.entries(Subject(), moment)[0] for moment in (end - 0.001, end))
    assert before.span.end == after.span.begin == end
    assert key(before, b"") != key(after, b"")
    assert berlin.entries(Subject(), end - 1)[0] == before  # a call that is late by its worker's clock
    assert berlin.resets(after).isoformat() == "2026-12-01T00:00:00+01:00"


def test_a_figure_outlives_its_period() -> None:
    [entry] = BOOK.entries(Subject(), NOON)
    assert entry.expires > entry.span.end - entry.span.begin
