"""Rows of budgets: what the setting and the files may say, and what becomes of a row that is not usable."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from otel_chatbot.quality.budgets.periods import Period
from otel_chatbot.quality.budgets.rows import MOST_BUDGETS, Budget, load, nano_dollars, parse
from otel_chatbot.semconv.attributes import BudgetScope, BudgetUnit

ROWS = "app day 20 USD; user hour 50000 tokens; model:gpt-4o month 300 USD; conversation day 0.5 usd"


def test_rows_say_whose_for_how_long_and_how_much() -> None:
    assert load(ROWS) == (
        Budget(BudgetScope.APP, Period.DAY, BudgetUnit.USD, 20 * 10**9),
        Budget(BudgetScope.USER, Period.HOUR, BudgetUnit.TOKENS, 50_000),
        Budget(BudgetScope.MODEL, Period.MONTH, BudgetUnit.USD, 300 * 10**9, "gpt-4o"),
        Budget(BudgetScope.CONVERSATION, Period.DAY, BudgetUnit.USD, 5 * 10**8),
    )
    assert [budget.name for budget in load(ROWS)] == [
        "app day USD", "user hour tokens", "model:gpt-4o month USD", "conversation day USD",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("app day 20", "expected a row like"),
        ("everybody day 20 USD", "expected app, model, user, conversation, not 'everybody'"),
        ("app week 20 USD", "expected hour, day, month, not 'week'"),
        ("app day 20 EUR", "expected USD, tokens, not 'EUR'"),
        ("app day none USD", "expected an amount, not 'none'"),
        ("app day nan USD", "expected an amount, not 'nan'"),
        ("app day inf USD", "expected an amount, not 'inf'"),
        ("app day 0 USD", "expected an amount from 0.000000001 on"),
        ("app day -1 tokens", "expected an amount from 1 on"),
        ("app day 1.5 tokens", "expected an amount from 1 on"),
        ("app day 1e30 USD", "expected an amount"),
        ("model day 20 USD", "a model is named as"),
        ("app:shop day 20 USD", "a model is named as"),
    ],
)
def test_a_bad_row_is_left_out_with_a_warning_that_says_what_was_expected(
    row: str, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert load(f"{row}; app hour 1 USD") == (parse("app hour 1 USD"),)
    [said] = caplog.messages
    assert said.startswith(f"CHATBOT_OTEL_BUDGETS: the row {row!r} is not usable ({expected}")
    assert said.endswith("it is left out")


def test_a_second_budget_of_the_same_name_and_one_too_many_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    assert load("app day 20 USD; app day 30 usd") == (parse("app day 20 USD"),)
    assert "there is already a budget app day USD" in caplog.messages[0]
    many = load("\n".join(f"model:m{number} day 1 USD" for number in range(MOST_BUDGETS + 1)))
    assert len(many) == MOST_BUDGETS
    assert f"there are already {MOST_BUDGETS} budgets" in caplog.messages[1]


def test_a_file_holds_the_same_rows(tmp_path: Path) -> None:
    rows = ROWS.split("; ")
    (tmp_path / "budgets.json").write_text(json.dumps(rows))
    assert load(str(tmp_path / "budgets.json")) == load(ROWS)
    if sys.version_info >= (3, 11):
        (tmp_path / "budgets.toml").write_text(f"budgets = {json.dumps(rows)}")
        assert load(str(tmp_path / "budgets.toml")) == load(ROWS)


@pytest.mark.parametrize("content", [None, "{", '{"app": 20}', "3"])
def test_a_file_that_cannot_be_used_is_told_of_and_sets_no_budget(
    content: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "budgets.json"
    if content is not None:
        path.write_text(content)
    assert load(str(path)) == ()
    [said] = caplog.messages
    assert str(path) in said
    assert "expected a list of rows" in said


def test_dollars_are_kept_as_whole_nano_dollars_without_losing_the_smallest_price() -> None:
    assert nano_dollars(Decimal("0.00000015")) == 150  # a token of the cheapest models
    assert nano_dollars(Decimal(20)) == 20 * 10**9
    assert parse("app day 20 USD").amount(20 * 10**9) == 20.0
