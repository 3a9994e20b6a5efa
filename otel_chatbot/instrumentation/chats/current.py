"""The recogniser of the current settings, and the counters that its findings feed.

Fed by the instrumentations of databases; feeds the three metrics of conversations and messages.
"""

from __future__ import annotations

from ... import config
from ...metrics import record
from ...semconv import metrics as m
from .counts import Counts
from .recognise import Recogniser


class Known:
    """The recogniser of the settings that are current."""

    settings: config.Settings | None = None
    recogniser: Recogniser


def current() -> Recogniser:
    """The recogniser of the settings that are current."""
    settings = config.current()
    if Known.settings is not settings:
        Known.recogniser = Recogniser(settings)
        Known.settings = settings
    return Known.recogniser


def count(counts: Counts) -> None:
    """Count what was written."""
    if counts.conversations:
        record.count(m.CONVERSATIONS_CREATED, counts.conversations)
    if counts.sent:
        record.count(m.MESSAGES_SENT, counts.sent)
    if counts.received:
        record.count(m.MESSAGES_RECEIVED, counts.received)
