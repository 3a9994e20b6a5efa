"""The real collector as a sender of the viewer: what a stock app tells it is seen, with where it came from."""

from __future__ import annotations

from pathlib import Path

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from support.pipeline import Collector
from support.process import wait_for
from support.viewer import Viewer

LIMIT = 60.0
METRICS = """
exporters: {{otlp_http/viewer: {{endpoint: "{url}"}}}}
service: {{pipelines: {{metrics/viewer: {{receivers: [otlp], exporters: [otlp_http/viewer]}}}}}}
"""
"""Beside Prometheus, which asks the collector, it sends metrics on."""


def test_what_a_stock_app_tells_the_collector_is_in_the_viewer(tmp_path: Path) -> None:
    resource = Resource({"service.name": "behind-a-collector"})
    with Viewer(tmp_path / "viewer") as viewer:
        (tmp_path / "metrics.yaml").write_text(METRICS.format(url=viewer.url))
        with Collector(tmp_path / "collector", viewer.url, flags=["--config", str(tmp_path / "metrics.yaml")]) as collector:
            to = collector.url("otlp_http")
            tracing, logging = TracerProvider(resource=resource), LoggerProvider(resource=resource)
            tracing.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{to}/v1/traces")))
            logging.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{to}/v1/logs")))
            metering = MeterProvider(
                [PeriodicExportingMetricReader(OTLPMetricExporter(f"{to}/v1/metrics"), 3_600_000)], resource=resource
            )
            for number in range(3):
                with tracing.get_tracer("stock").start_as_current_span(f"work {number}") as span:
                    logging.get_logger("stock").emit(body=f"line {number}", severity_number=SeverityNumber.INFO)
                    span.set_attribute("number", number)
            metering.get_meter("stock").create_counter("stock.sold").add(7)
            metering.force_flush()
            wait_for(lambda: len(viewer.ask("traces")["traces"]) == 3, "the traces, through the collector", LIMIT)
            wait_for(lambda: len(viewer.ask("logs")["logs"]) == 3, "the lines", LIMIT)
            wait_for(lambda: viewer.ask("metrics")["metrics"], "the metric", LIMIT)
            for provider in (tracing, logging, metering):
                provider.shutdown()

        found = viewer.ask("traces", attribute="number", value=1)
        [trace] = found["traces"]
        assert trace["name"] == "work 1"
        [place] = found["services"].values()
        assert place["service"] == "behind-a-collector"
        assert place["attributes"]["deployment.environment.name"] == "development", "the collector adds where it runs"
        assert [line["body"] for line in viewer.ask(f"traces/{trace['trace']}")["logs"]] == ["line 1"]
        [series] = viewer.ask("metrics/stock.sold")["series"]
        assert (series["value"], series["service"]) == (7, "behind-a-collector")
        assert viewer.process.stderr == ""
