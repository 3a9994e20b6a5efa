"""The turn that a request is: its phases, its cost, its conversation, and whether it is one at all."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.trace import INVALID_SPAN_CONTEXT
from support.databases import Figures, undisturbed

from otel_chatbot import _wiring, cache_hits, messages_received
from otel_chatbot.instrumentation.common import chat_turn
from otel_chatbot.instrumentation.common.chat_turn import ChatTurn
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.metrics.deduplication import Scope
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.attributes import Phase


@pytest.fixture(autouse=True)
def scope(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scope]:
    """A running request that names no conversation."""
    monkeypatch.setattr(_wiring, "NAMED_CONVERSATION", lambda: "")
    with undisturbed():
        record.activate(m.TURN_TIME, m.MESSAGES_SENT, m.MESSAGES_RECEIVED, m.CACHE_HITS)
        found = Scope(ends=True)
        token = deduplication.enter(found)
        yield found
        deduplication.leave(token)
        found.close()


def finished(scope: Scope, seconds: float | None = 2.0, **more: Any) -> dict[str, Any]:
    """The attributes that the request's span gets."""
    attributes: dict[str, Any] = {}
    chat_turn.finish(scope, seconds, INVALID_SPAN_CONTEXT, attributes, **more)
    return attributes


def turn() -> ChatTurn:
    found = chat_turn.running()
    assert found is not None
    return found


def test_a_request_has_one_turn_and_outside_of_requests_there_is_none(scope: Scope) -> None:
    assert chat_turn.running() is chat_turn.running(scope) is turn()
    own = turn()
    with deduplication.request_scope():
        assert turn() is not own
    outside = Scope(ends=False)
    assert chat_turn.running(outside) is None
    assert outside.turn is None


def test_a_turns_phases_are_measured_and_told_with_its_whole_time(scope: Scope) -> None:
    figures = Figures()
    chat_turn.spent(Phase.HISTORY, 0.25)
    chat_turn.spent(Phase.HISTORY, 0.25)
    turn().calls += 1
    chat_turn.spent(Phase.HISTORY, 9.0)
    turn().spent(Phase.GENERATION, 1.0)
    attributes = finished(scope)
    assert attributes == {
        a.PHASE_SECONDS[Phase.HISTORY]: 0.5, a.PHASE_SECONDS[Phase.GENERATION]: 1.0, a.PHASE_SECONDS[Phase.TOTAL]: 2.0,
    }  # fmt: skip
    assert figures.series(m.TURN_TIME) == {("history",): 1, ("generation",): 1, ("total",): 1}


def test_a_request_that_asks_no_model_is_no_turn(scope: Scope) -> None:
    figures = Figures()
    chat_turn.spent(Phase.HISTORY, 0.25)
    assert finished(scope) == {}
    assert figures.series(m.TURN_TIME) == {}


@pytest.mark.parametrize(("hit", "received", "is_turn"), [(True, True, True), (True, False, False), (False, True, False)])
def test_an_answer_from_the_cache_is_a_turn_where_it_was_also_stored(
    scope: Scope, hit: bool, received: bool, is_turn: bool
) -> None:
    if hit:
        cache_hits.inc()
    if received:
        messages_received.inc()
    assert (a.PHASE_SECONDS[Phase.TOTAL] in finished(scope)) is is_turn


def test_a_turn_that_the_application_answers_from_its_cache_is_one(scope: Scope) -> None:
    turn().answered = True
    assert finished(scope) == {a.PHASE_SECONDS[Phase.TOTAL]: 2.0}


def test_a_connection_with_several_turns_has_no_time_of_its_own(scope: Scope) -> None:
    turn().calls = 2
    turn().cost = Decimal("0.5")
    assert finished(scope, seconds=None) == {a.COST: 0.5}


def test_the_conversation_is_what_was_written_then_what_the_request_names_then_what_it_began(
    scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not chat_turn.conversation_id()
    chat_turn.began(7)
    assert (chat_turn.conversation_id(), chat_turn.begun_conversation(scope)) == ("7", "7")
    turn().named = None
    monkeypatch.setattr(_wiring, "NAMED_CONVERSATION", lambda: "named")
    assert chat_turn.conversation_id() == "named"
    chat_turn.met(None)
    chat_turn.met("written")
    chat_turn.met("another")
    chat_turn.began("late")
    assert (chat_turn.conversation_id(), chat_turn.written_conversation(scope)) == ("written", "written")
    assert finished(scope) == {a.GEN_AI_CONVERSATION_ID: "written"}
    assert chat_turn.begun_conversation(scope) == "7"


def test_a_conversation_that_the_span_has_already_stays(scope: Scope) -> None:
    chat_turn.met("written")
    attributes: dict[str, Any] = {a.GEN_AI_CONVERSATION_ID: "of the request"}
    chat_turn.finish(scope, 1.0, INVALID_SPAN_CONTEXT, attributes)
    assert attributes[a.GEN_AI_CONVERSATION_ID] == "of the request"


@pytest.mark.parametrize(
    ("calls", "route", "stored", "told"),
    [
        (1, None, False, True),
        (0, "/chat", False, True),
        (0, "/login", False, False),
        (0, None, False, False),
        (1, "/chat", True, False),
    ],
)
def test_documents_that_nobody_recognised_are_told_of_where_a_chat_is_likely_and_nothing_was_recognised(
    scope: Scope, monkeypatch: pytest.MonkeyPatch, calls: int, route: str | None, stored: bool, told: bool
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(_wiring, "UNREAD_DOCUMENTS", seen.append)
    turn().unread["notes"] = ("text",)
    turn().calls = calls
    if stored:
        messages_received.inc()
    finished(scope, route=route)
    assert seen == ([{"notes": ("text",)}] if told else [])


def test_a_model_that_answers_after_the_request_is_over_tells_of_messages_once(scope: Scope) -> None:
    figures = Figures()
    running = turn()
    running.calls = 1
    finished(scope)
    for _ in range(2):
        chat_turn.replied(running, to_a_question=True)
    scope.close()
    assert (figures(m.MESSAGES_SENT), figures(m.MESSAGES_RECEIVED)) == (1.0, 1.0)
