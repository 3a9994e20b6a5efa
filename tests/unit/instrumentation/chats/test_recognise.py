"""What documents are by the settings, and what keeps the memory of their fields small."""

from __future__ import annotations

from otel_chatbot.config import Settings
from otel_chatbot.instrumentation.chats import plans
from otel_chatbot.instrumentation.chats.counts import BOTH, NOTHING, RECEIVED, SENT, Counts
from otel_chatbot.instrumentation.chats.recognise import Recogniser

USER, BOT = {"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}


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


def test_who_made_a_thing_is_its_speaker_in_a_chat_alone() -> None:
    for flag, by_user in (("created_by_user", SENT), ("generated_by_ai", RECEIVED), ("isCreatedByUser", SENT)):
        document = {"text": "x", flag: True}
        assert counts(Settings(), "messages", document) == by_user
        for elsewhere in ("images", "stories", "data"):
            assert counts(Settings(), elsewhere, document) == NOTHING
        assert counts(Settings(), "data", {"text": "x", "from_ai": True}) == RECEIVED


def test_a_role_that_settings_name_needs_no_place() -> None:
    assert counts(Settings(), "data", {"role": "guest", "text": "x"}) == NOTHING
    assert counts(Settings(user_roles=("guest",)), "data", {"role": "guest", "text": "x"}) == SENT


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
