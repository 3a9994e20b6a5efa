"""Plays labelled conversations to a Flask app whose view asks a model over three wires, by a clock of its own, and judges the signals.

Everything between the request and the counter is real but the network: the hooks of Flask, the reading of requests and answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import orjson
from flask import Flask, request

from otel_chatbot.instrumentation.flask import request as served
from otel_chatbot.instrumentation.genai import wire_call
from otel_chatbot.instrumentation.genai.recognise import Place
from otel_chatbot.quality.signals import figures, sketch
from otel_chatbot.quality.signals.table import Table
from otel_chatbot.semconv.attributes import AnswerSignal

from .ai import watched
from .flask_hooks import hooked
from .labelled_chats import LEFT_AFTER, SLOW, Judged, Told, stable_hash

LATER = frozenset({AnswerSignal.LEFT_AFTER_ERROR, AnswerSignal.LEFT_AFTER_SLOW})
ARGUMENTS = {"query": "the same"}
Messages = list[dict[str, Any]]


def openai(model: str, messages: Messages, ending: AnswerSignal | None, text: str) -> tuple[Place, Any, Any]:
    reason = {AnswerSignal.REFUSED: "content_filter", AnswerSignal.CUT_OFF: "length", AnswerSignal.TOOL_LOOP: "tool_calls"}
    said: dict[str, Any] = {"role": "assistant", "content": "" if ending is AnswerSignal.EMPTY else text}
    if ending is AnswerSignal.TOOL_LOOP:
        called = {"name": "search", "arguments": orjson.dumps(ARGUMENTS).decode()}
        said = {"role": "assistant", "tool_calls": [{"id": "t1", "function": called}]}
    asked = {"model": model, "messages": [{"role": "system", "content": "Be kind."}, *messages]}
    choice = {"index": 0, "message": said, "finish_reason": reason.get(ending, "stop") if ending else "stop"}
    return Place("127.0.0.1", 9, "/v1/chat/completions", "http"), asked, {"model": model, "choices": [choice]}


def anthropic(model: str, messages: Messages, ending: AnswerSignal | None, text: str) -> tuple[Place, Any, Any]:
    reason = {AnswerSignal.REFUSED: "refusal", AnswerSignal.CUT_OFF: "max_tokens", AnswerSignal.TOOL_LOOP: "tool_use"}
    content: Messages = [] if ending in (AnswerSignal.EMPTY, AnswerSignal.REFUSED) else [{"type": "text", "text": text}]
    if ending is AnswerSignal.TOOL_LOOP:
        content = [{"type": "tool_use", "id": "t1", "name": "search", "input": ARGUMENTS}]
    said = [message if isinstance(message["content"], str) else _found_for_anthropic(message) for message in messages]
    asked = {"model": model, "max_tokens": 50, "system": "Be kind.", "messages": said}
    answer = {"type": "message", "role": "assistant", "model": model, "content": content}
    return Place("127.0.0.1", 9, "/v1/messages", "http"), asked, {**answer, "stop_reason": reason.get(ending, "end_turn") if ending else "end_turn"}  # fmt: skip


def _found_for_anthropic(message: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "nothing"}]}


def gemini(model: str, messages: Messages, ending: AnswerSignal | None, text: str) -> tuple[Place, Any, Any]:
    reason = {AnswerSignal.REFUSED: "SAFETY", AnswerSignal.CUT_OFF: "MAX_TOKENS"}
    parts: Messages = [] if ending in (AnswerSignal.EMPTY, AnswerSignal.REFUSED) else [{"text": text}]
    if ending is AnswerSignal.TOOL_LOOP:
        parts = [{"functionCall": {"name": "search", "args": ARGUMENTS}}]
    roles = {"user": "user", "assistant": "model", "tool": "user"}
    found = {"functionResponse": {"name": "search", "response": {}}}
    contents = [
        {"role": roles[one["role"]], "parts": [found if one["role"] == "tool" else {"text": one["content"]}]}
        for one in messages
    ]
    asked = {"contents": contents, "systemInstruction": {"parts": [{"text": "Be kind."}]}}
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": reason.get(ending, "STOP") if ending else "STOP"}
    place = Place("127.0.0.1", 9, f"/v1beta/models/{model}:generateContent", "http")
    return place, asked, {"candidates": [candidate], "modelVersion": model}


WIRES = (openai, anthropic, gemini)


class Script:
    """Plays conversations, interleaved in time, and collects what was told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.told: list[tuple[AnswerSignal, str]] = []
        self.histories: dict[int, Messages] = {}
        self._turn: tuple[int, int, Told]
        self.app = Flask("script")
        self.app.post("/chat")(self._chat)

    def judge(self, conversations: Iterable[list[Told]]) -> Judged:
        """Play them all."""
        known = list(conversations)
        judged = Judged()
        later: Counter[tuple[str, AnswerSignal]] = Counter()
        with self.installed():
            client = self.app.test_client()
            for number, at, when in sorted(_times(known), key=lambda time: time[2]):
                turn = known[number][at]
                self._turn, self.now, self.told = (number, at, turn), when, []
                client.post("/chat", json={"conversation_id": f"c{number}"})
                later.update({(model, signal): 1 for signal, model in self.told if signal in LATER})
                judged.turn({signal for signal, _ in self.told} - LATER, turn.labels - LATER)
            self.now += LEFT_AFTER + 1
            self.told = []
            for _ in range(len(known)):
                figures.sweep()
            later.update((model, signal) for signal, model in self.told)
        for number, turns in enumerate(known):
            for signal in LATER:
                due, got = sum(signal in turn.labels for turn in turns), later[f"m{number}", signal]
                judged.right[signal.value] += min(due, got)
                judged.wrong[signal.value] += max(got - due, 0)
                judged.missed[signal.value] += max(due - got, 0)
        return judged

    def installed(self) -> ExitStack:
        """The hooks, with this script's clock and its ear at the counter."""
        stack = ExitStack()
        settings = {"CHATBOT_OTEL_SLOW_ANSWER": str(SLOW), "CHATBOT_OTEL_LEFT_AFTER": str(LEFT_AFTER)}
        stack.enter_context(patch.dict("os.environ", settings))
        stack.callback(figures.config.current.cache_clear)
        figures.config.current.cache_clear()
        stack.enter_context(patch.object(figures, "_count", lambda signal, model: self.told.append((signal, model))))
        stack.enter_context(patch.object(sketch, "hash", stable_hash, create=True))
        stack.enter_context(patch.object(Table, "secret", lambda _table: "known"))
        stack.enter_context(patch.object(figures, "monotonic", lambda: self.now))
        stack.enter_context(patch.object(served, "perf_counter", lambda: self.now))
        stack.enter_context(hooked())
        stack.enter_context(watched())
        return stack

    def _chat(self) -> tuple[str, int]:
        number, at, turn = self._turn
        assert request.get_json()["conversation_id"]
        history = self.histories.setdefault(number, [])
        if turn.again and len(history) >= 2:
            del history[-2:]
        history.append({"role": "user", "content": turn.text})
        text = f"Answer {at} of {number}, which is long enough."
        wire, asked = WIRES[number % 3], list(history)
        self.now += turn.seconds
        if turn.fails:
            ask(wire, f"m{number}", asked, None, text, status=500)
            return "", 502
        for _ in range(3 if turn.ending is AnswerSignal.TOOL_LOOP else 0):
            ask(wire, f"m{number}", asked, AnswerSignal.TOOL_LOOP, text)
            asked += [{"role": "assistant", "content": "I search."}, {"role": "tool", "content": None}]
        ask(wire, f"m{number}", asked, None if turn.ending is AnswerSignal.TOOL_LOOP else turn.ending, text)
        history.append({"role": "assistant", "content": text})
        return text, 200


def ask(
    wire: Callable[..., Any], model: str, messages: Messages, ending: AnswerSignal | None, text: str, status: int = 200
) -> None:
    """One call of a model, as a transport sees it."""
    place, asked, answer = wire(model, messages, ending, text)
    sent = wire_call.begin(place, lambda: asked)
    assert sent is not None
    with sent:
        pass
    if sent.responded(status, {"content-type": "application/json"}.get, decoded=False):
        sent.whole(orjson.dumps(answer))


def _times(known: list[list[Told]]) -> Iterable[tuple[int, int, float]]:
    for number, turns in enumerate(known):
        now = 1000.0 + 37.0 * number
        for at, turn in enumerate(turns):
            now += turn.pause
            yield number, at, now
            now += turn.seconds
