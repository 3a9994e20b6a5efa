"""What OpenTelemetry's loader calls: upstream's instrumentors that ours replace stay away, and one that breaks is left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.instrumentation.dependencies import DependencyConflictError
from opentelemetry.util._importlib_metadata import EntryPoint

from otel_chatbot.distro import entry
from otel_chatbot.distro.entry import ChatbotConfigurator, ChatbotDistro, pre_instrument

loaded: list[str] = []


class Good:
    def instrument(self, **_: Any) -> None:
        loaded.append("good")


class Broken(Good):
    def instrument(self, **_: Any) -> None:
        raise ValueError("wants a server")


class Conflicting(Good):
    def instrument(self, **_: Any) -> None:
        raise DependencyConflictError(None)  # type: ignore[arg-type]


@pytest.fixture
def distro() -> Iterator[ChatbotDistro]:
    """A distro of the test's own: OpenTelemetry keeps one in a process."""
    before = vars(ChatbotDistro).get("_instance")
    ChatbotDistro._instance = None
    loaded.clear()
    yield ChatbotDistro()
    ChatbotDistro._instance = before


def point(name: str, kind: str) -> EntryPoint:
    return EntryPoint(name, f"{__name__}:{kind}", "opentelemetry_instrumentor")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point finds this module."""
    import sys
    from types import SimpleNamespace

    module = SimpleNamespace(Good=Good, Broken=Broken, Conflicting=Conflicting)
    monkeypatch.setitem(sys.modules, __name__, module)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["flask", "pymongo", "redis", "openai"])
def test_an_instrumentor_that_ours_replaces_is_not_even_imported(distro: ChatbotDistro, name: str) -> None:
    distro.load_instrumentor(EntryPoint(name, "nowhere.to:Find", "opentelemetry_instrumentor"))
    assert loaded == []


def test_any_other_one_is_activated_as_stock_does(distro: ChatbotDistro) -> None:
    distro.load_instrumentor(point("celery", "Good"), skip_dep_check=True)
    assert loaded == ["good"]


def test_one_that_breaks_is_left_out_with_its_name_and_reason(distro: ChatbotDistro, caplog: pytest.LogCaptureFixture) -> None:
    distro.load_instrumentor(point("celery", "Broken"))
    [line] = caplog.messages
    assert line == "the instrumentation celery cannot be used (ValueError: wants a server); it is left out"


@pytest.mark.parametrize(
    ("found", "error"),
    [("Conflicting", DependencyConflictError), ("Nowhere", AttributeError), (None, ModuleNotFoundError)],
)
def test_what_the_loader_has_words_for_it_gets(
    distro: ChatbotDistro, found: str | None, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    given = point("celery", found) if found else EntryPoint("celery", "nowhere.to:Find", "opentelemetry_instrumentor")
    if error is AttributeError:
        distro.load_instrumentor(given)
        assert "it is left out" in caplog.text
        return
    with pytest.raises(error):
        distro.load_instrumentor(given)


def test_configurator_and_hook_set_everything_up_and_the_version_of_the_loader_is_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(entry, "instrument", lambda *given: calls.append(given))
    ChatbotConfigurator().configure(auto_instrumentation_version="0.50b0", other=1)
    ChatbotConfigurator().configure(auto_instrumentation_version=None)
    pre_instrument()
    assert calls == [("0.50b0",), ("",), ()]
