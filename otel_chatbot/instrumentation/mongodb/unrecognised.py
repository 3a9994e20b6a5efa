"""Documents of chat turns that were not recognised as messages: the names of their fields, never a value.

Fed by `commands`; feeds the facts by which `instrumentation.empty` says why a figure is empty. A turn that stored a message
is left out.
"""

from __future__ import annotations

from typing import Final

from ..common import chat_turn, seen

MOST: Final = 50
"""The most collections that are remembered."""
_IN_A_TURN: Final = 8

_known: dict[str, tuple[str, ...]] = {}


def note(collection: str, fields: tuple[str, ...]) -> None:
    """The running request, if there is one, wrote a document that was not recognised."""
    running = chat_turn.running()
    if running is not None and (collection in running.unread or len(running.unread) < _IN_A_TURN):
        running.unread[collection] = fields


def unrecognised() -> list[tuple[str, tuple[str, ...]]]:
    """Collections, each with the fields of a document in it."""
    return sorted(_known.copy().items())


def forget() -> None:
    """Forget all collections."""
    _known.clear()


def keep(unread: dict[str, tuple[str, ...]]) -> None:
    """Remember the documents of a chat turn that stored no message."""
    for collection, fields in unread.items():
        if collection in _known or len(_known) < MOST:
            if collection not in _known:
                seen.note(seen.UNREAD, collection, *fields)
            _known[collection] = fields
