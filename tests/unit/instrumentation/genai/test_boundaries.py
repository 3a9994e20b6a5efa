"""Outer calls of clients: what a client asks inside of its method is one call, however often it is sent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from support.ai import AiWatch, watched

from otel_chatbot import chat_completion
from otel_chatbot.instrumentation.common.patching import Patches
from otel_chatbot.instrumentation.genai import boundaries, wire_call
from otel_chatbot.instrumentation.genai.boundaries import NOBODY, Client
from otel_chatbot.instrumentation.genai.recognise import Place
from otel_chatbot.metrics import record
from otel_chatbot.semconv import metrics as m

PLACE = Place("127.0.0.1", 9, "/v1/chat/completions", "http")
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
JSON = {"content-type": "application/json"}.get
ANSWER = b'{"usage": {"prompt_tokens": 3, "completion_tokens": 2}}'


@pytest.fixture
def watch() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


def attempt(status: int = 200) -> None:
    """Send a request, as a transport sees it."""
    sent = wire_call.begin(PLACE, lambda: BODY)
    assert sent is not None
    with sent:
        pass
    if sent.responded(status, JSON, decoded=True):
        sent.whole(ANSWER)


def test_two_attempts_inside_a_method_are_one_call_that_ends_with_it(watch: AiWatch) -> None:
    def ask() -> str:
        attempt(503)
        assert watch.total(m.AI_RESPONSE_TIME) == 0.0, "the client may try again"
        attempt()
        assert watch.total(m.AI_RESPONSE_TIME) == 0.0
        return "answer"

    assert boundaries.following(Client(provider="mistral_ai"))(ask)() == "answer"
    assert watch.counted(m.AI_RESPONSE_TIME) == {("openai", "m", None): 1.0}
    assert watch.tokens() == {"input": 3.0, "output": 2.0}
    assert watch.total(m.ERRORS) == 0.0


def test_what_leaves_the_method_is_the_calls_failure_and_reaches_the_app(watch: AiWatch) -> None:
    def ask() -> None:
        attempt(503)
        raise TimeoutError("patience is over")

    with pytest.raises(TimeoutError, match="patience"):
        boundaries.following(NOBODY)(ask)()
    assert boundaries.current() is None
    assert watch.counted(m.ERRORS) == {("TimeoutError",): 1.0}
    assert watch.total(m.AI_RESPONSE_TIME) == 1.0


def test_a_method_inside_of_another_is_a_part_of_it_and_afterwards_there_is_none() -> None:
    seen: list[Any] = []
    inner = boundaries.following(Client(provider="inner"))(lambda: seen.append(boundaries.current()))
    boundaries.following(Client(provider="outer"))(lambda: (inner(), seen.append(boundaries.current())))()
    assert [boundary.client.provider for boundary in seen] == ["outer", "outer"]
    assert boundaries.current() is None


def test_there_is_none_in_the_packages_own_traffic_and_in_a_call_that_is_told_by_hand() -> None:
    with record.own_traffic():
        assert boundaries.enter() is None
    with chat_completion("own", "llama"):
        assert boundaries.enter() is None


def test_the_name_of_the_client_says_the_provider_where_the_address_does_not(
    watch: AiWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_chatbot.instrumentation.genai.recognise.named", lambda _place: None)
    boundaries.following(Client(provider="mistral_ai"))(attempt)()
    assert watch.counted(m.AI_RESPONSE_TIME) == {("mistral_ai", "m", None): 1.0}


def test_the_calls_of_a_client_that_is_switched_off_are_not_seen(watch: AiWatch) -> None:
    def ask() -> None:
        assert wire_call.begin(PLACE, lambda: BODY) is None

    boundaries.following(Client(ignored=True))(ask)()
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0


def test_asynchronous_methods_and_methods_that_give_a_coroutine_are_one_call_until_they_are_awaited(watch: AiWatch) -> None:
    async def ask(fails: bool = False) -> str:
        attempt(503)
        await asyncio.sleep(0)
        if fails:
            raise OSError
        attempt()
        return "answer"

    async def main() -> None:
        for make in (boundaries.following_async(Client(provider="x")), boundaries.following(Client(provider="x"))):
            assert await make(ask)() == "answer"
            with pytest.raises(OSError):
                await make(ask)(fails=True)
            assert boundaries.current() is None

    asyncio.run(main())
    assert watch.total(m.AI_RESPONSE_TIME) == 4.0
    assert watch.counted(m.ERRORS) == {("OSError",): 2.0}


def test_a_row_wraps_the_method_of_its_library_and_a_missing_part_of_a_library_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class HttpClient:
        def request(self) -> Any:
            return boundaries.current()

    part = ModuleType("cohere.core.http_client")
    part.HttpClient = HttpClient  # type: ignore[attr-defined] # an older release, without the asynchronous client
    monkeypatch.setitem(sys.modules, part.__name__, part)
    patches = Patches()
    boundaries.wrap("cohere", patches, ignored=False)
    boundaries.wrap("mistralai.basesdk", patches, ignored=False)  # not installed here
    assert HttpClient().request().client.provider == "cohere"
    patches.restore()
    assert HttpClient().request() is None
