"""What explains an empty figure: facts of the run by kind, and which routes speak of a chat.

Fed by the instrumentations, as they see it; feeds `instrumentation.empty`. Names of fields, collections and hosts, never values.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from ...metrics.shared.facts import FACTS

UNREAD: Final = "unread"
"""A collection into which a chat turn wrote documents that were not recognised, and the fields of one."""
POSTED: Final = "posted"
"""An address to which something was posted that looks like a model call and is none that is known, and its fields."""
OUTSIDE: Final = "outside"
"""A model was asked outside of any request."""
ACTIVE: Final = "active"
"""Which of the two windows has ever seen anybody."""
HISTORY: Final = "history"
"""The words of keys of Redis under which a chat was found."""
TOLD: Final = "told"
"""The line about empty figures has been written."""

_CHATS: Final = frozenset({
    "ai", "ask", "answer", "assistant", "bot", "chat", "chats", "chatbot", "completion", "completions", "conversation",
    "conversations", "converse", "generate", "llm", "message", "messages", "prompt", "query", "question", "questions", "reply",
    "respond", "say", "send", "talk", "turn",
})  # fmt: skip
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+")


@functools.lru_cache(maxsize=1024)
def speaks_of_chat(route: str) -> bool:
    """Whether a route names a chat: `/api/chat`, `/ask`, `/sendMessage`."""
    return not _CHATS.isdisjoint(word.lower() for word in _WORDS.findall(re.sub(r"<[^>]*>", " ", route)))


def note(kind: str, *words: str) -> None:
    """Let all processes of the run know."""
    FACTS.note(kind, *words)
