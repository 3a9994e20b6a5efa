"""Signals end to end: a request, a model's answer on its wire, the counter; judged by labelled conversations."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import pytest
from flask import Flask
from support.ai import watched
from support.databases import Figures
from support.flask_hooks import hooked
from support.labelled_chats import conversations
from support.signal_script import Script, ask, openai

from otel_chatbot import cached_answer, config
from otel_chatbot.quality.signals import figures
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.attributes import AnswerSignal

RESET = "How do I reset my password?"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """An app whose view asks a model what the request says, as often as it has texts."""
    monkeypatch.setenv("CHATBOT_OTEL_LEFT_AFTER", "60")
    config.current.cache_clear()
    app = Flask("signals")

    @app.post("/chat/<conversation_id>/<ending>/<path:texts>")
    def chat(conversation_id: str, ending: str, texts: str) -> str:
        end = None if ending in ("well", "fails") else AnswerSignal(ending)
        for text in texts.split("/"):
            asked = [{"role": "user", "content": text}] if text != "tool" else [{"role": "tool", "content": "found"}]
            ask(
                openai,
                "gpt-4o-mini",
                asked,
                None if text == "well" else end,
                "An answer",
                status=500 if ending == "fails" else 200,
            )
        return conversation_id

    with hooked(), watched():
        yield app
    config.current.cache_clear()


def told(seen: Figures) -> dict[str, float]:
    return {str(attributes[a.ANSWER_SIGNAL]): value for attributes, value in seen.named(m.ANSWER_SIGNALS)}


def test_labelled_conversations_get_the_signals_that_they_deserve(scale: int) -> None:
    judged = Script().judge(conversations(min(1000, 70 * scale), seed=20))
    for signal in AnswerSignal:
        assert judged.precision(signal) >= 0.9, f"{signal.value}: {judged.wrong[signal.value]} wrongly"
        assert judged.recall(signal) >= 0.8, f"{signal.value}: {judged.missed[signal.value]} missed"
        assert judged.right[signal.value]


def test_a_signal_counts_with_model_and_release_once_per_answer(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "version", lambda: "7.1")
    seen = Figures()
    app.test_client().post("/chat/once/cut_off/a question/tool/tool")
    assert seen.named(m.ANSWER_SIGNALS) == [
        ({a.ANSWER_SIGNAL: "cut_off", a.GEN_AI_REQUEST_MODEL: "gpt-4o-mini", a.RELEASE: "7.1"}, 1)
    ]


def test_two_questions_in_one_request_have_two_answers(app: Flask) -> None:
    seen = Figures()
    app.test_client().post("/chat/two/empty/a question/another one/well")
    assert told(seen) == {"empty": 2}


def test_the_same_tool_with_the_same_arguments_is_a_loop_from_the_third_time_on(app: Flask) -> None:
    seen = Figures()
    app.test_client().post("/chat/loop/tool_loop/a question/tool")
    assert told(seen) == {}
    app.test_client().post("/chat/loop/tool_loop/something else/tool/tool/tool")
    assert told(seen) == {"tool_loop": 1}


def test_requests_whose_conversation_nobody_names_give_only_what_the_answer_tells(app: Flask) -> None:
    @app.post("/nameless")
    def nameless() -> str:
        ask(openai, "gpt-4o-mini", [{"role": "user", "content": RESET}], AnswerSignal.CUT_OFF, "An answer")
        return ""

    seen = Figures()
    for _ in range(2):
        app.test_client().post("/nameless")
    assert told(seen) == {"cut_off": 2}


def test_an_answer_from_the_cache_goes_on_with_a_conversation(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    @app.post("/cached/<conversation_id>")
    def cached(conversation_id: str) -> str:
        cached_answer("openai", "gpt-4o-mini", 10, 10)
        return conversation_id

    now = 1000.0
    monkeypatch.setattr(figures, "monotonic", lambda: now)
    seen, client = Figures(), app.test_client()
    for conversation in ("stays", "leaves"):
        client.post(f"/chat/{conversation}/fails/{RESET}")
    now = 1030.0
    client.post("/cached/stays")
    now = 1100.0
    figures.sweep()
    assert told(seen) == {"left_after_error": 1}


def test_auto_off_names_the_signals_too(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATBOT_OTEL_AUTO_OFF", m.ANSWER_SIGNALS.name)
    config.current.cache_clear()
    seen = Figures()
    for _ in range(2):
        app.test_client().post(f"/chat/off/cut_off/{RESET}")
    assert told(seen) == {}


def test_a_forked_child_waits_for_no_turn_of_its_parent(app: Flask) -> None:
    app.test_client().post(f"/chat/fork/fails/{RESET}")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with patch.object(figures, "monotonic", lambda: 1e9):
            figures.sweep()
        os.write(writing, b"none" if figures._Process.state is None else b"some")
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    assert os.read(reading, 9) == b"none"
    os.close(reading)


def test_nothing_that_is_kept_holds_a_word_of_a_question_or_an_answer(app: Flask, tmp_path: Path) -> None:
    with patch.object(figures, "_folder", lambda: str(tmp_path)):
        config.current.cache_clear()
        for ending in ("well", "fails", "cut_off", "well"):
            app.test_client().post(f"/chat/conversationcanary/{ending}/questioncanary wordcanary")
        assert figures._Process.state is not None
        kept = list(reachable(figures._Process.state))
        figures._renew()
    words = (b"canary", b"questi", b"An answer")
    assert kept
    assert not [one for one in kept if any(word in one for word in words)]
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert content.strip(b"\0")
        assert not any(word in content for word in words)


def reachable(root: object) -> Iterator[bytes]:
    """Every text and every piece of memory that hangs on an object."""
    waiting, known = [root], {id(root)}
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one.encode()
        elif isinstance(one, (bytes, bytearray)):
            yield bytes(one)
        for found in gc.get_referents(one):
            if id(found) not in known and not isinstance(found, (type, ModuleType)) and not callable(found):
                known.add(id(found))
                waiting.append(found)
