"""The promises: their budgets, and how fast one may be used up before somebody hears of it."""

from __future__ import annotations

import promql_parser as pp
import pytest
from support.promql import names

from otel_chatbot.render import objectives as o
from otel_chatbot.semconv import metrics as m

HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0}


def hours(window: str) -> float:
    return float(window[:-1]) * HOURS[window[-1]]


@pytest.mark.parametrize(("objective", "budget"), [(o.AVAILABILITY, 0.01), (o.LATENCY, 0.05)])
def test_the_budget_is_what_the_target_leaves(objective: o.Objective, budget: float) -> None:
    assert objective.budget == budget
    assert objective.promise.startswith(f"{objective.target * 100:g} %")


@pytest.mark.parametrize(("burn", "share"), [*zip(o.BURNS, (0.02, 0.05, 0.1, 0.1), strict=True)])
def test_a_burn_uses_up_the_share_of_the_months_budget_that_the_workbook_says(burn: o.Burn, share: float) -> None:
    assert burn.rate * hours(burn.long) / (30 * 24) == pytest.approx(share)
    assert hours(burn.long) / hours(burn.short) == 12
    assert {burn.long, burn.short} <= {*o.WINDOWS}
    assert hours(burn.hold) < hours(burn.long)


def test_fast_burns_page_and_slow_ones_write_a_ticket() -> None:
    rates = {severity: [burn.rate for burn in o.BURNS if burn.severity == severity] for severity in (o.PAGE, o.TICKET)}
    assert min(rates[o.PAGE]) > max(rates[o.TICKET])


def test_the_windows_grow_and_begin_with_the_one_that_is_measured() -> None:
    assert [hours(window) for window in o.WINDOWS] == sorted(map(hours, o.WINDOWS))
    assert o.WINDOWS[0] == o.SHORTEST
    assert o.burned("1h") == "slo:sli_error:ratio_rate1h"
    assert o.BAD.endswith(o.SHORTEST)
    assert o.ALL.endswith(o.SHORTEST)


def test_an_answer_is_late_by_an_edge_of_the_histogram_and_counts_among_the_streamed_ones() -> None:
    assert o.FIRST_CHUNK_WITHIN in m.GEN_AI_FIRST_CHUNK.buckets
    assert f'le="{o.FIRST_CHUNK_WITHIN}"' in o.LATENCY.bad
    for expression in (o.LATENCY.bad, o.LATENCY.all):
        assert m.GEN_AI_FIRST_CHUNK.prometheus + "_count" in names(expression)
    for objective in o.OBJECTIVES:
        pp.parse(objective.bad)
        pp.parse(objective.all)
