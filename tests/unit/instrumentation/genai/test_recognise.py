"""Which requests ask a model: by the end of their path and their body; whose they are, by host, setting or client."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from support.ai import addresses
from support.clients.scenario import Prompt
from support.clients.shapes import SHAPES, Shape

from otel_chatbot.instrumentation.genai.recognise import (
    MOST,
    PROTOCOLS,
    Place,
    Unknown,
    candidates,
    may_ask,
    named,
    provider_of,
    recognise,
)

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(autouse=True)
def nowhere() -> Iterator[None]:
    with addresses(""):
        yield


def test_each_protocol_has_a_name_of_its_own() -> None:
    assert len({protocol.name for protocol in PROTOCOLS}) == len(PROTOCOLS)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_request_of_each_wire_is_known_by_its_end_and_read_by_one_protocol(shape: Shape) -> None:
    place = Place("127.0.0.1", 9, shape.path, "http")
    body = shape.body(Prompt("", "", "plain", "x"))
    assert may_ask(shape.path) is True
    fits = [protocol for protocol in candidates(place) if all(key in body for key in protocol.keys)]
    found = recognise(place, candidates(place), body)
    assert found is not None
    assert found.protocol is fits[0]
    assert found.asked.streamed is shape.streamed
    assert not found.known


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "",
        "/orders",
        "/chat/",
        "/v1/completions/",
        "/v1/models",
        "/api/chats",
        "/v1/chat/completions/stop",
        None,
        7,
        b"/v1/chat",
    ],
)
def test_other_addresses_are_let_go_whatever_they_are(address: Any) -> None:
    assert may_ask(address, "shop.example") is False


def test_a_whole_address_a_query_and_a_verb_are_looked_through() -> None:
    assert may_ask("https://api.openai.com/v1/chat/completions?api-version=1")
    assert may_ask("/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse")
    assert not may_ask("/orders?next=/v1/chat/completions")
    assert may_ask("/", "abc.endpoints.huggingface.cloud"), "there any path may be a model's"


def test_what_is_unknown_is_looked_at_until_there_is_too_much_of_it() -> None:
    unknown = Unknown()
    for number in range(Unknown.MOST - 1):
        unknown.leave("shop.example", f"/{number}")
    assert unknown.watched
    unknown.leave("shop.example", "/last")
    assert not unknown.watched


def test_an_escaped_path_is_read_without_its_escapes() -> None:
    place = Place("bedrock", None, "/model/anthropic.claude-3%3A0/converse")
    found = recognise(place, candidates(place), {})
    assert found is not None
    assert found.asked.model == "anthropic.claude-3:0"


@pytest.mark.parametrize("body", [b"no json", b"[1]", b"\xff", b"", b'{"question": 1}', b'{"model": "m"}'])
def test_a_body_that_is_none_of_the_protocols_asks_no_model(body: bytes) -> None:
    place = Place("127.0.0.1", 9, "/v1/chat/completions")
    assert recognise(place, candidates(place), body) is None


def test_of_a_body_that_is_too_large_a_known_host_tells_the_provider_and_nothing_the_model() -> None:
    body = b" " * (MOST + 1)
    known, unknown = (Place(host, None, "/v1/chat/completions") for host in ("api.openai.com", "127.0.0.1"))
    found = recognise(known, candidates(known), body)
    assert found is not None
    assert (found.provider, found.asked.model) == ("openai", "")
    assert recognise(unknown, candidates(unknown), body) is None


def test_where_the_address_says_nothing_the_client_does_and_then_the_path_and_then_the_protocol() -> None:
    def provider(path: str, hint: str | None = None, host: str = "127.0.0.1") -> str | None:
        place = Place(host, 9, path)
        found = recognise(place, candidates(place), CHAT, hint)
        return found and found.provider

    azure = "/openai/deployments/gpt/chat/completions"
    assert provider("/v1/chat/completions", "groq") == "groq"
    assert provider(azure) == "azure.ai.openai"
    assert provider(azure, "groq") == "groq"
    assert provider("/v1/chat/completions") == "openai"
    assert provider("/v1/chat/completions", "groq", "api.mistral.ai") == "mistral_ai"


def test_an_unusable_row_of_the_setting_is_told_once_and_the_others_count(caplog: pytest.LogCaptureFixture) -> None:
    place = Place("127.0.0.1", 8000, "/v1/chat/completions")
    with (
        addresses("nonsense,host:port=x,h=p:unknown_protocol,127.0.0.1=mine"),
        caplog.at_level(logging.WARNING, "otel_chatbot"),
    ):
        for _ in range(2):
            found = named(place)
            assert found is not None
            assert found.provider == "mine"
    told = [record.args[0] for record in caplog.records if isinstance(record.args, tuple)]
    assert told == ["nonsense", "host:port=x", "h=p:unknown_protocol"]


def test_an_address_without_its_query_has_the_port_where_it_is_not_the_schemes_own() -> None:
    assert Place("a.example", None, "/v1/chat?key=secret").url == "https://a.example/v1/chat"
    assert Place("a.example", 8080, "/v1", "http").url == "http://a.example:8080/v1"


def test_a_host_of_a_provider_is_known_with_more_in_front_and_no_other() -> None:
    assert provider_of("eu.api.mistral.ai") == "mistral_ai"
    assert provider_of("api.mistral.ai.example") is None
    assert provider_of("ai") is None
    assert provider_of("") is None


@pytest.mark.parametrize(
    ("row", "provider", "protocol"),
    [
        ("127.0.0.1=my_proxy", "my_proxy", "openai_chat"),
        ("127.0.0.1:9999/v1=elsewhere,127.0.0.1:8000/v1=here", "here", "openai_chat"),
        ("127.0.0.1:8000/v1/chat=narrow,127.0.0.1=wide", "narrow", "openai_chat"),
        ("127.0.0.1=mine:anthropic", "mine", None),
    ],
)
def test_a_setting_names_further_addresses(row: str, provider: str, protocol: str | None) -> None:
    with addresses(row):
        place = Place("127.0.0.1", 8000, "/v1/chat/completions", "http")
        found = recognise(place, candidates(place), {"model": "m", "messages": []})
        odd = Place("127.0.0.1", 8000, "/ask", "http")
        asks = recognise(odd, candidates(odd), {"model": "m", "messages": [], "max_tokens": 9})
    assert (found and found.provider, found and found.protocol.name) == ((provider, protocol) if protocol else (None, None))
    assert (asks is not None) == (protocol is None)


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.openai.com", "openai"), ("mine.openai.azure.com", "azure.ai.openai"), ("api.x.ai", "x_ai"),
        ("api.groq.com", "groq"), ("evil-api.openai.com.example.org", None), ("eu-west-1.aiplatform.googleapis.com", "gcp.vertex_ai"),
    ],
)  # fmt: skip
def test_a_known_host_tells_the_provider(host: str, provider: str | None) -> None:
    place = Place(host, None, "/v1/chat/completions")
    found = recognise(place, candidates(place), {"model": "m", "messages": []})
    assert found is not None
    assert (found.provider, found.known) == (provider or "openai", provider is not None)
