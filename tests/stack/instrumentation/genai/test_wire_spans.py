"""The spans of requests written by hand, in every wire: who was asked, what it took, and no word of it unless opted in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
from support.ai import watched
from support.clients.scenario import Prompt
from support.clients.shapes import SHAPES, Shape
from support.wires.ask import TEXT
from support.wires.server import WiresServer

from otel_chatbot import chat_completion, config
from otel_chatbot.semconv import metrics as m

CANARY = "canary-7f3a"
EACH = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
OPERATIONS = {"chat", "text_completion", "generate_content", "embeddings"}
PROVIDERS = {
    "openai": "openai", "azure": "azure.ai.openai", "groq": "openai", "mistral": "openai", "anthropic": "anthropic",
    "gemini": "gcp.gemini", "vertex": "gcp.vertex_ai", "ollama": "ollama", "cohere": "cohere", "tgi": "text_generation_inference",
}  # fmt: skip
"""By the first word of a shape's name; of an endpoint that speaks OpenAI's wire under another name nothing says whose it is."""


@pytest.fixture(scope="module")
def server() -> Iterator[WiresServer]:
    made = WiresServer().start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No address is named."""
    monkeypatch.setenv("CHATBOT_OTEL_AI_ADDRESSES", "")
    config.current.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    config.current.cache_clear()


def send(server: WiresServer, shape: Shape, client: str = "httpx") -> str:
    prompt = Prompt(server.url, "", "plain", CANARY)
    headers = {"Authorization": f"Bearer {CANARY}", "x-api-key": CANARY}
    body = shape.body(prompt)
    if client == "requests":
        return requests.post(server.url + shape.path, json=body, headers=headers, timeout=30).text
    return httpx.post(server.url + shape.path, json=body, headers=headers, timeout=30).text


@EACH
@pytest.mark.parametrize("client", ["httpx", "requests"])
def test_a_span_says_who_was_asked_and_not_a_word_of_it(
    server: WiresServer, nowhere: pytest.MonkeyPatch, shape: Shape, client: str
) -> None:
    with watched() as watch:
        send(server, shape, client)
    span = watch.span
    told = dict(span.attributes or {})
    assert told["gen_ai.operation.name"] in OPERATIONS
    assert told["gen_ai.provider.name"] == PROVIDERS[shape.name.split("_")[0]]
    assert span.name == f"{told['gen_ai.operation.name']} {told['gen_ai.request.model']}".strip()
    assert (told["server.address"], told["server.port"]) == ("127.0.0.1", server.server_port)
    assert told.get("gen_ai.request.stream", False) == shape.streamed
    assert CANARY not in span.to_json()
    assert "coffee" not in span.to_json(), "of the answer"
    assert watch.total(m.AI_RESPONSE_TIME) == 1.0


@EACH
def test_with_content_a_span_has_question_and_answer(server: WiresServer, nowhere: pytest.MonkeyPatch, shape: Shape) -> None:
    nowhere.setenv("CHATBOT_OTEL_CAPTURE_CONTENT", "true")
    config.current.cache_clear()
    with watched() as watch:
        send(server, shape)
    told = dict(watch.span.attributes or {})
    assert f"Bearer {CANARY}" not in watch.span.to_json()
    if told["gen_ai.operation.name"] == "embeddings":
        return
    asked: Any = json.loads(str(told["gen_ai.input.messages"]))
    answered: Any = json.loads(str(told["gen_ai.output.messages"]))
    assert asked[0]["role"] == "user"
    assert CANARY in asked[0]["parts"][0]["content"]
    assert "".join(part["content"] for part in answered[0]["parts"] if part["type"] == "text") == TEXT


def test_a_call_told_by_hand_holds_what_is_sent_inside_of_it(server: WiresServer, nowhere: pytest.MonkeyPatch) -> None:
    with watched() as watch, chat_completion("mine", "my-model") as call:
        send(server, SHAPES[0])
        call.usage(3, 4)
    assert watch.counted(m.AI_RESPONSE_TIME) == {("mine", "my-model", None): 1.0}
    assert watch.tokens() == {"input": 3.0, "output": 4.0}


def test_what_is_no_model_call_is_not_counted(server: WiresServer, nowhere: pytest.MonkeyPatch) -> None:
    with watched() as watch:
        httpx.get(server.url + "/v1/chat/completions")
        httpx.post(server.url + "/v1/chat/completions", json={"question": "no messages"})
        httpx.post(server.url + "/v1/chat/completions", content=b"\xff no json")
        httpx.post(server.url + "/api/chat", json={"message": "to an app's own service"})
    assert watch.total(m.AI_RESPONSE_TIME) == 0
    assert watch.spans == []
