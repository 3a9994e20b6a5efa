"""Methods of a library's classes are replaced by a table of rows, and a module is asked for nothing that it has not yet."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from otel_chatbot.instrumentation.common.patching import Patches
from otel_chatbot.instrumentation.genai.agents.rows import Row, others_follow, wrap


def loud(original: Callable[..., str]) -> Callable[..., str]:
    return lambda *given: original(*given).upper()


@pytest.fixture
def module() -> ModuleType:
    """A library with one class, which imports more at any name that it does not have."""
    made = ModuleType("agents_of_a_test")

    class Tool:
        def run(self) -> str:
            return "ran"

    made.Tool = Tool  # type: ignore[attr-defined]
    made.Other = "no class"  # type: ignore[attr-defined]

    def imports_more(name: str) -> Any:
        raise AssertionError(f"{name} was asked for")

    made.__getattr__ = imports_more  # type: ignore[method-assign]
    return made


def test_the_method_of_a_row_is_ours_until_it_is_put_back(module: ModuleType) -> None:
    patches = Patches()
    wrap((Row(module.__name__, "Tool", "run", loud),), module, patches)
    assert module.Tool().run() == "RAN"
    patches.restore()
    assert module.Tool().run() == "ran"


@pytest.mark.parametrize(
    "row",
    [
        Row("another_module", "Tool", "run", loud),
        Row("agents_of_a_test", "Later", "run", loud),
        Row("agents_of_a_test", "Other", "upper", loud),
        Row("agents_of_a_test", "Tool", "stop", loud),
    ],
    ids=["another module's", "a class that is not there", "no class", "a method that is not there"],
)
def test_a_row_that_does_not_fit_changes_nothing(row: Row, module: ModuleType) -> None:
    wrap((row,), module, Patches())
    assert module.Tool().run() == "ran"
    assert sorted(name for name in vars(module) if not name.startswith("__")) == ["Other", "Tool"]


def test_another_tools_instrumentation_follows_when_any_of_its_modules_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not others_follow(("instrumentation_of_a_test", "another_of_a_test"))
    monkeypatch.setitem(sys.modules, "another_of_a_test", ModuleType("another_of_a_test"))
    assert others_follow(("instrumentation_of_a_test", "another_of_a_test"))
