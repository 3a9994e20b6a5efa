"""The longest test files begin first: each that is named is there, and unit tests fill the gaps at the end."""

from __future__ import annotations

import pytest
from support.order import LONGEST, ROOMS, TESTS, place


def test_every_file_that_is_named_as_long_is_there() -> None:
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []
    assert len(set(LONGEST)) == len(LONGEST)


def test_every_folder_of_tests_has_its_place() -> None:
    assert {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")} == set(ROOMS)


def test_long_files_come_before_all_others_and_unit_tests_last() -> None:
    names = ["unit/test_fork.py", "process/test_clock.py", LONGEST[1], "stack/test_canary.py", LONGEST[0]]
    found = sorted(names, key=lambda name: place(TESTS / name))
    assert found == [LONGEST[0], LONGEST[1], "stack/test_canary.py", "process/test_clock.py", "unit/test_fork.py"]


def test_this_very_run_keeps_that_order(request: pytest.FixtureRequest) -> None:
    places = [place(item.path) for item in request.session.items]
    assert places == sorted(places)
