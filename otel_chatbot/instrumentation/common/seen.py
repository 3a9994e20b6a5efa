"""Facts of the run that explain an empty figure, by kind, and a test whether a route names a chat.

Fed by the instrumentations; feeds `instrumentation.empty`. Facts hold names of fields, collections and hosts, never values.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from ...metrics.shared.facts import FACTS

UNREAD: Final = "unread"
"""A collection into which a chat turn wrote documents that were not recognised, and the fields of one document."""
POSTED: Final = "posted"
"""The address and the fields of a post that looks like a model call but is of no known kind."""
OUTSIDE: Final = "outside"
"""A model was asked outside of any request."""
ACTIVE: Final = "active"
"""A kind of ids (users or conversations) of which a request has named one."""
HISTORY: Final = "history"
"""The names, taken from keys of Redis, under which chats were found."""
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
    """Note a fact for all processes of the run."""
    FACTS.note(kind, *words)
