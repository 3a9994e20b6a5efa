"""Documents that chat turns wrote and that were not recognised as messages: names of their fields, never a value.

Fed by `commands`; feeds the facts by which `instrumentation.empty` says why a figure is empty. Only turns that stored no message
at all are kept.
"""

from __future__ import annotations

from typing import Final

from ..common import chat_turn, seen

MOST: Final = 50
"""Collections that are remembered."""
_IN_A_TURN: Final = 8

_known: dict[str, tuple[str, ...]] = {}


def note(collection: str, fields: tuple[str, ...]) -> None:
    """The running request, if there is one, wrote such a document."""
    running = chat_turn.running()
    if running is not None and (collection in running.unread or len(running.unread) < _IN_A_TURN):
        running.unread[collection] = fields


def unrecognised() -> list[tuple[str, tuple[str, ...]]]:
    """Collections, each with the fields of a document in it."""
    return sorted(_known.copy().items())


def forget() -> None:
    """Start anew."""
    _known.clear()


def keep(unread: dict[str, tuple[str, ...]]) -> None:
    """Remember the documents of a chat turn that stored no message."""
    for collection, fields in unread.items():
        if collection in _known or len(_known) < MOST:
            if collection not in _known:
                seen.note(seen.UNREAD, collection, *fields)
            _known[collection] = fields
