"""Another tool's instrumentation of a client is noticed when it is switched on, before ours or after, and when it is switched off."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from otel_chatbot.instrumentation.common.patching import Patches
from otel_chatbot.instrumentation.genai import others

NAME = "openinference.instrumentation.anthropic"


@pytest.fixture
def theirs() -> Iterator[tuple[ModuleType, Any]]:
    """Their module, with an instrumentor of its own."""

    def instrumentation_dependencies(_self: Any) -> list[str]:
        return []

    def nothing(_self: Any, **_kwargs: Any) -> None:
        """Nothing to replace."""

    members = {"__module__": NAME, "instrumentation_dependencies": instrumentation_dependencies, "_instrument": nothing}
    kind: Any = type("AnthropicInstrumentor", (BaseInstrumentor,), {**members, "_uninstrument": nothing})
    module = ModuleType(NAME)
    vars(module).update(AnthropicInstrumentor=kind, BaseInstrumentor=BaseInstrumentor)
    yield module, kind()
    others.forget()


def test_it_is_noticed_when_it_comes_after_ours(theirs: tuple[ModuleType, Any]) -> None:
    module, instrumentor = theirs
    others.follow(module, Patches(), False)
    assert not others.tell("anthropic")
    instrumentor.instrument()
    assert others.tell("anthropic")
    assert not others.tell("openai")
    instrumentor.uninstrument()
    assert not others.tell("anthropic")


def test_it_is_noticed_when_it_was_there_before_ours(theirs: tuple[ModuleType, Any]) -> None:
    module, instrumentor = theirs
    instrumentor.instrument()
    others.follow(module, Patches(), False)
    assert others.tell("anthropic")


def test_litellm_is_asked_whether_it_tells_its_calls_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class OpenTelemetry:
        """As litellm's own is called."""

    for callbacks, tells in (([], False), (["langfuse"], False), (["otel"], True), ([OpenTelemetry()], True)):
        monkeypatch.setitem(sys.modules, "litellm", SimpleNamespace(callbacks=callbacks, success_callback=[]))
        assert others.tell("litellm") == tells
