"""The exporters to the spool: redaction in the same pass as by the policy itself, and no batch lost for one bad item."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Link, SpanContext, StatusCode

from otel_chatbot._guard import Guard
from otel_chatbot.config import Settings
from otel_chatbot.distro.delivery import spool_exporters
from otel_chatbot.distro.delivery.otlp import Target
from otel_chatbot.distro.delivery.sender import Sender
from otel_chatbot.distro.delivery.spool import Spool
from otel_chatbot.distro.delivery.spool_exporters import SpoolMetricExporter, SpoolSpanExporter
from otel_chatbot.distro.delivery.transport import ToSpool
from otel_chatbot.distro.providers.redacting_exporters import redact_span
from otel_chatbot.logs.redaction import Redactor
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.attributes import Signal


class Kept(ToSpool):
    """A way to the spool that keeps the requests instead."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def deliver(self, request: bytes) -> None:
        self.requests.append(request)


def ended(name: str = "n", **attributes: Any) -> ReadableSpan:
    span = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span(name, attributes=attributes)
    span.end()
    return span  # type: ignore[return-value]


def sent(way: Kept) -> list[Any]:
    requests = [ExportTraceServiceRequest.FromString(request) for request in way.requests]
    return [
        span for request in requests for group in request.resource_spans for scope in group.scope_spans for span in scope.spans
    ]


SECRETS = {
    "password": "hunter2",
    "note": "write to ann@example.com",
    "list": ("token=abcdef123456", "fine"),
    "card": "4111 1111 1111 1111",
    "number": 7,
    "text": "nothing to mask",
}


def test_spans_leave_as_the_policy_has_them_in_name_attributes_events_links_and_status() -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    span = tracer.start_span("mail ann@example.com", attributes=SECRETS, links=[Link(SpanContext(1, 2, False), SECRETS)])
    span.add_event("event of ann@example.com", SECRETS)
    span.add_event("exception", {"exception.type": "pymongo.errors.DuplicateKeyError", "exception.message": "dup key: {x: 1}"})
    span.set_status(StatusCode.ERROR, "password=hunter2")
    span.end()
    way, redactor = Kept(), Redactor()
    SpoolSpanExporter(way).export([span, span])  # type: ignore[list-item]
    expected = Kept()
    unredacted = SpoolSpanExporter(expected)
    unredacted._attributes._redactor = None
    unredacted.export([redact_span(span, redactor)] * 2)  # type: ignore[arg-type]
    assert way.requests == expected.requests
    for secret in (b"hunter2", b"ann@example.com", b"abcdef123456", b"4111", b"dup key"):
        assert secret not in way.requests[0]
    assert b"nothing to mask" in way.requests[0]


def test_a_span_that_cannot_be_encoded_is_counted_and_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "strict", False)
    batch = [ended(f"s{number}") for number in range(512)]
    for number in (7, 300):
        batch[number]._start_time = -5  # no time that a fixed64 can hold
    lost = STORE.instrument(m.TELEMETRY_DROPPED).at((a.Signal.TRACES.value, a.DropReason.EXPORT_FAILED.value))
    before = lost.read()[0]
    way = Kept()
    SpoolSpanExporter(way).export(batch)
    assert lost.read()[0] - before == 2
    assert [span.name for span in sent(way)] == [f"s{number}" for number in range(512) if number not in (7, 300)]


def test_an_exponential_histogram_of_the_app_leaves_by_upstreams_encoder() -> None:
    reader = InMemoryMetricReader()
    views = [View(instrument_name="*", aggregation=ExponentialBucketHistogramAggregation())]
    provider = MeterProvider([reader], views=views, shutdown_on_exit=False)
    provider.get_meter("m").create_histogram("h").record(3)
    way = Kept()
    SpoolMetricExporter(way).export(reader.get_metrics_data())  # type: ignore[arg-type]
    request = ExportMetricsServiceRequest.FromString(way.requests[0])
    metric = request.resource_metrics[0].scope_metrics[0].metrics[0]
    assert (metric.name, metric.exponential_histogram.data_points[0].count) == ("h", 1)


@pytest.mark.parametrize(
    ("variable", "value", "encoding", "read"),
    [
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "gzip", gzip.decompress),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "deflate", "deflate", zlib.decompress),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none", "", bytes),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "gzip", "", bytes),
    ],
)
def test_requests_are_compressed_as_the_standard_variables_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, encoding: str, read: Any
) -> None:
    monkeypatch.setenv(variable, value)
    spool = Spool(tmp_path, 1 << 20, lambda _: None)
    target = Target(Signal.TRACES)
    monkeypatch.setattr(Sender, "wake", lambda _: None)
    SpoolSpanExporter(ToSpool(spool, Sender(spool, {Signal.TRACES: target}), target)).export([ended("whole")])
    (name,) = spool.files()
    payload = spool.read(name)
    assert payload.encoding == encoding
    spans = ExportTraceServiceRequest.FromString(read(payload.body)).resource_spans[0].scope_spans[0].spans
    assert [span.name for span in spans] == ["whole"]


def test_every_signal_has_an_exporter_of_its_own() -> None:
    assert set(spool_exporters._EXPORTERS) == set(Signal)
    assert ExportLogsServiceRequest.FromString(b"") == ExportLogsServiceRequest()
    assert Settings().capture_content is False
