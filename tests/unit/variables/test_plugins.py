"""A name that no installed package offers, or that breaks when it is tried, is told of with the names that there are."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from otel_chatbot.variables.plugins import offered

GROUP = "opentelemetry_test_offers"
ENTRIES = """[opentelemetry_test_offers]
good = offers_of_a_test:Good
needs = offers_of_a_test:Needs
broken = offers_of_a_test:nowhere
absent = offers_that_are_nowhere:Good
"""
MODULE = """
class Good: pass
class Needs:
    def __init__(self):
        raise RuntimeError("needs a server\\nand much more")
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that offers things which work, and things which do not."""
    info = tmp_path / "offers_of_a_test-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offers-of-a-test\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "offers_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()


@pytest.mark.parametrize("name", ["good", " good ", "needs", "known"])
def test_a_name_that_can_be_loaded_or_comes_with_opentelemetry_is_well(name: str) -> None:
    assert offered(GROUP, "known")(name, {}) is None


@pytest.mark.parametrize(
    ("name", "makes", "why"),
    [
        ("nope", False, "no installed package offers 'nope'"),
        ("broken", False, "'broken' cannot be used: AttributeError: "),
        ("absent", False, "'absent' cannot be used: ModuleNotFoundError: No module named 'offers_that_are_nowhere'"),
        ("needs", True, "'needs' cannot be used: RuntimeError: needs a server"),
    ],
)
def test_a_name_that_cannot_be_used_says_why_and_which_others_there_are(name: str, makes: bool, why: str) -> None:
    problem = offered(GROUP, "known", makes=makes)(name, {})
    assert problem is not None
    assert problem.why.startswith(why)
    assert "\n" not in problem.why
    assert problem.remedy == "install the package that offers it, or set one of absent, broken, good, known, needs"
    assert problem.instead is None


def test_of_several_names_the_good_ones_stay_and_each_wrong_one_is_told_of() -> None:
    problem = offered(GROUP, "known", several=True)("good, nope,,known,broken", {})
    assert problem is not None
    assert problem.instead == "good,known"
    assert problem.why.startswith("no installed package offers 'nope'; 'broken' cannot be used")


def test_where_no_name_is_left_the_one_for_nothing_is_used() -> None:
    problem = offered(GROUP, several=True, nothing="none")("nope", {})
    assert problem is not None
    assert problem.instead == "none"


def test_several_names_are_one_name_where_one_is_wanted() -> None:
    problem = offered(GROUP)("good,good", {})
    assert problem is not None
    assert problem.why == "no installed package offers 'good,good'"
