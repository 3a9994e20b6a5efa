"""What a check returns stands for a status and a message, and statuses add up to the app's."""

from __future__ import annotations

import pytest

from otel_chatbot.health.results import HealthResult, HealthStatus, overall

WELL, HALF, BAD = HealthStatus.HEALTHY, HealthStatus.DEGRADED, HealthStatus.UNHEALTHY


@pytest.mark.parametrize(
    ("returned", "status", "message"),
    [
        (True, "healthy", "OK"),
        (1, "healthy", "OK"),
        ("yes", "healthy", "OK"),
        (False, "unhealthy", "Check failed"),
        (None, "unhealthy", "Check failed"),
        (0, "unhealthy", "Check failed"),
        ([], "unhealthy", "Check failed"),
        ({}, "unhealthy", "Check failed"),
        ("", "unhealthy", "Check failed"),
        ("unhealthy", "unhealthy", "Check failed"),
        (HealthStatus.DEGRADED, "degraded", "Degraded"),
        ((True, "42 models"), "healthy", "42 models"),
        ((False, "no models"), "unhealthy", "no models"),
        (("degraded", "slow"), "degraded", "slow"),
        ((1, 2), "healthy", "OK"),
        (HealthResult(HealthStatus.DEGRADED, "one of two"), "degraded", "one of two"),
        ({"status": "degraded", "message": "late", "queue": 3}, "degraded", "late"),
        ({"queue": 3}, "healthy", "OK"),
        ({"status": False}, "unhealthy", "Check failed"),
        ({"status": "sideways"}, "unhealthy", "Check failed"),
    ],
    ids=repr,
)
def test_what_a_check_returns_is_its_status(returned: object, status: str, message: str) -> None:
    found = HealthResult.of(returned)
    assert (found.status.value, found.message) == (status, message)


def test_what_a_dict_says_beside_status_and_message_are_details() -> None:
    assert HealthResult.of({"status": "DEGRADED", "queue": 3, 4: "four"}).details == {"queue": 3, "4": "four"}
    assert HealthResult.of({"status": "DEGRADED"}).status is HALF
    assert HealthResult.of(True).details == {}


def test_a_result_is_itself() -> None:
    given = HealthResult(HALF, "one of two", {"up": 1})
    assert HealthResult.of(given) is given


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([], WELL),
        ([(WELL, True), (WELL, False)], WELL),
        ([(WELL, True), (BAD, False)], HALF),
        ([(HALF, True), (WELL, True)], HALF),
        ([(BAD, False), (WELL, True), (BAD, True)], BAD),
    ],
)
def test_the_app_is_as_well_as_its_worst_required_check_and_optional_ones_can_only_degrade_it(
    found: list[tuple[HealthStatus, bool]], status: HealthStatus
) -> None:
    assert overall(found) is status


def test_the_figures_of_the_metric_are_one_a_half_and_zero() -> None:
    assert [status.figure for status in (WELL, HALF, BAD)] == [1.0, 0.5, 0.0]
