"""Every empty figure has a reason, in words with the remedy, without a value of the application."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from otel_chatbot.config import Settings
from otel_chatbot.instrumentation.common import seen
from otel_chatbot.instrumentation.empty.libraries import DATABASES, MODELS, imported
from otel_chatbot.instrumentation.empty.reasons import Reason, RunFacts, reason
from otel_chatbot.metrics.record import AUTOMATIC
from otel_chatbot.metrics.shared.facts import FACTS
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import MetricSpec


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    FACTS.forget()
    monkeypatch.setattr(AUTOMATIC, "by_hand", set())
    for name in (*MODELS, *DATABASES, "redis", "cachelib"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    FACTS.forget()


def why(spec: MetricSpec, *filled: MetricSpec, **settings: str) -> Reason:
    env = {f"CHATBOT_OTEL_{name.upper()}": value for name, value in settings.items()}
    return reason(spec, RunFacts({one.name: 1.0 for one in filled}, Settings.from_env(env)))


def test_unrecognised_inserts_are_named_with_their_fields_and_the_settings() -> None:
    seen.note(seen.UNREAD, "foo", "a", "b")
    for spec in (m.MESSAGES_SENT, m.MESSAGES_RECEIVED):
        found = why(spec, m.DB_QUERIES)
        assert found.why == "inserts into `foo` (fields a, b) are not recognised as messages"
        assert "CHATBOT_OTEL_MESSAGES_COLLECTION=foo" in found.remedy
        assert "CHATBOT_OTEL_QUESTION_FIELD" in found.remedy
    assert "inserts into `foo`" in why(m.CONVERSATIONS_CREATED, m.DB_QUERIES).why


def test_a_client_whose_calls_are_not_seen_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", ModuleType("llama_cpp"))
    assert imported(MODELS) == ["llama_cpp"]
    for spec in (m.AI_RESPONSE_TIME, m.MESSAGES_SENT):
        assert why(spec).why.startswith("model calls of llama_cpp are not seen")
        assert "chat_completion()" in why(spec).remedy


def test_posts_that_look_like_calls_are_named_by_their_address() -> None:
    seen.note(seen.POSTED, "llm.example:8080", "question", "session_id")
    assert "posts to llm.example:8080 (fields question, session_id)" in why(m.AI_RESPONSE_TIME).why
    assert "CHATBOT_OTEL_AI_ADDRESSES=llm.example:8080=" in why(m.MESSAGES_RECEIVED).remedy


def test_models_that_are_asked_outside_of_requests_are_told_of() -> None:
    seen.note(seen.OUTSIDE, "openai")
    assert "outside of any request" in why(m.MESSAGES_SENT, m.AI_RESPONSE_TIME).why


def test_a_cache_that_is_not_used_is_not_a_cache_that_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "neither redis nor cachelib is imported" in why(m.CACHE_HITS).why
    monkeypatch.setitem(sys.modules, "redis", ModuleType("redis"))
    assert "redis is imported, and nothing was asked of it" in why(m.CACHE_SIZE).why
    assert why(m.CACHE_HITS, m.CACHE_OPERATION_TIME, m.CACHE_MISSES).why == "no read of the cache has found anything yet"
    assert why(m.CACHE_MISSES, m.CACHE_OPERATION_TIME, m.CACHE_HITS).why == "every read of the cache has found something"
    assert "written and not read" in why(m.CACHE_HITS, m.CACHE_OPERATION_TIME).why
    assert "begins with chat:" in why(m.CACHE_SIZE, m.CACHE_OPERATION_TIME, cache_prefix="chat:").why


def test_another_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no command was sent" in why(m.DB_QUERIES).why
    monkeypatch.setitem(sys.modules, "sqlalchemy", ModuleType("sqlalchemy"))
    assert why(m.DB_QUERIES).why == "MongoDB alone is counted, and the app uses SQLAlchemy"
    assert why(m.DB_CONNECTIONS, m.DB_QUERIES).why == "no connection to MongoDB is open now"


def test_nobody_known_and_nobody_there_now_are_two_reasons() -> None:
    unknown = why(m.ACTIVE_USERS)
    assert unknown.why == (
        "no user is known: no request that ended below 400 named one (looked for in identity, g, session, header, json, form, "
        "query, path, cookie)"
    )
    assert "CHATBOT_OTEL_USER_ID_FROM" in unknown.remedy
    seen.note(seen.ACTIVE, "users")
    assert why(m.ACTIVE_USERS).why == "nobody was active within CHATBOT_OTEL_ACTIVE_WINDOW"
    assert "no conversation is known" in why(m.ACTIVE_CONVERSATIONS).why


def test_what_was_seen_is_lost_and_what_was_not_is_unused() -> None:
    assert [why(m.ACTIVE_CONVERSATIONS).lost, why(m.ACTIVE_CONVERSATIONS, m.MESSAGES_SENT).lost] == [False, True]
    assert not why(m.ACTIVE_USERS, m.MESSAGES_SENT).lost, "many chats are anonymous"
    assert not any(why(spec).lost for spec in m.CHATBOT)
    seen.note(seen.UNREAD, "foo", "a")
    assert why(m.MESSAGES_SENT).lost


def test_no_error_is_no_fault() -> None:
    assert why(m.ERRORS).remedy == ""


def test_settings_and_the_app_itself_are_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.from_env({"CHATBOT_OTEL_AUTO_OFF": "messages_sent,messages_from_model"})
    monkeypatch.setattr("otel_chatbot.config.current", lambda: settings)
    assert why(m.MESSAGES_SENT).why == "CHATBOT_OTEL_AUTO_OFF names it"
    assert "AUTO_OFF keeps model calls" in why(m.MESSAGES_RECEIVED, m.AI_RESPONSE_TIME, auto_off="messages_from_model").why
    AUTOMATIC.by_hand.add(m.CACHE_SIZE.name)
    assert why(m.CACHE_SIZE).why == "the app sets it by hand"


@pytest.mark.parametrize("spec", m.CHATBOT, ids=lambda spec: spec.python)
def test_every_figure_has_a_reason_with_a_remedy_where_something_can_be_done(spec: MetricSpec) -> None:
    found = why(spec)
    assert found.why
    assert found.remedy or spec is m.ERRORS
