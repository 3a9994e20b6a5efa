"""What is wrong in the settings, ours and the standard ones: one warning each, once in a process.

Fed by `config` and `variables.mending`; the set-up calls it when the log files are there to take the lines.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from typing import Final

from .. import config
from ..variables.mending import MENDING

_START: Final = "opentelemetry.instrumentation.auto_instrumentation"

_logger = logging.getLogger("otel_chatbot")


def warn_of_settings() -> None:
    """Say what is wrong in the settings, as far as it was not said."""
    _ours()
    MENDING.tell()


@functools.cache
def warn_of_failed_start() -> None:
    """Say that nothing is observed where OpenTelemetry's hook at start has failed: it reads a bad value before we can mend it."""
    asked_for = _START in os.environ.get("PYTHONPATH", "").replace(os.sep, ".")
    if asked_for and _START not in sys.modules and "OTEL_PROPAGATORS" in MENDING.changed:
        _logger.warning(
            "nothing is observed: opentelemetry-instrument could not begin with that OTEL_PROPAGATORS; correct it, or call "
            "otel_chatbot.instrument() in the app"
        )


@functools.cache
def _ours() -> None:
    for warning in config.current().warnings:
        _logger.warning(warning)
