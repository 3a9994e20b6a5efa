"""The question that a request puts to a model, and the answer that came before it: read from what the model is asked, in any wire.

Fed by `genai.signals`; its result is hashed at once and never kept.
"""

from __future__ import annotations

from typing import Any, Final

from .protocol import asks_of_a_user

MOST: Final = 2000
"""Characters that are read of a message in parts."""
_ANSWERERS: Final = frozenset({"assistant", "model", "ai", "CHATBOT", "ASSISTANT"})


def question(said: Any) -> tuple[str, str] | None:
    """The user's last message, and the assistant's before it with how many messages there are; None where no user has asked.

    The second is empty where no answer came before.
    """
    if isinstance(said, str):
        return (said, "") if said else None
    if not isinstance(said, list) or not said:
        return None
    messages, before = said, said[-2] if len(said) > 1 else None
    last = said[-1]
    if isinstance(last, list) and last:  # instructions, then messages
        messages, last = last, last[-1]
        before = messages[-2] if len(messages) > 1 else None
    elif isinstance(before, list):  # instructions, the history, then the message
        before = before[-1] if before else None
    text = _plain(last)
    if text is None:
        if not asks_of_a_user(last):
            return None
        text = _text(last)
        if not text:
            return None
    if before is None or not _is_answer(before):
        return text, ""
    return text, f"{len(messages)} {_text(before)}"


def _plain(message: Any) -> str | None:
    """The text of a user's message that is one text, as most are. None: it must be looked at more closely."""
    if type(message) is dict and message.get("role") == "user" and "type" not in message:
        content = message.get("content")
        if type(content) is str and content:
            return content
    return None


def _is_answer(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in _ANSWERERS


def _text(message: Any) -> str:
    """The text of a message."""
    if isinstance(message, str):
        return message
    if not isinstance(message, dict):
        return ""
    content = message.get("content") or message.get("parts") or message.get("message")
    if isinstance(content, str):
        return content
    found = ""
    for part in content if isinstance(content, list) else (content,):
        text = part if isinstance(part, str) else part.get("text") if isinstance(part, dict) else None
        if isinstance(text, str):
            found += text[: MOST - len(found)]
    return found
