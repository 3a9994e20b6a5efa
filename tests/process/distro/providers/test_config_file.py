"""OTEL_CONFIG_FILE: what the file says is done, once; what it leaves out is ours; our own metrics go where it sends metrics."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.distro import APP, App

from otel_chatbot.testing import OtlpSink

RESOURCE = """
file_format: "1.0"
resource:
  attributes:
    - name: service.name
      value: from-the-file
"""
TRACES = """
tracer_provider:
  sampler: {{always_on: {{}}}}
  processors:
    - batch:
        schedule_delay: 100
        exporter:
          otlp_http: {{endpoint: "{endpoint}/v1/traces"}}
"""
METRICS = """
meter_provider:
  readers:
    - periodic:
        interval: 200
        exporter:
          otlp_http: {{endpoint: "{endpoint}/v1/metrics"}}
"""
LOGS = """
logger_provider:
  processors:
    - batch:
        schedule_delay: 100
        exporter:
          otlp_http: {{endpoint: "{endpoint}/v1/logs"}}
"""
FAST = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "200"}

SHOP = APP.replace(
    "@app.get",
    """
from opentelemetry import metrics
orders = metrics.get_meter("shop").create_counter("shop.orders")
@app.get""",
).replace("return", "orders.add(1); return")


def serve(folder: Path, config: str, sink: OtlpSink, **env: str) -> App:
    folder.mkdir(exist_ok=True)
    (folder / "otel.yaml").write_text(RESOURCE + config.format(endpoint=sink.endpoint))
    with App(folder, {**FAST, "OTEL_CONFIG_FILE": "otel.yaml", **env}, SHOP, path="/health/live") as app:
        for _ in range(5):
            assert app.get() == (200, "hello")
        app.exposed = app.get("/metrics")[1]  # type: ignore[attr-defined]
        app.end()
    assert "rror" not in app.stderr
    assert "arning" not in app.stderr
    return app


def asked(sink: OtlpSink) -> list[object]:
    return [span for span in sink.spans() if span.name == "GET /"]


def test_a_file_with_traces_alone(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    app = serve(tmp_path, TRACES, otlp_sink)
    assert len(asked(otlp_sink)) == 5
    assert {resource["service.name"] for resource, _ in otlp_sink.spans_with_resource()} == {"from-the-file"}
    assert {path for path, _ in otlp_sink.requests} == {"/v1/traces"}
    assert app.spans_on_disk() == [], "they have gone where the file says"
    traces = {span.trace_id.hex() for span in asked(otlp_sink)}  # type: ignore[attr-defined]
    assert {line["trace_id"] for line in app.log_lines() if line["logger"] == "app"} == traces
    samples = [sample for family in text_string_to_metric_families(app.exposed) for sample in family.samples]  # type: ignore[attr-defined]
    assert sum(sample.value for sample in samples if sample.name == "chatbot_api_requests_total") == 5


def test_a_file_with_all_signals(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    serve(tmp_path, TRACES + METRICS + LOGS, otlp_sink)
    assert len(asked(otlp_sink)) == 5
    assert len([record for record in otlp_sink.logs() if record.body.string_value == "hello from the app"]) == 5
    requests = [metric for _, metric in otlp_sink.metrics() if metric.name == "chatbot.api.requests"]
    assert requests, sorted({metric.name for _, metric in otlp_sink.metrics()})
    assert sum(point.as_double for point in requests[-1].sum.data_points) == 5
    assert any(
        point.exemplars
        for _, one in otlp_sink.metrics()
        if one.name == "chatbot.response.time"
        for point in one.histogram.data_points
    )
    assert {resource["service.name"] for resource, _ in otlp_sink.metrics()} == {"from-the-file"}
    shop = {str(resource): metric for resource, metric in otlp_sink.metrics() if metric.name == "shop.orders"}
    assert [one.sum.data_points[0].as_int for one in shop.values()] == [5], "what others count arrives once"


@pytest.mark.parametrize("config", [TRACES, TRACES + METRICS + LOGS, ""], ids=["traces", "all", "resource"])
def test_beside_the_endpoint_of_the_environment_nothing_arrives_twice(tmp_path: Path, otlp_sink: OtlpSink, config: str) -> None:
    serve(tmp_path, config, otlp_sink, OTEL_EXPORTER_OTLP_ENDPOINT=otlp_sink.endpoint)
    assert len(asked(otlp_sink)) == 5
    assert len([record for record in otlp_sink.logs() if record.body.string_value == "hello from the app"]) == 5
    last: dict[str, float] = {}
    for resource, metric in otlp_sink.metrics():
        if metric.name == "chatbot.api.requests":
            last[str(resource)] = sum(point.as_double or point.as_int for point in metric.sum.data_points)
    assert list(last.values()) == [5.0]


def test_a_file_that_disables_the_sdk_disables_the_package_too(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    serve(tmp_path, "disabled: true" + TRACES, otlp_sink, OTEL_EXPORTER_OTLP_ENDPOINT=otlp_sink.endpoint)
    assert otlp_sink.requests == []
    assert not (tmp_path / "logs").exists()
