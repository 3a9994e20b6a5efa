"""Runs scenarios of tests/support/clients one by one under one tool, and prints the spans of each.

Run by `who_sees_what.py`. A line of standard input is the name of a scenario, which is run in a request of the tests' app. An
empty line asks for the spans so far: they are printed as a line of JSON and forgotten. TOOL names the tool, WIRES the address
of the model server.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

KEPT = InMemorySpanExporter()
OUT = os.fdopen(os.dup(1), "w")
"""Only for the answers: clients and tools may print to standard output."""
SAID: list[str] = []
FOLDER = re.compile(r" from '/[^']*'")
"""The path of a module on this machine."""


class Said(logging.Handler):
    """Keeps the tool's log lines during its set-up."""

    def emit(self, record: logging.LogRecord) -> None:
        SAID.append(FOLDER.sub("", record.getMessage().splitlines()[0])[:300])


def ours() -> None:
    import otel_chatbot

    otel_chatbot.instrument()


def upstream() -> None:
    from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts

    for entry in entry_points(group="opentelemetry_instrumentor"):
        if entry.dist is None or not entry.dist.name.startswith(MODELS):
            continue
        conflict = get_dist_dependency_conflicts(entry.dist)
        if conflict is not None and conflict.found is not None:
            SAID.append(f"{entry.dist.name}: {conflict}")
        elif conflict is None:
            try:
                entry.load()().instrument(skip_dep_check=True)
            except ModuleNotFoundError:  # its client is not here
                continue
            except Exception as error:
                SAID.append(f"{entry.dist.name} {entry.dist.version}: {type(error).__name__}: {error}")


MODELS = ("opentelemetry-instrumentation-genai-", "opentelemetry-instrumentation-google-genai")


def openllmetry() -> None:
    from traceloop.sdk import Traceloop

    Traceloop.init(app_name="seen", disable_batch=True, exporter=KEPT, telemetry_enabled=False)


def openlit() -> None:
    import openlit as tool

    prices = Path(os.environ["HOME"]) / "prices.json"  # else it fetches some
    prices.write_text("{}")
    tool.init(application_name="seen", pricing_json=str(prices))


def nothing() -> None:
    """No tool."""


TOOLS = {"ours": ours, "upstream": upstream, "openllmetry": openllmetry, "openlit": openlit, "": nothing}


def set_up(tool: str) -> None:
    """Set the tool up as its documentation says, on providers that keep their spans."""
    provider = TracerProvider()
    if tool != "openllmetry":  # openllmetry adds its exporter to the provider that it finds
        provider.add_span_processor(SimpleSpanProcessor(KEPT))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
    said = Said(logging.WARNING)
    logging.getLogger().addHandler(said)
    try:
        TOOLS[tool]()
    finally:
        logging.getLogger().removeHandler(said)


def spans() -> list[dict[str, Any]]:
    """The spans so far, with the attributes that show whether they are model calls."""
    if not KEPT.get_finished_spans():
        gc.collect()  # a stream that was thrown away
    told = [
        {
            "name": span.name,
            "scope": span.instrumentation_scope.name if span.instrumentation_scope else "",
            "error": span.status.status_code is trace.StatusCode.ERROR,
            "attributes": {
                name: value
                for name, value in (span.attributes or {}).items()
                if name.startswith(("gen_ai.", "llm.", "error.type"))
            },
        }
        for span in KEPT.get_finished_spans()
    ]
    KEPT.clear()
    return told


def main() -> None:
    os.dup2(2, 1)
    set_up(os.environ["TOOL"])
    from support.clients.app import app

    client = app.test_client()
    answer({"said": SAID})
    for line in sys.stdin:
        name = line.strip()
        answer(client.get(f"/run/{name}").get_json() if name else {"spans": spans()})
    os._exit(0)


def answer(what: dict[str, Any]) -> None:
    print(json.dumps(what, default=str), file=OUT, flush=True)


if __name__ == "__main__":
    main()
