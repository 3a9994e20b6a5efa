"""Which library is followed: those that are imported, each once, until it is switched off."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from otel_chatbot.instrumentation.genai import boundaries, hooks, spans, stream_usage
from otel_chatbot.instrumentation.genai.recognise import UNKNOWN
from otel_chatbot.metrics import record
from otel_chatbot.semconv import metrics as m


class Base:
    def request(self, *_arguments: Any) -> Any:
        return boundaries.current()


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    hooks.uninstrument()
    yield
    hooks.uninstrument()


@pytest.fixture
def groq(monkeypatch: pytest.MonkeyPatch) -> type[Base]:
    """A client as Stainless generates it."""

    class SyncAPIClient(Base):
        def request(self, *arguments: Any) -> Any:
            return super().request(*arguments)

    class AsyncAPIClient(SyncAPIClient):
        async def request(self, *arguments: Any) -> Any:
            return boundaries.current()

    client, base = ModuleType("groq"), ModuleType("groq._base_client")
    vars(base).update(SyncAPIClient=SyncAPIClient, AsyncAPIClient=AsyncAPIClient)
    monkeypatch.setitem(sys.modules, "groq", client)
    monkeypatch.setitem(sys.modules, "groq._base_client", base)
    return SyncAPIClient


def test_a_library_is_followed_once_and_its_name_says_the_provider(groq: type[Base]) -> None:
    for _ in range(2):
        hooks.instrument("groq")
    client = groq().request(None, None).client
    assert (client.provider, client.ignored) == ("groq", False)
    assert hooks.State.followed == {"groq"}
    assert record.is_active(m.AI_RESPONSE_TIME)


def test_switched_off_the_librarys_own_method_is_back_and_no_span_is_made(groq: type[Base]) -> None:
    own = vars(groq)["request"]
    hooks.instrument("groq")
    assert vars(groq)["request"] is not own
    stream_usage.remember(("http://a", "m"), stream_usage.UsageReporting.REFUSES)
    UNKNOWN.leave("shop.example", "/orders")
    hooks.uninstrument()
    assert vars(groq)["request"] is own
    assert (spans.Spans.on, hooks.State.on, hooks.State.followed) == (False, False, set())
    assert (stream_usage._habits, UNKNOWN.let_go) == ({}, set())


def test_a_client_that_the_user_has_switched_off_is_followed_so_that_its_calls_are_not_seen(groq: type[Base]) -> None:
    hooks.instrument("groq", ignored=True)
    assert groq().request(None, None).client.ignored


def test_without_a_name_all_that_is_imported_is_followed_and_nothing_is_imported(groq: type[Base]) -> None:
    before = set(sys.modules)
    hooks.instrument()
    assert "groq" in hooks.State.followed
    assert hooks.State.followed <= set(sys.modules)
    new = {name.partition(".")[0] for name in set(sys.modules) - before}
    assert not new & {name.partition(".")[0] for name in hooks._FOLLOW} - {name.partition(".")[0] for name in before}


def test_a_name_that_is_not_in_the_table_or_not_imported_and_a_client_of_another_kind_are_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "together", raising=False)
    monkeypatch.setitem(sys.modules, "groq", ModuleType("groq"))
    monkeypatch.delitem(sys.modules, "groq._base_client", raising=False)
    for name in ("together", "json", "groq"):
        hooks.instrument(name)
    assert hooks.State.followed == {"groq"}
