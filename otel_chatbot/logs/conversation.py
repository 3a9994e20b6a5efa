"""Which conversation a log record belongs to: a question of the formatters and the export, answered by `instrumentation.common.chat_turn`.

Fed by whoever sets `Conversation.find`; feeds a field of the JSON lines and an attribute of exported records.
"""

from __future__ import annotations

from collections.abc import Callable

from .._guard import never_raise


class Conversation:
    """Who knows the conversation of the running request; None where nobody does."""

    find: Callable[[], str | None] | None = None


@never_raise
def conversation_id() -> str | None:
    """The id of the running request's conversation, as soon as it is known."""
    find = Conversation.find
    return None if find is None else find()
