"""Which instrumentations run: ours, unless they are switched off, and upstream's of the same libraries nowhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.instrumentation.distro import DefaultDistro
from opentelemetry.util._importlib_metadata import EntryPoint

from otel_chatbot import _guard
from otel_chatbot.distro import instrumentations
from otel_chatbot.distro.environment import SignalPlan
from otel_chatbot.distro.instrumentations import OURS, REPLACED, Instrumentations, OwnInstrumentation, skip_in_other_distros

LIBRARY = OwnInstrumentation("a_library_of_a_test", "of_a_test", "of_a_test")
BY_NAME = OwnInstrumentation("another_library_of_a_test", "of_a_test", "by_name", by_name=True, shown=False)
PLAN = SignalPlan.from_env({})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Our instrumentation of a library that is imported by the test."""
    made: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    module = SimpleNamespace(instrument=lambda *given, **how: made.append((given, how)))
    monkeypatch.setitem(sys.modules, "otel_chatbot.instrumentation.of_a_test", module)  # type: ignore[arg-type]
    monkeypatch.setattr(instrumentations, "OURS", (LIBRARY, BY_NAME))
    for name in (LIBRARY.library, BY_NAME.library):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())  # type: ignore[arg-type]
    return made


def test_a_library_that_is_there_is_instrumented_once_and_told_its_name_where_several_share_a_module(
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]],
) -> None:
    found = Instrumentations()
    found.install(PLAN)
    found.install(PLAN)
    assert calls == [((), {}), (("another_library_of_a_test",), {})]
    assert found.active == {"of_a_test"}, "the other one's import does not say that the app uses it"


@pytest.mark.parametrize(("off", "left"), [("of_a_test", 1), ("*", 0), ("other", 2)])
def test_what_is_switched_off_by_name_or_all_stays_off(
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]], off: str, left: int
) -> None:
    Instrumentations().install(SignalPlan.from_env({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": off}))
    assert len(calls) == left


def test_a_client_of_models_that_is_switched_off_is_followed_and_ignored(
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instrumentations, "AI_CLIENTS", (BY_NAME.library,))
    Instrumentations().install(SignalPlan.from_env({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": BY_NAME.library}))
    assert calls == [((), {}), ((BY_NAME.library,), {"ignored": True})]


def test_an_instrumentation_that_breaks_is_reported_and_the_next_one_runs(
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_guard.Guard, "strict", False)
    monkeypatch.setattr(_guard, "_seen", set())
    broken = OwnInstrumentation(LIBRARY.library, "nowhere_at_all", "broken")
    monkeypatch.setattr(instrumentations, "OURS", (broken, BY_NAME))
    found = Instrumentations()
    found.install(PLAN)
    assert "telemetry fault in instrumenting a_library_of_a_test: ModuleNotFoundError" in caplog.text
    assert (found.active, len(calls)) == (set(), 1)


def test_upstreams_instrumentors_of_our_libraries_and_of_clients_of_models_are_replaced() -> None:
    assert {"flask", "pymongo", "redis", "cachelib", "openai", "anthropic", "bedrock", "google_genai"} <= REPLACED
    assert not {"requests", "httpx", "urllib3", "celery", "genai"} & REPLACED
    assert len({(ours.library, ours.module) for ours in OURS}) == len(OURS)


@pytest.fixture
def other_distro() -> Iterator[list[str]]:
    """Another distro, which is the one in this process; the names that it loads."""
    loaded: list[str] = []

    class Other(DefaultDistro):  # type: ignore[misc]
        def load_instrumentor(self, entry_point: EntryPoint, **_: Any) -> None:
            loaded.append(entry_point.name)

    other = Other()
    yield loaded
    assert other is Other()
    Other._instance = None


def test_another_distro_leaves_out_what_ours_replace_and_is_changed_once(other_distro: list[str]) -> None:
    skip_in_other_distros()
    [active] = [vars(kind)["_instance"] for kind in instrumentations._distros(DefaultDistro) if vars(kind).get("_instance")]
    changed = active.load_instrumentor
    skip_in_other_distros()
    assert active.load_instrumentor is changed
    for name in ("flask", "celery", "openai"):
        active.load_instrumentor(EntryPoint(name, "x:y", "g"))
    assert other_distro == ["celery"]
