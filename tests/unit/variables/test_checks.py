"""A check of one value answers with what is wrong and what to set, or with nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_chatbot.variables import checks
from otel_chatbot.variables.checks import Check, Problem

NOTHING: dict[str, str] = {}
PORT = checks.whole_number(0, 65535)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (PORT, "0"),
        (PORT, "65535"),
        (checks.whole_number(1), "123456789"),
        (checks.positive("seconds"), "0.001"),
        (checks.one_of("gzip", "none"), " GZip "),
        (checks.address, "HTTPS://[::1]:4318/otlp"),
        (checks.address, "http://collector"),
        (checks.expressions, "health, ^/static$ ,"),
        (checks.stable_names, "http,database"),
        (checks.file, __file__),
    ],
)
def test_a_value_that_can_be_used_has_no_problem(check: Check, value: str) -> None:
    assert check(value, NOTHING) is None


@pytest.mark.parametrize(
    ("check", "value", "problem"),
    [
        (PORT, "1.5", Problem("it is not a whole number", "set a whole number, 0 to 65535")),
        (PORT, "65536", Problem("it is not a whole number, 0 to 65535", "set a whole number, 0 to 65535")),
        (checks.whole_number(1), "0", Problem("it is not a whole number, 1 or more", "set a whole number, 1 or more")),
        *(
            (checks.positive("seconds"), value, Problem("it is not a number of seconds above 0", "set seconds, such as 10"))
            for value in ("0", "-1", "inf", "nan", "10s")
        ),
        (checks.one_of("gzip", "none"), "zstd", Problem("it is not known", "set one of gzip, none")),
    ],
)
def test_a_number_or_a_word_that_cannot_be_used_is_replaced_by_the_default(check: Check, value: str, problem: Problem) -> None:
    assert check(value, NOTHING) == problem


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("collector:4318", "it has no scheme"),
        *(
            (value, "it is not an http address")
            for value in ("ftp://c", "http://", "http://c:0", "http://c:port", "http://c:99999")
        ),
    ],
)
def test_an_address_that_nothing_can_be_sent_to_stays_as_it_is_and_what_follows_is_said(value: str, why: str) -> None:
    problem = checks.address(value, NOTHING)
    assert problem is not None
    assert (problem.why, problem.instead) == (why, None)
    assert "telemetry waits in the spool" in problem.kept


def test_an_address_without_a_scheme_is_one_for_grpc_alone() -> None:
    grpc = {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}
    http = {
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTHER_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_HEADERS": "grpc",
    }
    assert checks.address("collector:4317", grpc) is None
    assert checks.address("collector:4317", http) is not None


@pytest.mark.parametrize(("value", "fits"), [("0", True), ("1", True), ("1.01", False), ("-0.1", False), ("half", False)])
def test_a_share_is_looked_at_where_the_sampler_takes_one(value: str, fits: bool) -> None:
    problem = checks.share(value, {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"})
    assert (problem is None) is fits
    assert problem is None or problem.instead == "1.0", "every trace is kept, not none"
    assert checks.share(value, {"OTEL_TRACES_SAMPLER": "my_own"}) is None


def test_of_several_expressions_the_good_ones_stay() -> None:
    problem = checks.expressions("health,(,^/a,[", NOTHING)
    assert problem is not None
    assert problem.instead == "health,^/a"
    assert problem.why.count("is not a regular expression") == 2
    none_good = checks.expressions("(", NOTHING)
    assert none_good is not None
    assert none_good.instead is None


def test_a_folder_and_a_path_to_nothing_are_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        problem = checks.file(str(path), NOTHING)
        assert problem is not None
        assert problem.remedy == "correct the path"


def test_both_doubled_names_are_told_of_and_the_value_stays_for_other_instrumentations() -> None:
    problem = checks.stable_names("http/dup, database/dup,gen_ai", NOTHING)
    assert problem is not None
    assert problem.why.startswith("http/dup and database/dup is not supported")
    assert problem.kept
