"""Run in a process of its own: sets OpenTelemetry up as `opentelemetry-instrument` does, imports the app if one is named, and tells.

Fed by `doctor.process`; prints one line of JSON. Ends without any hook at exit: nothing is sent.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_AROUND = ("inner", "exporter", "_processor")
"""Where our processors and exporters keep what they pass on to."""
_SETTINGS = ("OTEL_", "CHATBOT_OTEL_", "OTLP ", "the spool")
"""How warnings about settings begin: the doctor says these itself."""
_SAID = re.compile(r"no installed package offers|^OTLP ")
"""Errors that the doctor finds in the settings."""
_REFUSED = "Overriding of current"


class _Collected(logging.Handler):
    """The warnings of OpenTelemetry and of this package."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        if record.name.startswith(("opentelemetry", "otel_chatbot")):
            kept = self.errors if record.levelno >= logging.ERROR else self.lines
            kept.append(record.getMessage().splitlines()[0])


def main() -> None:
    """Set OpenTelemetry up, import the app, and print what there is then."""
    kept = _Collected()
    logging.getLogger().addHandler(kept)
    from opentelemetry.instrumentation.auto_instrumentation import initialize

    initialize()
    before = _global_providers()
    if len(sys.argv) > 1:
        _load(sys.argv[1])
    after = _global_providers()
    refused = [line for line in kept.lines if _REFUSED in line]
    report = {
        "providers": _providers(after),
        "theirs": [signal for signal in after if after[signal] is not before[signal]],
        "refused": refused,
        "errors": [line for line in dict.fromkeys(kept.errors) if not _SAID.search(line)],
        "warnings": [line for line in dict.fromkeys(kept.lines) if line not in refused and not line.startswith(_SETTINGS)],
    }
    print("\n" + json.dumps(report), flush=True)
    os._exit(0)


def _load(app: str) -> None:
    """Import a module, or run a file as a module of its name would be: it must not start its server."""
    path = Path(app)
    if path.suffix == ".py":
        sys.path.insert(0, str(path.resolve().parent))
        runpy.run_path(app, run_name=path.stem)
    else:
        sys.path.insert(0, "")
        importlib.import_module(app.partition(":")[0])


def _global_providers() -> dict[str, Any]:
    from opentelemetry import _logs, metrics, trace

    return {
        "traces": trace.get_tracer_provider(),
        "metrics": metrics.get_meter_provider(),
        "logs": _logs.get_logger_provider(),
    }


def _providers(there: dict[str, Any]) -> dict[str, Any]:
    from ...distro import sdk_private

    asked: dict[str, Callable[[Any], list[object]]] = {
        "traces": sdk_private.span_exporters,
        "metrics": sdk_private.metric_exporters,
        "logs": sdk_private.log_exporters,
    }
    found = {}
    for signal, provider in there.items():
        try:
            exporters = [_inner(exporter) for exporter in asked[signal](provider)]
        except AttributeError:  # not the SDK's
            exporters = []
        found[signal] = {
            "provider": f"{type(provider).__module__}.{type(provider).__qualname__}",
            "exporters": [type(exporter).__qualname__ for exporter in exporters],
            "otlp": sum(sdk_private.is_otlp(exporter) for exporter in exporters),
        }
    return found


def _inner(exporter: Any) -> Any:
    """The exporter at the end of what we put around it."""
    ours = __package__.partition(".")[0]
    while type(exporter).__module__.startswith(ours):
        held = vars(exporter)
        within = next((held[name] for name in _AROUND if name in held), None)
        if within is None:
            return exporter
        exporter = within
    return exporter


if __name__ == "__main__":
    main()
