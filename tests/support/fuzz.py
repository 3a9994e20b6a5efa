"""What strangers send and careless programs pass on: strategies for the fuzz tests, and how many cases each of them gets.

2,500 cases in `make test`, the same ones each time, and 100,000 others in `make proof`, shared out among the tests.
"""

from __future__ import annotations

import datetime as dt
import decimal
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from .proofs import record_proof

SCALE = int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1"))
ALL_CASES = 2_500 if SCALE == 1 else 5_000 * SCALE


CASES: Counter[str] = Counter()
"""How many cases of what ran in this module so far."""


@pytest.fixture(scope="module", autouse=True)
def _tell_cases(request: pytest.FixtureRequest) -> Iterator[None]:
    """For the test modules that import it: how many cases ran without a failure is a proof."""
    failed = request.session.testsfailed
    CASES.clear()
    yield
    if request.session.testsfailed == failed:
        title = str(request.module.__doc__).partition(":")[0]
        record_proof(f"Generated cases: {title}", **CASES, in_all=CASES.total())


def cases(share: float) -> settings:
    """So many of all cases."""
    checks = [
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
        HealthCheck.filter_too_much,
    ]
    return settings(max_examples=round(ALL_CASES * share), suppress_health_check=checks)


class Rude:
    """An object none of whose methods works."""

    def __init__(self, error: type[BaseException] = RuntimeError) -> None:
        self.error = error

    def _fail(self, *_: object) -> Any:
        raise self.error("no")

    __repr__ = __str__ = __bytes__ = __float__ = __int__ = __index__ = __iter__ = __len__ = __bool__ = __format__ = _fail
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __getitem__ = __contains__ = __neg__ = __mod__ = _fail
    __hash__ = _fail


class Text(str):
    """A text that is one, and yet does not say so."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def _cycle() -> list[Any]:
    found: list[Any] = [1]
    found.append(found)
    return found


ANY_TEXT = st.text() | st.text(st.characters()) | st.sampled_from(
    ["", "\0", "\ud800", "\u2028", "\x1b[31m", "\r\nX: y", "%s %d %(a)s", "{0}{a.b}", "a" * 5000, "\u202e", '"\\', "NaN", "🤖" * 50]
)  # fmt: skip
_ODD = (
    Rude(), Rude(KeyError), Text("x"), _cycle(), object(), Ellipsis, int, 10**400, -(10**5000), decimal.Decimal("sNaN"), dt.datetime.max,
    float("nan"), float("inf"), -0.0, 5e-324, 1.7976931348623157e308, True, None, b"\xff\x00", bytearray(b"x"), range(3), {1, 2}, lambda: 1,
)  # fmt: skip
ODD = st.integers(0, len(_ODD) - 1).map(_ODD.__getitem__)  # not sampled from: hypothesis would ask them for their repr
SIMPLE = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary(max_size=20)
ANYTHING = st.recursive(
    SIMPLE | ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=8,
)
NUMBERS = st.integers() | st.floats() | st.decimals() | st.fractions() | st.booleans() | ODD | ANY_TEXT
