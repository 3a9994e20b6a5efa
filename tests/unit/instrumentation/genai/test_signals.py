"""What an answer's own fields tell of its quality: on each wire, whole and streamed, in a request and outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from support.ai import watched
from support.databases import Figures

from otel_chatbot._guard import Guard
from otel_chatbot.instrumentation.genai import signals, wire_call
from otel_chatbot.instrumentation.genai.recognise import Place
from otel_chatbot.quality.signals import figures
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m

CHAT = Place("127.0.0.1", 9, "/v1/chat/completions", "http"), {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
CLAUDE = Place("127.0.0.1", 9, "/v1/messages", "http"), {**CHAT[1], "max_tokens": 9}
RESPONSES = Place("127.0.0.1", 9, "/v1/responses", "http"), {"model": "m", "input": "hi"}
GEMINI = Place("127.0.0.1", 9, "/v1beta/models/m:generateContent", "http"), {"contents": [{"parts": [{"text": "hi"}]}]}
EMBEDDINGS = Place("127.0.0.1", 9, "/v1/embeddings", "http"), {"model": "m", "input": "hi"}
Asked = tuple[Place, dict[str, Any]]


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    with watched():
        yield


def chat(reason: str | None, **message: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": 0, "finish_reason": reason, "message": message}]}


def response(*items: dict[str, Any], status: str = "completed", **more: Any) -> dict[str, Any]:
    return {"model": "m", "status": status, "output": list(items), **more}


def gemini(reason: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, "finishReason": reason}]}


def told(
    asked: Asked, *bodies: dict[str, Any], kind: str = "application/json", leave: bool = False, status: int = 200
) -> set[str]:
    """The signals of one call whose answer is this; several bodies are the events of a stream."""
    seen = Figures()
    place, body = asked
    sent = wire_call.begin(place, lambda: body)
    assert sent is not None
    with sent:
        pass
    if sent.responded(status, {"content-type": kind}.get, decoded=False):
        for one in bodies:
            sent.feed(b"data: " + orjson.dumps(one) + b"\n\n" if kind == "text/event-stream" else orjson.dumps(one))
        sent.closed() if leave else sent.finish()
    return {str(attributes[a.ANSWER_SIGNAL]) for attributes, _ in seen.named(m.ANSWER_SIGNALS)}


@pytest.mark.parametrize(
    ("asked", "answer", "expected"),
    [
        (CHAT, chat("stop", content="Hello"), set()),
        (CHAT, chat("length", content="Hel"), {"cut_off"}),
        (CHAT, chat("content_filter", content=""), {"refused"}),
        (CHAT, chat("stop", content=None, refusal="I cannot help"), {"refused"}),
        (CHAT, chat("stop", content=" \n"), {"empty"}),
        (CHAT, chat("length", content="", reasoning_content="Let me think"), {"cut_off", "empty"}),
        (CHAT, chat("tool_calls", tool_calls=[{"id": "1", "function": {"name": "f", "arguments": "{}"}}]), set()),
        (CHAT, chat("stop", content=None, audio={"id": "1", "data": "AAAA"}), set()),
        (CHAT, {"model": "m"}, set()),
        (CLAUDE, {"type": "message", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"}, set()),
        (CLAUDE, {"type": "message", "content": [], "stop_reason": "end_turn"}, {"empty"}),
        (CLAUDE, {"type": "message", "content": [], "stop_reason": "refusal"}, {"refused"}),
        (CLAUDE, {"type": "message", "content": [{"type": "web_search_tool_result"}], "stop_reason": "pause_turn"}, set()),
        (RESPONSES, response({"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}), set()),
        (RESPONSES, response({"type": "message", "content": [{"type": "refusal", "refusal": "No"}]}), {"refused"}),
        (RESPONSES, response({"type": "image_generation_call", "result": "AAAA"}), set()),
        (RESPONSES, response({"type": "reasoning"}), {"empty"}),
        (
            RESPONSES,
            response({"type": "message", "content": [{"text": "H"}]}, status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            {"cut_off"},
        ),
        (GEMINI, gemini("STOP", {"text": "Hi"}), set()),
        (GEMINI, gemini("STOP", {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}), set()),
        (GEMINI, gemini("STOP", {"text": "hm", "thought": True}), {"empty"}),
        (GEMINI, gemini("MAX_TOKENS", {"text": "H"}), {"cut_off"}),
        (GEMINI, {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, {"refused"}),
        (EMBEDDINGS, {"model": "m", "data": []}, set()),
    ],
)  # fmt: skip
def test_an_answers_fields_say_how_it_ended(asked: Asked, answer: dict[str, Any], expected: set[str]) -> None:
    assert told(asked, answer) == expected


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        ([({"content": "Hel"}, None), ({"content": "lo"}, "stop")], set()),
        ([({"content": "Hel"}, None), ({}, "length")], {"cut_off"}),
        ([({"refusal": "I can"}, None), ({"refusal": "not"}, "stop")], {"refused"}),
        ([({"role": "assistant"}, None), ({}, "stop")], {"empty"}),
    ],
)
def test_a_streamed_answer_tells_the_same(deltas: list[tuple[dict[str, Any], str | None]], expected: set[str]) -> None:
    events = [{"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} for delta, reason in deltas]
    assert told((CHAT[0], {**CHAT[1], "stream": True}), *events, kind="text/event-stream") == expected


def test_a_stream_that_the_user_stops_is_not_empty() -> None:
    event = {"choices": [{"index": 0, "delta": {}, "finish_reason": None}]}
    assert told((CHAT[0], {**CHAT[1], "stream": True}), event, kind="text/event-stream", leave=True) == set()


def test_a_call_that_fails_has_no_answer_to_judge() -> None:
    assert told(CHAT, chat("length", content=""), status=500) == set()


def test_a_fault_in_the_look_for_signs_stays_in_it(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(Guard, "strict", False)
    monkeypatch.setattr(figures, "state", lambda: 1 / 0)
    signals.heard(None, None)  # type: ignore[arg-type]
    assert "looking for signs of bad answers: ZeroDivisionError" in caplog.text
