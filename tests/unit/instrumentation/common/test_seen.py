"""Which routes speak of a chat."""

from __future__ import annotations

import pytest

from otel_chatbot.instrumentation.common.seen import speaks_of_chat


@pytest.mark.parametrize(
    ("route", "speaks"),
    [
        ("/chat", True),
        ("/api/v1/chat/<chat_id>", True),
        ("/sendMessage", True),
        ("/newMessage", True),
        ("/conversations/<int:id>/messages", True),
        ("/ask_bot", True),
        ("/", False),
        ("/users/<message>", False),
        ("/login", False),
        ("/botany", False),
    ],
)
def test_a_route_speaks_of_a_chat_by_a_word_of_its_own(route: str, speaks: bool) -> None:
    assert speaks_of_chat(route) is speaks
