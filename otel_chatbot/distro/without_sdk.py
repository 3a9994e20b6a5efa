"""The set-up if OpenTelemetry's SDK cannot be imported: figures, log files and health work, and one line reports the error.

Fed by `distro`, if an import fails that only a repaired installation can cure; feeds the parts that need no SDK.
"""

from __future__ import annotations

import logging

from .. import config
from .._guard import Guard, never_raise
from ..logs import sink
from .environment import SignalPlan, set_defaults
from .instrumentations import INSTRUMENTATIONS
from .process.endpoint_server import serve_apart
from .warnings import warn_of_settings

_logger = logging.getLogger("otel_chatbot")


class _Done:
    """What was done in this process."""

    said = False
    observes = False


def say(error: Exception) -> None:
    """Say once that nothing is traced or exported, and why."""
    if Guard.strict:
        raise error
    if not _Done.said:
        _Done.said = True
        _logger.error(
            "OpenTelemetry cannot be set up (%s: %s): nothing is traced or exported, figures are on /metrics; "
            "otel-chatbot doctor says more",
            type(error).__name__,
            (str(error).splitlines() or [""])[0],
        )


def observe(error: Exception) -> None:
    """Set up what needs no SDK; a second call does nothing."""
    say(error)
    if not _Done.observes:
        _Done.observes = True
        for step in (set_defaults, _log_files, _instrumentations, serve_apart, warn_of_settings):
            never_raise(step)()


def _log_files() -> None:
    if not SignalPlan.from_env().disabled:
        sink.install(config.current())


def _instrumentations() -> None:
    INSTRUMENTATIONS.install(SignalPlan.from_env())
