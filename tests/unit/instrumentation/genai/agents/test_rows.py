"""Which classes are followed: those that are loaded, and of a library that no other tool follows."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from otel_chatbot.instrumentation.common.patching import Patches
from otel_chatbot.instrumentation.genai.agents import langchain, llama_index, rows
from otel_chatbot.instrumentation.genai.agents.rows import Row
from otel_chatbot.instrumentation.genai.agents.run import Told
from otel_chatbot.semconv.attributes import GenAiRun


def test_where_another_tool_follows_the_library_there_is_no_second_set_of_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = SimpleNamespace(name="worker")
    for follower, others in ((langchain._graph, langchain._OTHERS), (llama_index._agent, llama_index._OTHERS)):
        assert follower(worker, (), {}) == Told(GenAiRun.AGENT, "worker")
        for name in others:
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
            assert follower(worker, (), {}) is None
            monkeypatch.delitem(sys.modules, name)


def test_a_class_that_its_module_loads_only_when_asked_for_is_left_alone() -> None:
    asked: list[str] = []
    module = ModuleType("lazy")
    module.__getattr__ = asked.append  # type: ignore[method-assign]
    rows.wrap((Row("lazy", "Worker", "whole", lambda original: original),), module, Patches())
    assert asked == []


def test_the_methods_of_a_module_that_is_there_are_replaced() -> None:
    class Worker:
        def whole(self) -> str:
            return "theirs"

    def ours(original: Any) -> Any:
        return lambda self: f"ours around {original(self)}"

    module = ModuleType("there")
    vars(module)["Worker"] = Worker
    rows.wrap((Row("there", "Worker", "whole", ours), Row("elsewhere", "Worker", "whole", ours)), module, Patches())
    assert Worker().whole() == "ours around theirs"
