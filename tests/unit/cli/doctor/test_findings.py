"""What the doctor finds has a name, a status and a remedy; what breaks while it looks is a finding too."""

from __future__ import annotations

import json
from collections.abc import Iterator

from otel_chatbot.cli.doctor.findings import (
    Finding,
    Section,
    Status,
    as_json,
    failed,
    is_well,
    left_out,
    not_looked_at,
    of_status,
    section,
    warning,
    well,
)

SECTIONS = [
    Section("first", (well("w", "fine"), warning("x", "meant?", "leave it out"))),
    Section("second", (failed("f", "wrong", "mend it"), not_looked_at("n", "unknown", "name it"))),
]


def test_only_a_fault_makes_the_whole_not_well() -> None:
    assert is_well([])
    assert is_well(SECTIONS[:1])
    assert not is_well(SECTIONS)


def test_what_was_not_looked_at_is_of_no_status() -> None:
    assert [one.name for one in of_status(SECTIONS, Status.WELL)] == ["w"]
    assert [one.name for one in of_status(SECTIONS, Status.FAILED)] == ["f"]
    assert [one.name for one in left_out(SECTIONS)] == ["n"]


def test_what_was_found_before_something_broke_stays_and_the_break_is_a_fault() -> None:
    def looks() -> Iterator[Finding]:
        yield well("w", "fine")
        raise KeyError("metrics")

    found = section("signals", looks())
    assert found.title == "signals"
    assert found.findings == (well("w", "fine"), failed("doctor", "could not be looked at: KeyError: 'metrics'"))


def test_programs_get_sections_names_and_remedies_and_what_was_not_looked_at_apart() -> None:
    told = json.loads(as_json(SECTIONS))
    assert told["well"] is False
    assert [(one["section"], one["name"], one["status"]) for one in told["findings"]] == [
        ("first", "w", "well"),
        ("first", "x", "warning"),
        ("second", "f", "failed"),
    ]
    assert told["findings"][2]["remedy"] == "mend it"
    assert told["not_looked_at"] == [{"name": "n", "message": "unknown", "remedy": "name it"}]
