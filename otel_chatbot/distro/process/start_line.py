"""The line that says what was set up: version, exporters, instrumentations, settings that differ from their defaults.

Fed by `distro.steps`, at the first figure of a run; feeds the log files and OTLP, never the console, whose output stays the
same as without us. Warnings about wrong settings are not part of it: they go through logging, to the console too.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from typing import Final

from ... import config
from ...config import MASK
from ...logs import sink
from ...semconv.attributes import Signal
from ..environment import DEFAULTS, SignalPlan, endpoint
from ..providers.resource import package_version

_SECRET: Final = re.compile(r"HEADER|KEY|TOKEN|PASSWORD|SECRET|CREDENTIAL")
_USER: Final = re.compile(r"(?<=://)[^/@\s]+@")

_logger = logging.getLogger("otel_chatbot")


def announce(plan: SignalPlan, instrumentations: Iterable[str]) -> None:
    """Write the line at start to the log files and the log exporters."""
    line = start_line(plan, instrumentations, os.environ)
    record = _logger.makeRecord(_logger.name, logging.INFO, __file__, 0, line, (), None, "announce")
    sink.SINK.accept(record)


def start_line(plan: SignalPlan, instrumentations: Iterable[str], environ: Mapping[str, str]) -> str:
    """The text of the line; secrets masked."""
    changed = {**config.current().changed(), **standard_settings(environ)}
    parts = (
        f"otel-chatbot {package_version()}",
        f"exporters: {', '.join(f'{signal.value} {where(plan, signal, environ)}' for signal in Signal)}",
        f"instrumentations: {', '.join(sorted(instrumentations)) or 'none yet'}",
        f"settings: {', '.join(f'{name}={value}' for name, value in sorted(changed.items())) or 'defaults'}",
    )
    return "; ".join(parts)


def where(plan: SignalPlan, signal: Signal, environ: Mapping[str, str]) -> str:
    """The destinations of a signal, as text for people."""
    if plan.disabled:
        return "off"
    names = [f"{name} {_clean(endpoint(environ, signal))}".strip() for name in plan.exporters[signal]]
    if signal is Signal.TRACES and plan.trace_file:
        names.append(config.current().trace_path)
    if signal is Signal.METRICS:
        names.append("/metrics")
    if signal is Signal.LOGS and config.current().log_files:
        names.append(config.current().log_dir)
    return " + ".join(names) or "none"


def standard_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The standard `OTEL_*` variables whose values differ from our defaults; secrets masked."""
    return {
        name: MASK if _SECRET.search(name) else _clean(value)
        for name, value in environ.items()
        if name.startswith("OTEL_") and value and DEFAULTS.get(name) != value
    }


def _clean(value: str) -> str:
    return _USER.sub(f"{MASK}@", value)
