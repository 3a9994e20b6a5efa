"""Messages of turns that store none: a model that has answered tells of one sent and one received, once per turn."""

from __future__ import annotations

import datetime as dt
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
from flask import Flask, Response, abort, stream_with_context
from pymongo.monitoring import CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent
from support.ai import watched
from support.databases import Figures
from support.flask_hooks import hooked

from otel_chatbot import chat_completion, messages_received, messages_sent
from otel_chatbot.config import Settings
from otel_chatbot.instrumentation.common import told_messages
from otel_chatbot.instrumentation.genai.call import Call
from otel_chatbot.instrumentation.genai.protocols.protocol import ModelRequest, asks_of_a_user
from otel_chatbot.instrumentation.mongodb.commands import CommandFigures
from otel_chatbot.metrics import record
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.attributes import GenAiOperation
from otel_chatbot.semconv.spec import Source

NUMBERS = itertools.count(1)
USER, ASSISTANT = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


@pytest.fixture(autouse=True, params=[True, False], ids=["sampled", "unsampled"])
def instrumented(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(CommandFigures, "enabled", True)
    told_messages.ENTRUSTED.renew()
    with hooked(sampled=request.param), watched(sampled=request.param):
        record.activate_source(Source.MONGODB)
        yield
    told_messages.ENTRUSTED.renew()


@pytest.fixture
def figures() -> Figures:
    return Figures()


def ask(times: int = 1) -> str:
    for _ in range(times):
        with chat_completion("openai", "gpt-4o-mini"):
            pass
    return "an answer"


def store(*documents: dict[str, Any], fails: bool = False, collection: str = "messages", reply: Any = None) -> None:
    """What pymongo's events say of an insert."""
    listener, number, address = CommandFigures(), next(NUMBERS), ("db.example", 27017)
    listener.started(CommandStartedEvent({"insert": collection, "documents": list(documents)}, "chat", number, address, 0))
    if fails:
        failure = {"ok": 0, "code": 2, "codeName": "BadValue"}
        listener.failed(CommandFailedEvent(dt.timedelta(0), failure, "insert", number, address, 0, database_name="chat"))
    else:
        good = {"ok": 1, "n": len(documents)}
        listener.succeeded(CommandSucceededEvent(dt.timedelta(0), good, "insert", number, address, 0, database_name="chat"))


def request(view: Callable[[], Any], status: int = 200) -> None:
    app = Flask("told")
    app.post("/chat")(view)
    answer = app.test_client().post("/chat")
    assert answer.status_code == status
    answer.get_data()


def messages(figures: Figures) -> tuple[float, float]:
    return figures(m.MESSAGES_SENT), figures(m.MESSAGES_RECEIVED)


@pytest.mark.parametrize("calls", [1, 5])
def test_a_turn_that_stores_nothing_counts_once_however_often_it_asks(figures: Figures, calls: int) -> None:
    request(lambda: ask(calls))
    assert messages(figures) == (1, 1)
    assert figures(m.CONVERSATIONS_CREATED) == 0


def test_a_turn_that_stores_its_messages_counts_what_it_stores(figures: Figures) -> None:
    def view() -> str:
        store(USER)
        ask()
        store(ASSISTANT)
        return "stored"

    request(view)
    assert messages(figures) == (1, 1)


@pytest.mark.parametrize("stored", [USER, ASSISTANT])
def test_a_turn_that_stores_one_half_counts_that_half(figures: Figures, stored: dict[str, Any]) -> None:
    request(lambda: (ask(), store(stored))[0])
    assert messages(figures) == (1, 0) if stored is USER else (0, 1)


def test_a_store_that_fails_counts_nothing_and_the_model_does_not_speak_for_it(figures: Figures) -> None:
    request(lambda: (ask(), store(USER, ASSISTANT, fails=True))[0])
    assert messages(figures) == (0, 0)


def test_documents_that_nobody_recognises_leave_the_count_to_the_model(figures: Figures) -> None:
    request(lambda: (ask(), store({"when": 1, "blob": "x"}, collection="stuff"))[0])
    assert messages(figures) == (1, 1)


def test_what_is_counted_by_hand_counts_once(figures: Figures) -> None:
    def view() -> str:
        messages_sent.inc()
        answer = ask()
        messages_received.inc()
        return answer

    request(view)
    assert messages(figures) == (1, 1)


def test_a_failed_call_counts_nothing(figures: Figures) -> None:
    def view() -> str:
        with pytest.raises(ZeroDivisionError), chat_completion("openai", "gpt-4o-mini"):
            raise ZeroDivisionError
        with chat_completion("openai", "gpt-4o-mini") as call:
            call.fail("ContentFilter")
        return "sorry"

    request(view)
    assert messages(figures) == (0, 0)


@pytest.mark.parametrize("status", [403, 500])
def test_a_request_that_ends_with_400_or_more_counts_nothing(figures: Figures, status: int) -> None:
    request(lambda: (ask(), abort(status))[0], status)
    assert messages(figures) == (0, 0)


def test_embeddings_are_no_chat(figures: Figures) -> None:
    def view() -> str:
        Call("openai", ModelRequest("text-embedding-3-small", operation=GenAiOperation.EMBEDDINGS)).end()
        return "embedded"

    request(view)
    assert messages(figures) == (0, 0)


@pytest.mark.parametrize("ends_well", [True, False])
def test_a_streamed_answer_counts_when_it_has_ended_well(figures: Figures, ends_well: bool) -> None:
    def view() -> Response:
        def pieces() -> Iterator[str]:
            call = Call("openai", ModelRequest("gpt-4o-mini", streamed=True))
            call.chunk(3)
            yield "one"
            call.end() if ends_well else call.abandon()

        return Response(stream_with_context(pieces()))

    request(view)
    assert messages(figures) == ((1, 1) if ends_well else (0, 0))


def test_outside_of_a_request_a_model_tells_nothing(figures: Figures) -> None:
    ask()
    assert messages(figures) == (0, 0)


def test_auto_off_leaves_the_model_out(figures: Figures, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.from_env({"CHATBOT_OTEL_AUTO_OFF": "messages_from_model"})
    monkeypatch.setattr("otel_chatbot.config.current", lambda: settings)
    request(ask)
    request(lambda: (ask(), store(USER))[0])
    assert messages(figures) == (1, 0)


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("pooled", [False, True], ids=["thread", "pool"])
@pytest.mark.parametrize("when", ["before the answer", "after the answer"])
@pytest.mark.parametrize("how", ["stored", "by hand"])
def test_messages_that_a_thread_stores_count_once(figures: Figures, pooled: bool, when: str, how: str) -> None:
    answered = threading.Event()
    pool = ThreadPoolExecutor(1)

    def save() -> None:
        if when == "after the answer":
            assert answered.wait(60)
        if how == "stored":
            store(USER, ASSISTANT)
        else:
            messages_sent.inc()
            messages_received.inc()

    def turn() -> None:
        works: list[Callable[[], object]] = []

        def view() -> str:
            ask()
            works.append(pool.submit(save).result if pooled else in_thread(save).join)
            if when == "before the answer":
                works.pop()()
            return "answer"

        request(view)
        answered.set()
        for work in works:
            work()

    for number in range(1, 4):
        answered.clear()
        turn()
        assert messages(figures) == (number, number)
    pool.shutdown()


def test_messages_stored_later_in_the_requests_own_context_count_once(figures: Figures) -> None:
    contexts = []
    request(lambda: (ask(), contexts.append(copy_context()))[0])
    contexts[0].run(store, USER, ASSISTANT)
    assert messages(figures) == (1, 1)
    contexts[0].run(store, USER, ASSISTANT)
    assert messages(figures) == (2, 2)


def test_what_other_threads_store_is_not_set_off_against_turns_that_left_them_nothing(figures: Figures) -> None:
    request(ask)
    in_thread(lambda: store(USER, ASSISTANT)).join()
    assert messages(figures) == (2, 2)


def test_a_call_that_ends_after_its_request_tells_then_and_once(figures: Figures) -> None:
    calls: list[Call] = []

    def view() -> str:
        calls.extend(Call("openai", ModelRequest("gpt-4o-mini")) for _ in range(2))
        return "wait"

    request(view)
    assert messages(figures) == (0, 0)
    for call in calls:
        call.end()
    assert messages(figures) == (1, 1)


def test_an_answer_that_another_request_hears_of_belongs_to_that_request(figures: Figures) -> None:
    calls: list[Call] = []
    request(lambda: (calls.append(Call("openai", ModelRequest("gpt-4o"))), "wait")[1])
    request(lambda: (calls[0].end(), store(USER, ASSISTANT), "heard")[2])
    assert messages(figures) == (1, 1)


@pytest.mark.parametrize(
    ("said", "user"),
    [
        ("hello", True),
        (None, False),
        ([USER], True),
        ([USER, ASSISTANT, {"role": "tool", "content": "rain"}], False),
        ([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1"}]}], False),
        ([{"role": "user", "content": [{"type": "text", "text": "q"}]}], True),
        ([{"role": "user", "parts": [{"functionResponse": {}}]}], False),
        ([{"parts": [{"text": "q"}]}], True),
        ([{"type": "function_call_output", "call_id": "1"}], False),
    ],
)
def test_what_tools_found_is_no_question_of_a_user(said: Any, user: bool) -> None:
    assert asks_of_a_user(said) is user
