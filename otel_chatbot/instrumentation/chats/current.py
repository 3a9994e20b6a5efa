"""The recogniser of the current settings, and the counters that its findings feed.

Fed by the instrumentations of databases; feeds the three metrics of conversations and messages. It also warns,
once per kind, of writes that cannot be counted.
"""

from __future__ import annotations

import functools
import logging
from typing import Final

from ... import config
from ...metrics import deduplication, record
from ...metrics.record import AutomaticCounter
from ...semconv import metrics as m
from .counts import NOTHING, Counts
from .recognise import Recogniser

_logger = logging.getLogger("otel_chatbot")
WARNED: Final[set[str]] = set()
"""The warnings that were written already."""


class Known:
    """The recogniser, and the settings for which it was made."""

    settings: config.Settings | None = None
    recogniser: Recogniser


def current() -> Recogniser:
    """The recogniser of the current settings."""
    settings = config.current()
    if Known.settings is not settings:
        Known.recogniser = Recogniser(settings)
        Known.settings = settings
    return Known.recogniser


def count(counts: Counts) -> None:
    """Count what was written."""
    if counts is NOTHING:
        return
    scope = deduplication.current()
    if scope.ends:
        for counter, number in zip(_kept(), counts, strict=True):
            if number:
                counter.add(number, scope)
        return
    for spec, number in zip(_SPECS, counts, strict=True):  # outside of a request, `record.count` avoids double counts
        if number:
            record.count(spec, number)


_SPECS: Final = (m.CONVERSATIONS_CREATED, m.MESSAGES_SENT, m.MESSAGES_RECEIVED)
"""The metrics, in the order of the counts."""


@functools.lru_cache(maxsize=1)
def _kept() -> tuple[AutomaticCounter, ...]:
    return tuple(AutomaticCounter(spec, {}) for spec in _SPECS)


def warn_once(text: str) -> None:
    """Log that something cannot be counted. The same text is logged only once."""
    if text not in WARNED:
        WARNED.add(text)
        _logger.warning("%s (said once)", text)
