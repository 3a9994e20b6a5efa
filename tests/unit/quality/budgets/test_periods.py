"""When hours, days and months of budgets begin and end: at midnight, at clock changes, where midnight is left out."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from otel_chatbot.config import Settings
from otel_chatbot.quality.budgets.periods import Period, Span, forecast, span, zone_of

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600
DAY = Span(0, 24 * HOUR)


def utc(text: str) -> int:
    return int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp())


def test_a_month_ends_at_midnight_of_its_zone_and_the_next_one_begins_in_the_same_second() -> None:
    end = utc("2026-11-30T23:00:00")  # midnight in Berlin
    before, after = span(Period.MONTH, end - 0.001, BERLIN), span(Period.MONTH, end, BERLIN)
    assert before == Span(utc("2026-10-31T23:00:00"), end)
    assert after == Span(end, utc("2026-12-31T23:00:00"))


@pytest.mark.parametrize(
    ("month", "begin", "end"),
    [
        ("2026-03-15T12:00:00", "2026-02-28T23:00:00", "2026-03-31T22:00:00"),  # the clock goes forward on the 29th
        ("2026-10-15T12:00:00", "2026-09-30T22:00:00", "2026-10-31T23:00:00"),  # and back on the 25th
    ],
)
def test_a_month_with_a_clock_change_begins_and_ends_at_midnight_of_the_clock(month: str, begin: str, end: str) -> None:
    assert span(Period.MONTH, utc(month), BERLIN) == Span(utc(begin), utc(end))


@pytest.mark.parametrize(
    ("noon", "hours"), [("2026-03-29T12:00:00", 23), ("2026-10-25T12:00:00", 25), ("2026-06-01T12:00:00", 24)]
)
def test_a_day_with_a_clock_change_has_an_hour_less_or_more(noon: str, hours: int) -> None:
    begin, end = span(Period.DAY, utc(noon), BERLIN)
    assert end - begin == hours * HOUR
    assert {dt.datetime.fromtimestamp(moment, BERLIN).hour for moment in (begin, end)} == {0}


def test_the_hour_that_the_clock_shows_twice_is_two_hours_and_the_one_it_leaves_out_is_none() -> None:
    first, second = utc("2026-10-25T00:30:00"), utc("2026-10-25T01:30:00")  # 02:30 in Berlin, both
    assert span(Period.HOUR, first, BERLIN) == Span(utc("2026-10-25T00:00:00"), utc("2026-10-25T01:00:00"))
    assert span(Period.HOUR, second, BERLIN) == Span(utc("2026-10-25T01:00:00"), utc("2026-10-25T02:00:00"))
    spring = utc("2026-03-29T01:00:00")  # the clock goes from 02:00 to 03:00
    assert span(Period.HOUR, spring - 1, BERLIN).end == spring == span(Period.HOUR, spring, BERLIN).begin


def test_a_day_whose_midnight_is_left_out_begins_with_its_first_moment() -> None:
    change = utc("2026-09-06T04:00:00")  # in Santiago the clock goes from 24:00 to 01:00
    santiago = ZoneInfo("America/Santiago")
    assert span(Period.DAY, change - 1, santiago).end == change == span(Period.DAY, change, santiago).begin


def test_every_moment_of_a_year_lies_in_one_period_and_the_periods_touch() -> None:
    begin = utc("2026-01-01T00:00:00")
    for zone in (dt.timezone.utc, BERLIN, ZoneInfo("America/Santiago"), ZoneInfo("Asia/Kolkata")):
        for period, most in ((Period.MONTH, 13), (Period.DAY, 366)):
            now, found = begin, 0
            while now < begin + 365 * 24 * HOUR:
                one = span(period, now, zone)
                assert one.begin <= now < one.end
                assert span(period, one.end - 1, zone) == one
                now, found = one.end, found + 1
            assert found <= most


def test_utc_needs_no_database_of_zones() -> None:
    assert zone_of("utc") is dt.timezone.utc
    assert zone_of("Europe/Berlin") == BERLIN


def test_half_of_a_period_forecasts_twice_what_was_spent_and_the_end_just_that() -> None:
    assert forecast(3.0, DAY, 43200) == 6.0
    assert forecast(3.0, DAY, 86400) == 3.0
    assert forecast(0.0, DAY, 43200) == 0.0


def test_the_first_moments_forecast_no_fortune_and_a_late_clock_no_less_than_was_spent() -> None:
    assert forecast(1.0, DAY, 0) == forecast(1.0, DAY, 60) == 50.0
    assert forecast(3.0, DAY, 90000) == 3.0


def test_a_zone_that_does_not_exist_is_told_and_utc_is_taken() -> None:
    bad = Settings.from_env({"CHATBOT_OTEL_BUDGET_ZONE": "Mars/Base"})
    assert bad.budget_zone == "UTC"
    assert "expected the name of a time zone, such as UTC or Europe/Berlin" in bad.warnings[0]
    assert Settings.from_env({"CHATBOT_OTEL_BUDGET_ZONE": " Europe/Berlin"}).budget_zone == "Europe/Berlin"
