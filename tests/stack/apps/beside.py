"""A chatbot that has set up another observability tool by itself: TOOL says which one; what it would export goes to KEPT.

hand: a tracer and a meter provider made by hand; upstream: OpenTelemetry's own instrumentor of openai, by hand;
traceloop: OpenLLMetry; logfire. INSIDE=1 calls `otel_chatbot.instrument()` in the code, after the tool.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openai
from flask import Flask
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

TOOL = os.environ["TOOL"]
READER = InMemoryMetricReader()


class Keep(SpanExporter):
    """Writes spans into the file that KEPT names."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with Path(os.environ["KEPT"]).open("a", encoding="utf-8") as file:
            for span in spans:
                assert span.context is not None
                assert span.instrumentation_scope is not None
                told: dict[str, Any] = {
                    "name": span.name,
                    "scope": span.instrumentation_scope.name,
                    "trace": f"{span.context.trace_id:032x}",
                    "span": f"{span.context.span_id:016x}",
                    "parent": f"{span.parent.span_id:016x}" if span.parent else "",
                    "service": span.resource.attributes["service.name"],
                }
                file.write(json.dumps(told) + "\n")
        return SpanExportResult.SUCCESS


if TOOL == "hand":
    resource = Resource.create({"service.name": "by-hand"})
    provider = TracerProvider(resource=resource)
    trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(Keep()))
    metrics.set_meter_provider(MeterProvider([READER], resource=resource))
elif TOOL == "upstream":
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Keep()))
    trace.set_tracer_provider(provider)
    OpenAIInstrumentor().instrument()
elif TOOL == "traceloop":
    from traceloop.sdk import Traceloop

    Traceloop.init(
        app_name="beside", disable_batch=True, exporter=Keep(), metrics_exporter=ConsoleMetricExporter(), telemetry_enabled=False
    )  # fmt: skip
elif TOOL == "logfire":
    import logfire

    logfire.configure(
        send_to_logfire=False, console=False, additional_span_processors=[SimpleSpanProcessor(Keep())], service_name="beside"
    )
    logfire.instrument_openai()

if os.environ.get("INSIDE"):
    import otel_chatbot

    otel_chatbot.instrument()

app = Flask(__name__)
turns = metrics.get_meter("beside").create_counter("beside.turns")
MODEL: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "/chunks 5"}]}


@app.post("/chat")
def chat() -> dict[str, str]:
    with openai.OpenAI(max_retries=0) as client:
        whole = client.chat.completions.create(**MODEL).choices[0].message.content
        streamed = "".join(
            chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**MODEL, stream=True)
        )
    turns.add(1)
    with trace.get_tracer("beside").start_as_current_span("thinking"):
        return {"whole": whole or "", "streamed": streamed}


@app.get("/read")
def read() -> list[str]:
    found = READER.get_metrics_data() if TOOL == "hand" else None
    if found is None:
        return []
    return [metric.name for group in found.resource_metrics for scope in group.scope_metrics for metric in scope.metrics]


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), threaded=True)
