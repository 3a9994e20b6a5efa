"""Hours, days and months in a time zone: which one a moment lies in, when it begins and ends, what it will have cost then.

Feeds `budgets.rows`, `budgets.book` and `budgets.figures`. A day and a month begin at midnight of the zone's clock; where a clock change leaves midnight out, with
the first moment of that date. So a day may have 23 or 25 hours. An hour has 60 minutes; the one that the clock shows twice
in autumn is two hours.
"""

from __future__ import annotations

import datetime as dt
from enum import Enum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

HOUR_SECONDS: Final = 3600
_LEAST_SHARE: Final = 0.02
"""The share of a period from which on a rate says something: a call in the first second would forecast millions."""


class Period(str, Enum):
    """How long a budget lasts."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class Span(NamedTuple):
    """One period, in unix seconds: from `begin` on, before `end`."""

    begin: int
    end: int


def zone_of(name: str) -> dt.tzinfo:
    """The time zone that the setting BUDGET_ZONE names. UTC needs no database of zones."""
    return dt.timezone.utc if name.upper() == "UTC" else ZoneInfo(name)


def span(period: Period, now: float, zone: dt.tzinfo) -> Span:
    """The period that `now` (unix seconds) lies in."""
    local = dt.datetime.fromtimestamp(now, zone)
    if period is Period.HOUR:
        begin = int(now) - local.minute * 60 - local.second
        return Span(begin, begin + HOUR_SECONDS)
    first = local.date() if period is Period.DAY else local.date().replace(day=1)
    return Span(_first_moment(first, zone), _first_moment(_next(first, period), zone))


def _next(first: dt.date, period: Period) -> dt.date:
    # The 1st is never more than 31 days before the next 1st, and always more than 27.
    return first + dt.timedelta(days=1) if period is Period.DAY else (first + dt.timedelta(days=31)).replace(day=1)


def _first_moment(date: dt.date, zone: dt.tzinfo) -> int:
    """When a date begins. A midnight that does not exist is taken in the time before the change: that is the change itself."""
    return int(dt.datetime(date.year, date.month, date.day, tzinfo=zone).timestamp())


def forecast(spent: float, span: Span, now: float) -> float:
    """The spending at the period's end, at the rate since its beginning.

    In the first fiftieth of a period the rate is taken as if that fiftieth were over: of a day, the first half hour.
    """
    share = (now - span.begin) / (span.end - span.begin)
    return spent / min(1.0, max(share, _LEAST_SHARE))
