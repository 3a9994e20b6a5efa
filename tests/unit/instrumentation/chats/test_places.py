"""What the names of collections and arrays say, and what the settings put in their place."""

from __future__ import annotations

import pytest

from otel_chatbot.config import Settings
from otel_chatbot.instrumentation.chats import places
from otel_chatbot.instrumentation.chats.places import Places
from otel_chatbot.instrumentation.chats.shapes import Place


@pytest.mark.parametrize(
    ("name", "speaks", "closed", "named"),
    [
        ("messages", True, False, False),
        ("conversations", True, False, True),
        ("store", True, False, False),
        ("users", False, False, False),
        ("tickets", False, True, False),
    ],
)
def test_a_collection_speaks_by_its_name(name: str, speaks: bool, closed: bool, named: bool) -> None:
    found = Places(Settings()).collection(name)
    assert (found.speaks, found.closed, found.named) == (speaks, closed, named)


def test_in_the_collection_of_messages_alone_a_role_is_enough() -> None:
    known = Places(Settings())
    assert [name for name in ("messages", "chat_messages", "chats") if known.collection(name).holds_messages] == ["messages"]
    known = Places(Settings(messages_collection="notes"))
    assert [name for name in ("messages", "notes") if known.collection(name).holds_messages] == ["notes"]


def test_a_collection_that_settings_name_is_a_chats_and_the_others_do_not_speak() -> None:
    known = Places(Settings(messages_collection="tickets"))
    tickets = known.collection("tickets")
    assert (tickets.place, tickets.speaks, tickets.closed, tickets.named) == (Place.CHAT, True, False, True)
    assert not known.collection("messages").speaks
    known = Places(Settings(conversations_collection="cases"))
    assert known.collection("cases").holds_conversations
    assert known.array("messages", "cases").counts
    assert not known.array("messages", "chats").counts
    assert not known.collection("chats").converses


@pytest.mark.parametrize(
    ("array", "collection", "counts", "chat"),
    [
        ("messages", "conversations", True, True),
        ("log", "chats", True, True),
        ("log", "store", True, False),
        ("events", "conversations", True, True),
        ("events", "store", False, False),
        ("comments", "store", False, False),
        ("tags", "chats", False, False),
        ("history", "users", True, False),
        ("chat_history", "tickets", True, True),
        ("messages", "tickets", False, False),
        ("chats", "tickets", True, True),
        ("sessions.$[s].messages", "users", True, True),
        ("sessions.0.messages.3", "users", True, True),
    ],
)
def test_an_array_counts_by_its_name_and_by_its_collections(array: str, collection: str, counts: bool, chat: bool) -> None:
    found = Places(Settings()).array(array, collection)
    assert (found.counts, found.counts and found.chat) == (counts, chat)


def test_an_array_that_settings_name_is_the_only_one() -> None:
    known = Places(Settings(messages_field="a.b"))
    assert known.array("a.b", "cases").counts
    assert not known.array("messages", "chats").counts


def test_names_without_an_end_are_not_all_remembered() -> None:
    known = Places(Settings())
    for number in range(3 * places._MOST):
        known.collection(f"c{number}"), known.array("messages", f"c{number}")
    assert len(known._collections) <= places._MOST
    assert len(known._arrays) <= places._MOST
