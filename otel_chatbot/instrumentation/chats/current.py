"""The recogniser of the current settings, and the counters that its findings feed.

Fed by the instrumentations of databases; feeds the three metrics of conversations and messages, and warns once of each kind of
write that cannot be counted.
"""

from __future__ import annotations

import logging
from typing import Final

from ... import config
from ...metrics import record
from ...semconv import metrics as m
from .counts import Counts
from .recognise import Recogniser

_logger = logging.getLogger("otel_chatbot")
WARNED: Final[set[str]] = set()
"""What was said."""


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


def warn_once(text: str) -> None:
    """Say what cannot be counted, the first time that it happens."""
    if text not in WARNED:
        WARNED.add(text)
        _logger.warning("%s (said once)", text)
