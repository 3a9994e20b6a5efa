"""How the table reads names: of collections and arrays, and of the halves of an exchange."""

from __future__ import annotations

import pytest

from otel_chatbot.instrumentation.chats import shapes
from otel_chatbot.instrumentation.chats.shapes import Place, Side


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("user_chats", Place.CHAT),
        ("chat_users", Place.PEOPLE),
        ("chatFeedback", Place.OTHER),
        ("ChatHistory", Place.CHAT),
        ("chathistory", Place.CHAT),
        ("usermessages", Place.CHAT),
        ("conversation_log", Place.CHAT),
        ("audit_log", Place.OTHER),
        ("logs", Place.OPEN),
        ("histories", Place.OPEN),
        ("", Place.OPEN),
    ],
)
def test_a_name_is_read_by_its_last_word_that_says_something(name: str, place: Place) -> None:
    assert shapes.place(name) is place


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("user_message", Side.QUESTION),
        ("messageUser", Side.QUESTION),
        ("botReply", Side.ANSWER),
        ("AI_Response", Side.ANSWER),
        ("question", Side.LOOSE_QUESTION),
        ("generated_answer", Side.LOOSE_ANSWER),
        ("user", Side.PERSON),
        ("assistant", Side.BOT),
        ("user_id", None),
        ("ai_model", None),
        ("model", None),
        ("system_prompt", None),
        ("answer_id", None),
        ("message_count", None),
        ("", None),
    ],
)
def test_a_field_is_a_half_of_an_exchange_by_all_of_its_words(name: str, side: Side | None) -> None:
    assert shapes.side(name) is side


@pytest.mark.parametrize("name", ["sessionId", "session_id", "SessionID", "session-id", "Session Id"])
def test_spellings_of_a_name_are_one(name: str) -> None:
    assert shapes.plain(name) == "sessionid"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chatMessages", ("chat", "message")),
        ("LLMHistories", ("llm", "history")),
        ("chatmessages", ("chat", "message")),
        ("chatter", ("chatter",)),
        ("news_2", ("news", "2")),
        ("class", ("class",)),
        ("", ()),
    ],
)
def test_a_name_is_words_in_the_singular(name: str, words: tuple[str, ...]) -> None:
    assert shapes.words(name) == words


@pytest.mark.parametrize(
    ("name", "speaks"),
    [
        ("chats", True),
        ("user_threads", True),
        ("messages", False),
        ("chat_messages", False),
        ("chat_users", False),
        ("x", False),
    ],
)
def test_a_name_speaks_of_conversations_by_its_last_word_of_a_chat(name: str, speaks: bool) -> None:
    assert shapes.names_conversations(name) is speaks


@pytest.mark.parametrize(
    ("name", "history"), [("messages", True), ("log", True), ("turns", True), ("chat", True), ("tags", False), ("", False)]
)
def test_an_array_is_a_history_by_its_last_word(name: str, history: bool) -> None:
    assert shapes.is_history(name) is history


@pytest.mark.parametrize(
    ("name", "of_user"),
    [
        ("isUser", True),
        ("isuser", True),
        ("is_created_by_user", True),
        ("sentByHuman", True),
        ("bot", False),
        ("isAI", False),
        ("is_bot_response", False),
        ("generated_by_assistant", False),
        ("user", None),
        ("isActiveUser", None),
        ("user_bot", None),
        ("is_message", None),
        ("botched", None),
        ("", None),
    ],
)
def test_a_boolean_says_who_speaks_by_all_of_its_words(name: str, of_user: bool | None) -> None:
    assert shapes.flag(name) is of_user


@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("history", True),
        ("query_logs", True),
        ("audit_log", False),
        ("chat_history", False),
        ("log_levels", False),
        ("", False),
    ],
)
def test_a_collection_keeps_records_by_its_last_word(name: str, records: bool) -> None:
    assert shapes.keeps_records(name) is records


def test_a_question_or_a_prompt_asks_and_a_request_does_not() -> None:
    assert [name for name in ("question", "userPrompt", "pregunta", "query", "request", "input") if shapes.asks(name)] == [
        "question", "userPrompt", "pregunta",
    ]  # fmt: skip
