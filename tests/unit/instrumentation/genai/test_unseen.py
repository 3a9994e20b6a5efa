"""Requests that look like model calls at unknown addresses: told by host and names of fields, looked at a few times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from otel_chatbot import config
from otel_chatbot.instrumentation.common import seen
from otel_chatbot.instrumentation.genai import recognise, unseen
from otel_chatbot.instrumentation.genai.recognise import Place
from otel_chatbot.metrics import record
from otel_chatbot.metrics.shared.facts import FACTS


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    FACTS.forget()
    unseen.forget()
    yield
    FACTS.forget()
    unseen.forget()


def look(body: Any, host: str = "llm.example", port: int | None = 8080, path: str = "/v1/predict") -> int:
    """Posts something; how often its body was read."""
    reads = []
    unseen.look(Place(host, port, path), lambda: reads.append(1) or orjson.dumps(body))  # type: ignore[func-returns-value]
    return len(reads)


def test_a_call_is_told_by_its_host_and_its_fields_alone() -> None:
    look({"messages": [{"role": "user", "content": "secret"}], "model": "mine"}, path="/bot-key/run")
    assert FACTS.of(seen.POSTED) == [("llm.example:8080", "messages", "model")]
    assert look({"messages": [{"role": "user"}]}, path="/bot-key/run") == 0, "what is known is not read again"


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "x"},
        {"contents": [{"parts": []}]},
        {"query": "x", "response_mode": "blocking"},
        {"inputs": "x", "parameters": {}},
        {"question": "x", "session_id": "y"},
    ],
)
def test_these_look_like_calls(body: dict[str, Any]) -> None:
    assert unseen.looks_like_a_call(body)


@pytest.mark.parametrize(
    "body",
    [
        {"chat_id": 1, "text": "hello"},  # a message to Telegram
        {"channel": "c", "text": "hello"},
        {"query": "shoes"},
        {"messages": []},
        {"messages": ["a", "b"]},
        {"prompt": {"a": 1}},
        {},
    ],
)
def test_these_do_not(body: dict[str, Any]) -> None:
    assert not unseen.looks_like_a_call(body)


def test_an_address_that_gets_something_else_is_looked_at_three_times() -> None:
    assert [look({"order": 1}) for _ in range(5)] == [1, 1, 1, 0, 0]
    assert FACTS.of(seen.POSTED) == []


def test_our_own_posts_are_not_looked_at() -> None:
    with record.own_traffic():
        assert look({"prompt": "x"}) == 0


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b"{" + b" " * 300_000 + b"}", None])
def test_a_body_that_cannot_be_read_is_none(body: bytes | None) -> None:
    unseen.look(Place("llm.example", None, "/x"), lambda: body)
    assert FACTS.of(seen.POSTED) == []


def test_a_process_looks_at_its_first_posts_and_then_pays_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognise.config, "current", config.Settings)  # the tests' own name an address
    assert recognise.may_ask("/anything", "shop.example", looks=True) is True
    for number in range(3 * recognise.UNKNOWN.MOST):
        look({"basket": 1}, path=f"/orders{number}")
    assert recognise.may_ask("/anything", "shop.example", looks=True) is False
    assert recognise.may_ask("/v1/chat/completions") is True


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No address is named by the settings."""
    monkeypatch.setenv("CHATBOT_OTEL_AI_ADDRESSES", "")
    config.current.cache_clear()
    yield
    config.current.cache_clear()


@pytest.mark.usefixtures("nowhere")
def test_an_address_that_asks_no_model_is_judged_once_and_again_when_the_settings_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = ("/v1/orders", "shop.example")
    recognise.UNKNOWN.leave("shop.example", "/v1/orders")
    assert not recognise.asks_none(*place)
    assert not recognise.may_ask(*place, looks=True)
    assert recognise.asks_none(*place)
    assert not recognise.asks_none("/v1/chat/completions", "shop.example")
    assert not recognise.asks_none("/v1/orders", "other.example")
    monkeypatch.setenv("CHATBOT_OTEL_AI_ADDRESSES", "shop.example=mine:openai_chat")
    config.current.cache_clear()
    assert not recognise.asks_none(*place)
    assert recognise.may_ask(*place, looks=True)
    assert recognise.may_ask([], {}) is recognise.asks_none([], {}) is False


@pytest.mark.usefixtures("nowhere")
def test_only_a_bounded_number_of_addresses_is_remembered() -> None:
    for number in range(recognise.Judged.MOST + 10):
        recognise.may_ask(f"http://shop.example/{number}")
    assert sum(map(len, recognise.JUDGED.by_host.values())) == recognise.Judged.MOST
