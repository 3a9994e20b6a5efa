"""Asks a model through litellm, without its own callback for OpenTelemetry and with it; prints whose spans there are.

Run from tests/ with the Python of the environment `clients`: `python -m support.beside.litellm_native`.
"""

from __future__ import annotations

import json
from typing import Any

import litellm
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_chatbot.instrumentation.genai import hooks
from otel_chatbot.semconv import metrics as m
from support.ai import AiWatch
from support.clients.scenario import Prompt
from support.process import wait_for
from support.wires.server import WiresServer


def main() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    hooks.instrument(tracer_provider=provider)
    prompt = Prompt(WiresServer().start().url, "", "plain", "litellm")
    asked: Any = {"model": "openai/gpt-4o-mini", "messages": prompt.messages, "api_base": f"{prompt.url}/v1", "api_key": "k"}
    found = {}
    for name, callbacks in (("ours", []), ("theirs", ["otel"])):
        litellm.callbacks = callbacks
        exporter.clear()
        watch = AiWatch(exporter)
        litellm.completion(**asked)
        wait_for(lambda: exporter.get_finished_spans(), "a span, which litellm makes on a thread of its own")
        scopes = {span.instrumentation_scope.name for span in watch.spans if span.instrumentation_scope}
        found[name] = {"scopes": sorted(scopes), "calls": watch.total(m.AI_RESPONSE_TIME), "tokens": watch.tokens()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
