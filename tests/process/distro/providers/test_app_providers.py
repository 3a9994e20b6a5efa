"""Providers that the application makes by itself are flushed with ours at SIGTERM, where Python leaves exit hooks out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.distro import APP, App

from otel_chatbot.testing import OtlpSink

OWN = """
import os
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

spans = TracerProvider()
spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=60_000))
trace.set_tracer_provider(spans)
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=60_000)]))
if os.environ.get("INSIDE"):
    import otel_chatbot
    otel_chatbot.instrument()
metrics.get_meter("shop").create_counter("shop.made").add(1)
"""


@pytest.mark.parametrize("inside", [False, True], ids=["ours first", "theirs first"])
def test_what_they_hold_arrives(tmp_path: Path, otlp_sink: OtlpSink, inside: bool) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint, "OTEL_SERVICE_NAME": "bot"}
    if inside:
        env["INSIDE"] = "1"
    command = [sys.executable, "app.py"] if inside else []
    with App(tmp_path, env, OWN + APP, command, path="/health/live") as app:
        for _ in range(3):
            assert app.get() == (200, "hello")
        app.end()
    assert [span.name for span in otlp_sink.spans()].count("GET /") == 3
    names = {metric.name for _, metric in otlp_sink.metrics()}
    assert {"shop.made", "chatbot.api.requests"} <= names
    assert "rror" not in app.stderr
