"""The line on the console that says that observing works and where to look: the only line that we print if all is well.

Fed by `distro.steps`; printed when Flask or gunicorn is imported, once for all processes of a server. By default it is only
printed if a developer watches: ENVIRONMENT is not production, and the console is a terminal. So the output that tests and
supervisors read stays byte for byte the same as without us.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from wrapt import when_imported

from ... import config
from ..._guard import never_raise
from ...config import Settings
from ...semconv.attributes import Signal
from ..environment import SignalPlan
from ..providers.resource import package_version
from .reloader import is_child
from .start_line import where

_STARTS: Final = ("flask", "gunicorn.arbiter")
"""Modules that a serving process imports first. gunicorn's master prints; its workers inherit the mark that it has."""


class _State:
    printed = False


def print_at_start(plan: SignalPlan) -> None:
    """Print the line, if it is wanted, as soon as this process turns out to serve an app."""

    @never_raise
    def once(_module: Any) -> None:
        if not _State.printed and not is_child() and wanted(config.current(), sys.stderr):
            _State.printed = True
            sys.stderr.write(console_line(plan, config.current(), os.environ) + "\n")
            sys.stderr.flush()

    for name in _STARTS:
        when_imported(name)(once)


def wanted(settings: Settings, console: Any) -> bool:
    """Whether the line is to be printed on this console (None: there is none)."""
    if settings.start_line != "auto":
        return settings.start_line == "true" and console is not None
    return not settings.production and bool(getattr(console, "isatty", bool)())


def console_line(plan: SignalPlan, settings: Settings, environ: Mapping[str, str]) -> str:
    """The text: the paths that a developer can open."""
    metrics = "/metrics and /health on the app's port"
    if settings.endpoint_port:
        metrics = f"/health on the app's port, /metrics on {settings.endpoint_host}:{settings.endpoint_port}"
    parts = [
        metrics,
        f"logs in {settings.log_dir}{os.sep}" if settings.log_files else "no log files",
        f"traces in {where(plan, Signal.TRACES, environ)}",
        "all of it in a browser: otel-chatbot ui",
    ]
    return f"otel-chatbot {package_version()} observes this app: {'; '.join(parts)} (CHATBOT_OTEL_START_LINE=false hides this line)"
