"""How keys are read: the words say what lies there, the rest names the chat."""

from __future__ import annotations

import pytest

from otel_chatbot.instrumentation.redis import keys


@pytest.mark.parametrize(
    ("key", "name", "chat"),
    [
        ("message_store:s-1", "message store", "s-1"),
        ("message_store:alice:7", "message store", "alice:7"),
        ("chat:42", "chat", "42"),
        ("chat:42:messages", "chat messages", "42"),
        ("chat:messages:42", "chat messages", "42"),
        ("chat_history_12345", "chat history", "12345"),
        ("chat-9f3c-11aa", "chat", "9f3c-11aa"),
        ("chat:user:42", "chat", "42"),
        ("user:42:chat:abc", "chat", "abc"),
        ("user:42:chat_history", "chat history", "42"),
        ("mybot:conversation:6ba7b810-9dad-11d1-80b4-00c04fd430c8", "conversation", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("history:alice", "history", "alice"),
        ("chat_history", "chat history", "chat_history"),
        (b"5511@c.us", "", "5511@c.us"),
        ("", "", ""),
        (7, "", "7"),
    ],
)
def test_a_key_has_a_name_and_the_id_of_a_chat(key: object, name: str, chat: str) -> None:
    told = keys.read(key)
    assert (told.name, told.chat) == (name, chat)


@pytest.mark.parametrize(
    ("key", "varies"),
    [
        ("chat:1", True),
        ("chat_history", False),
        ("551199", True),
        ("alice", False),
        ("history:alice", True),
        ("a b", False),
        ("app:name", False),
    ],
)
def test_what_has_letters_alone_is_a_name(key: str, varies: bool) -> None:
    assert keys.read(key).varies is varies


def test_a_long_key_is_read_in_part() -> None:
    assert len(keys.read("chat:" + "x1:" * 1000).chat) < 300
