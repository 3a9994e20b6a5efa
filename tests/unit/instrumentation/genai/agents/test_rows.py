"""Methods of a library that are replaced by a table, and who else follows that library."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from otel_chatbot.instrumentation.common.patching import Patches
from otel_chatbot.instrumentation.genai.agents.rows import Row, others_follow, wrap


class Tool:
    def run(self) -> str:
        return "ran"


def twice(original: Any) -> Any:
    return lambda self: original(self) * 2


@pytest.fixture
def library() -> ModuleType:
    made = ModuleType("tools")
    made.Tool = type("Tool", (), {"run": Tool.run, "walk": lambda _self: "walked"})  # type: ignore[attr-defined]
    made.tool = Tool()  # type: ignore[attr-defined] # an object by the name of a row's owner
    made.__getattr__ = lambda name: pytest.fail(f"{name} would be imported")  # type: ignore[attr-defined]
    return made


def test_the_methods_of_this_module_are_replaced_and_put_back(library: Any) -> None:
    patches = Patches()
    wrap((Row("tools", "Tool", "run", twice), Row("elsewhere", "Tool", "walk", twice)), library, patches)
    assert (library.Tool().run(), library.Tool().walk()) == ("ranran", "walked")
    patches.restore()
    assert library.Tool().run() == "ran"


@pytest.mark.parametrize(
    "row", [Row("tools", "Missing", "run", twice), Row("tools", "tool", "run", twice), Row("tools", "Tool", "jump", twice)]
)
def test_what_another_release_does_not_have_is_left_out_and_nothing_is_imported_for_it(library: Any, row: Row) -> None:
    wrap((row,), library, Patches())
    assert library.Tool().run() == "ran"


def test_others_follow_a_library_once_one_of_their_modules_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not others_follow(("nobodys.tracer", "nobodys.other"))
    monkeypatch.setitem(sys.modules, "nobodys.other", ModuleType("nobodys.other"))
    assert others_follow(("nobodys.tracer", "nobodys.other"))
    assert not others_follow(())
