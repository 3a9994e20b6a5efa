"""The budgets that the settings name: one row per budget, as text.

Fed by the setting BUDGETS; feeds `budgets.spending`, `budgets.check` and `budgets.figures`. A row says whose, for how long, how
much: `app day 20 USD`, `user hour 50000 tokens`, `model:gpt-4o month 300 USD`, `conversation day 1 USD`. Rows are separated by
semicolons or lines. A value that ends with `.json` or `.toml` names a file: a list of such rows, in TOML under the name `budgets`.
"""

from __future__ import annotations

import importlib
import json
import logging
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

from ... import config
from ...semconv.attributes import BudgetScope, BudgetUnit
from ...semconv.logs import PACKAGE_LOGGER
from .periods import Period

_NANO: Final = 10**9
_MOST: Final = 2**62
"""The most that a ledger's figure may hold, in nano-dollars or tokens."""
MOST_BUDGETS: Final = 50
"""How many budgets there may be: each is looked up before, and added to after, every call that it covers."""
_FILES: Final = (".json", ".toml")
_ROW: Final = "expected a row like `app day 20 USD`, `user hour 50000 tokens` or `model:gpt-4o month 300 USD`"
_Kind = TypeVar("_Kind", bound=Enum)
_logger = logging.getLogger(PACKAGE_LOGGER)


@dataclass(frozen=True)
class Budget:
    """How much may be spent per period: by the whole app, on a model, by each user, or in each conversation."""

    scope: BudgetScope
    period: Period
    unit: BudgetUnit
    limit: int
    """In nano-dollars or tokens."""
    model: str = ""

    @property
    def name(self) -> str:
        """What the figures and the answers call it; it holds neither the limit nor anybody's id."""
        return f"{self.whose} {self.period.value} {self.unit.value}"

    @property
    def whose(self) -> str:
        """The scope as the row has it."""
        return f"{self.scope.value}:{self.model}" if self.model else self.scope.value

    def amount(self, units: int) -> float:
        """Dollars or tokens, of what the ledger holds."""
        return units / _NANO if self.unit is BudgetUnit.USD else float(units)


def nano_dollars(dollars: Decimal) -> int:
    """Dollars as the ledger holds them."""
    return int((dollars * _NANO).to_integral_value())


def load(text: str) -> tuple[Budget, ...]:
    """The budgets of a setting's value. What is not usable is left out, with a warning that says what was expected."""
    found: dict[str, Budget] = {}
    for row in _rows(text):
        try:
            budget = _further(parse(row), found)
        except ValueError as error:
            _logger.warning("CHATBOT_OTEL_BUDGETS: the row %r is not usable (%s); it is left out", row, error)
        else:
            found[budget.name] = budget
    return tuple(found.values())


def _further(budget: Budget, known: Collection[str]) -> Budget:
    if budget.name in known:
        raise ValueError(f"there is already a budget {budget.name}")
    if len(known) >= MOST_BUDGETS:
        raise ValueError(f"there are already {MOST_BUDGETS} budgets")
    return budget


def parse(row: str) -> Budget:
    """A budget of its row; ValueError says what was expected."""
    words = row.split()
    if len(words) != 4:
        raise ValueError(_ROW)
    whose, period, amount, unit = words
    kind, _, model = whose.partition(":")
    scope = _one_of(BudgetScope, kind)
    if bool(model) is not (scope is BudgetScope.MODEL):
        raise ValueError("a model is named as `model:gpt-4o`, and nothing else has a name")
    money = _one_of(BudgetUnit, unit)
    return Budget(scope, _one_of(Period, period), money, _limit(amount, money), model)


def _one_of(kind: type[_Kind], word: str) -> _Kind:
    for member in kind:
        if member.value.lower() == word.lower():
            return member
    raise ValueError(f"expected {', '.join(member.value for member in kind)}, not {word!r}; {_ROW}")


def _limit(amount: str, unit: BudgetUnit) -> int:
    try:
        number = Decimal(amount)
        units = number * _NANO if unit is BudgetUnit.USD else number
        whole = int(units)
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"expected an amount, not {amount!r}") from None
    if whole != units or not 0 < whole <= _MOST:
        raise ValueError(f"expected an amount from {'0.000000001' if unit is BudgetUnit.USD else '1'} on, not {amount!r}")
    return whole


def _rows(text: str) -> Iterable[str]:
    if text.strip().endswith(_FILES):
        return _of_file(Path(text.strip()))
    return [row.strip() for row in re.split(r"[;\n]", text) if row.strip()]


def _of_file(path: Path) -> list[str]:
    try:
        return [str(row) for row in _content(path)]
    except (OSError, ValueError, KeyError, TypeError, ImportError, RecursionError) as error:
        expected = 'a list of rows, ["app day 20 USD"], in TOML after `budgets =`'
        config.warn_of_file("BUDGETS", path, error, f"{expected}; there are no budgets")
        return []


def _content(path: Path) -> list[Any]:
    text = path.read_text(encoding="utf-8")
    # Python has a reader of TOML from 3.11 on.
    found = json.loads(text) if path.suffix == ".json" else importlib.import_module("tomllib").loads(text)["budgets"]
    if not isinstance(found, list):
        raise TypeError("no list")
    return found
