"""No word of a model call leaves: not of the question, the answer, tools' arguments and results, keys and headers, in no wire.

Looked for in spans, metrics with their exemplars, and log lines. test_wire_spans.py has what is told where content is opted in;
tests/stack/test_canary.py looks at what leaves the process in the end.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import requests
from support.ai import watched
from support.clients import bare
from support.clients.scenario import Prompt
from support.clients.shapes import SHAPES, Shape
from support.wires import ask
from support.wires.server import WiresServer

from otel_chatbot import config
from otel_chatbot.logs.formatters import JsonFormatter
from otel_chatbot.metrics import view
from otel_chatbot.metrics.exposition import openmetrics_text
from otel_chatbot.semconv import metrics as m

WORD = "canary"
"""What every canary below has in it."""
HEADERS = {name: f"canary-{name}" for name in ("Authorization", "x-api-key", "api-key", "x-goog-api-key", "Cookie", "X-Mine")}
TOOL = {"type": "function", "name": "weather", "function": {"name": "weather", "description": "canary-description"}}
CALLED = [
    {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "weather", "arguments": '{"city": "canary-sent"}'}}]},
    {"role": "tool", "tool_call_id": "1", "content": "canary-result"},
]
HTTPX = httpx.Client(trust_env=False)
Send = Callable[[str, Any], object]
CLIENTS: dict[str, Send] = {
    "httpx": lambda url, body: HTTPX.post(url, json=body, headers=HEADERS, timeout=60),
    "requests": lambda url, body: requests.post(url, json=body, headers=HEADERS, timeout=60),
    "urlopen": lambda url, body: bare.with_urlopen(Prompt("", "", "plain", "canary-tag"), Shape("", url, lambda _: body)),
}


class Lines(logging.Handler):
    """All log lines of the process, as the package writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    handler = Lines()
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler.written
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture(scope="module")
def server() -> Iterator[WiresServer]:
    made = WiresServer().start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(autouse=True)
def hidden(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Content is not opted in, and what a model asks tools for is a canary."""
    monkeypatch.setitem(ask.ARGUMENTS, "city", "canary-asked")
    monkeypatch.setenv("CHATBOT_OTEL_AI_ADDRESSES", "")
    config.current.cache_clear()
    yield
    monkeypatch.undo()
    config.current.cache_clear()


def bodies(shape: Shape, prompt: Prompt) -> Iterator[Any]:
    """A question, one with tools offered, and one with what a tool has told."""
    body = shape.body(prompt)
    yield body
    yield {**body, "tools": [TOOL]}
    if "messages" in body:
        yield {**body, "messages": [*body["messages"], *CALLED], "tools": [TOOL]}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("mode", ["plain", "fails", "garbage"])
def test_no_word_of_a_call_leaves(server: WiresServer, lines: list[str], client: str, mode: str) -> None:
    with watched() as watch:
        sent = 0
        for shape in SHAPES:
            address = f"{server.url}{shape.path}{'&' if '?' in shape.path else '?'}key=canary-key"
            for body in bodies(shape, Prompt(server.url, "", mode, "canary-tag")):
                with contextlib.suppress(httpx.HTTPError, requests.RequestException, ValueError):
                    CLIENTS[client](address, body)
                sent += 1
        assert watch.total(m.AI_RESPONSE_TIME) == sent
        told = "".join(span.to_json() for span in watch.spans)
        assert len(watch.spans) == sent
        figures = openmetrics_text(view.read()).decode()
    assert "trace_id" in figures, "no exemplar"
    for place, text in (("spans", told), ("metrics", figures), ("logs", "\n".join(lines))):
        assert WORD not in text, f"{place}: {text[max(text.find(WORD) - 200, 0) : text.find(WORD) + 40]}"
        assert "coffee" not in text, "of the answer"
    if client == "httpx":
        assert any("HTTP Request" in line for line in lines), "httpx tells of its requests, with their address"


def test_tools_that_are_asked_for_are_told_with_arguments_where_content_is_opted_in(
    server: WiresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATBOT_OTEL_CAPTURE_CONTENT", "true")
    config.current.cache_clear()
    with watched() as watch:
        for shape in SHAPES:
            if "messages" in shape.body(Prompt("", "", "plain", "")) and not shape.name.startswith("ollama"):
                body = {**shape.body(Prompt(server.url, "", "plain", "tools")), "tools": [TOOL]}
                CLIENTS["httpx"](f"{server.url}{shape.path}", body)
                told = json.loads(str((watch.spans[-1].attributes or {})["gen_ai.output.messages"]))
                asked = [part["arguments"] for part in told[0]["parts"] if part["type"] == "tool_call"]
                assert asked == [{"city": "canary-asked"}], shape.name
        assert not any(f'"{value}"' in span.to_json() for span in watch.spans for value in HEADERS.values())
