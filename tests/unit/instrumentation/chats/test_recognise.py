"""How names are read, what the settings put in their place, and what keeps the memories small."""

from __future__ import annotations

import pytest

from otel_chatbot.config import Settings
from otel_chatbot.instrumentation.chats import plans, shapes
from otel_chatbot.instrumentation.chats.counts import BOTH, NOTHING, RECEIVED, SENT, Counts
from otel_chatbot.instrumentation.chats.growth import growth
from otel_chatbot.instrumentation.chats.recognise import Recogniser
from otel_chatbot.instrumentation.chats.shapes import Place, Side

USER, BOT = {"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}


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


def counts(settings: Settings, collection: str, document: dict) -> Counts:
    return Recogniser(settings).document(document, collection).counts


def test_a_named_collection_of_messages_is_the_only_one() -> None:
    settings = Settings(messages_collection="notes")
    assert counts(settings, "notes", USER) == SENT
    assert counts(settings, "notes", {"role": "bot"}) == RECEIVED
    assert counts(settings, "notes", {"question": "x", "answer": "y"}) == BOTH
    assert counts(settings, "messages", USER) == counts(settings, "chats", {"question": "x", "answer": "y"}) == NOTHING
    assert counts(settings, "chats", {"messages": [USER]}) == Counts(1, 1, 0)


def test_a_named_collection_of_conversations_is_the_only_one() -> None:
    settings = Settings(conversations_collection="tickets")
    assert counts(settings, "tickets", {"title": "x", "text": "y"}) == Counts(1)
    assert counts(settings, "tickets", {"messages": [USER, BOT]}) == Counts(1, 1, 1)
    assert Recogniser(settings).pushed([USER], "messages", "tickets") == SENT
    assert counts(settings, "chats", {"messages": [USER]}) == NOTHING
    assert counts(settings, "messages", USER) == SENT


def test_named_fields_are_the_only_ones() -> None:
    settings = Settings(
        messages_collection="qa", role_field="who.am", user_roles=("Caller",), question_field="frage", answer_field="antwort"
    )
    assert counts(settings, "qa", {"frage": "x", "antwort": "y"}) == BOTH
    assert counts(settings, "qa", {"user_message": "x", "bot_reply": "y"}) == NOTHING
    assert counts(settings, "qa", {"who": {"am": "caller"}}) == SENT
    assert counts(settings, "qa", {"who": {"am": "user"}, "role": "user", "content": "x"}) == NOTHING


def test_named_fields_of_an_exchange_count_anywhere() -> None:
    settings = Settings(question_field="frage", answer_field="antwort")
    assert counts(settings, "data", {"frage": "x", "antwort": "y", "category": "c"}) == BOTH


def test_a_named_array_counts_wherever_it_lies() -> None:
    settings = Settings(messages_field="a.b")
    assert counts(settings, "cases", {"a": {"b": [{"role": "user"}]}, "messages": [BOT]}).sent == 1
    assert Recogniser(settings).pushed([USER], "a.b", "cases") == SENT
    assert Recogniser(settings).pushed([USER], "messages", "chats") == NOTHING


def test_a_role_that_settings_name_needs_no_place() -> None:
    assert counts(Settings(), "data", {"role": "guest", "text": "x"}) == NOTHING
    assert counts(Settings(user_roles=("guest",)), "data", {"role": "guest", "text": "x"}) == SENT


ONE, TWO, THREE, FOUR = (("user", 1), ("bot", 2), ("user", 3), ("bot", 4))
SYSTEM = ("system", 0)


def said(item: tuple[str, int]) -> Counts:
    return {"user": SENT, "bot": RECEIVED}.get(item[0], NOTHING)


@pytest.mark.parametrize(
    ("before", "now", "grown"),
    [
        ((), (ONE, TWO), BOTH),
        ((ONE, TWO), (ONE, TWO), NOTHING),
        ((ONE, TWO), (ONE, TWO, THREE, FOUR), BOTH),
        ((ONE, TWO, THREE), (TWO, THREE, FOUR), RECEIVED),
        ((SYSTEM, ONE, TWO), (SYSTEM, TWO, THREE), SENT),
        ((ONE, ONE), (ONE, ONE, ONE), SENT),
        ((ONE, TWO), (), NOTHING),
        ((ONE, TWO), (("user", 9), ("bot", 9), THREE), SENT),
        ((ONE, TWO), (("user", 9), ("bot", 9)), None),
    ],
)
def test_an_array_grows_by_what_is_new_in_it(before: tuple, now: tuple, grown: Counts | None) -> None:
    assert growth(before, now, said) == grown


def test_documents_with_fields_of_their_own_do_not_pile_up() -> None:
    recogniser = Recogniser(Settings())
    for number in range(3 * plans._LIMIT):
        recogniser.document({f"key{number}": 1, "role": "user"}, "store")
    assert len(recogniser._plans._plans) <= plans._LIMIT
    assert recogniser.document({f"k{n}": n for n in range(1000)} | USER, "store").counts == NOTHING
    assert recogniser.document({"x" * 5_000_000: 1, **USER}, "store").counts == SENT
    assert recogniser.document({f"k{n}": n for n in range(100)} | USER, "store").counts == SENT


def test_what_is_nested_without_an_end_is_not_followed() -> None:
    nested: dict = {"messages": [USER]}
    for _ in range(500):
        nested = {"inner": [nested]}
    assert counts(Settings(), "store", nested) == NOTHING
