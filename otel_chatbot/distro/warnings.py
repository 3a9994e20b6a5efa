"""What is wrong in the settings, ours and the standard ones: one warning each, once in a process.

Fed by `config` and `variables.mending`; the set-up calls it when the log files are there to take the lines.
"""

from __future__ import annotations

import functools
import logging

from .. import config
from ..variables.mending import MENDING

_logger = logging.getLogger("otel_chatbot")


def warn_of_settings() -> None:
    """Say what is wrong in the settings, as far as it was not said."""
    _ours()
    MENDING.tell()


@functools.cache
def _ours() -> None:
    for warning in config.current().warnings:
        _logger.warning(warning)
