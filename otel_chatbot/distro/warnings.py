"""Warns of wrong settings, ours and the standard ones: one warning each, once per process.

Fed by `config` and `variables.mending`; the set-up calls it after the log files are installed, so that they get the lines.
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
    """Warn of each wrong setting that was not reported yet."""
    _ours()
    MENDING.tell()


@functools.cache
def warn_of_failed_start() -> None:
    """Warn that nothing is observed, if OpenTelemetry's start hook failed: it reads a bad value before we can mend it."""
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
