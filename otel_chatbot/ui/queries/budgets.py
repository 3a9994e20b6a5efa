"""Budgets: of all that an app keeps, how much of one is spent at most.

Fed by `ui.queries.samples`; feeds the page "Now" by way of `ui.queries.figures`. Dollars and tokens cannot be compared: shares of
limits can.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from ...semconv import attributes as a
from ...semconv import metrics as m
from ...semconv.spec import MetricSpec
from .samples import gauge, series


def share_of_budgets(db: sqlite3.Connection, until: int, service: str) -> float | None:
    """The largest share of a budget that is spent; None where no budget is known.

    Args: the viewer's database, the moment (unix nanoseconds), a service's name, or an empty one for all services.
    Of a budget for each user or each conversation, it is that of the one that spent most.
    """

    def by_name(spec: MetricSpec) -> dict[Any, float | None]:
        return {one.attributes.get(a.BUDGET_NAME): gauge(db, one, until) for one in series(db, spec.name, service)}

    limits = by_name(m.BUDGET_LIMIT)
    spent = by_name(m.BUDGET_SPENT)
    return max(((amount or 0.0) / limit for name, amount in spent.items() if (limit := limits.get(name))), default=None)
