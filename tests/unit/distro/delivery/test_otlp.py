"""OTLP over HTTP: what an endpoint's answer means for a payload, where a signal goes, and what a payload holds."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from support.process import free_port

from otel_chatbot.distro.delivery.otlp import Answer, Target, Verdict, compressed, count_items, judge
from otel_chatbot.distro.delivery.spool import Payload
from otel_chatbot.semconv.attributes import Signal
from otel_chatbot.testing import OtlpSink

PROTO = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json; charset=utf-8"}
HTML = {"content-type": "text/html"}


def logs(records: int) -> bytes:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number in range(records):
        scope.log_records.add().body.string_value = str(number)
    return request.SerializeToString()


@pytest.fixture
def target(otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp_sink.endpoint)
    found = Target(Signal.LOGS)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("status", "headers", "body", "verdict"),
    [
        (200, PROTO, b"", Verdict.TAKEN),
        (202, {}, b"", Verdict.TAKEN),
        (200, JSON, b"{}", Verdict.TAKEN),
        (200, JSON, b"", Verdict.TAKEN),
        (200, JSON, b"[]", Verdict.TAKEN),
        (200, JSON, b"<html>", Verdict.LATER),
        (200, HTML, b"", Verdict.LATER),
        (200, PROTO, b"<html>", Verdict.LATER),
        (302, {}, b"", Verdict.LATER),
        (400, {}, b"", Verdict.REFUSED),
        (401, {}, b"", Verdict.REFUSED),
        (408, {}, b"", Verdict.LATER),
        (429, {}, b"", Verdict.LATER),
        (500, {}, b"", Verdict.LATER),
    ],
)
def test_a_valid_otlp_answer_alone_is_a_success(status: int, headers: dict[str, str], body: bytes, verdict: Verdict) -> None:
    answer = judge(Signal.TRACES, status, headers, body)
    assert answer.verdict is verdict
    assert str(status) in answer.reason or verdict is Verdict.TAKEN


def test_how_many_items_were_rejected_is_read_from_both_encodings() -> None:
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 3
    for headers, body in (
        (PROTO, response.SerializeToString()),
        (JSON, b'{"partialSuccess":{"rejectedSpans":"3"}}'),
        (JSON, b'{"partialSuccess":{"rejectedSpans":3}}'),
    ):
        assert judge(Signal.TRACES, 200, headers, body) == Answer(Verdict.TAKEN, rejected=3)
    assert judge(Signal.LOGS, 200, JSON, b'{"partialSuccess":{"rejectedSpans":3}}').rejected == 0


def test_the_wait_that_an_endpoint_asks_for_is_kept_where_it_will_take_the_payload_later() -> None:
    assert judge(Signal.LOGS, 429, {}, b"", 7.0).wait == 7.0
    assert judge(Signal.LOGS, 400, {}, b"", 7.0).wait is None


def test_items_are_counted_in_compressed_payloads_too() -> None:
    assert count_items(Payload(Signal.LOGS, logs(2))) == 2
    assert count_items(Payload(Signal.LOGS, gzip.compress(logs(5)), "gzip")) == 5
    assert count_items(Payload(Signal.LOGS, zlib.compress(logs(4)), "deflate")) == 4


def test_spans_and_data_points_are_counted_over_all_groups() -> None:
    traces, metrics = ExportTraceServiceRequest(), ExportMetricsServiceRequest()
    for _ in range(2):
        scope = traces.resource_spans.add().scope_spans.add()
        scope.spans.add(), scope.spans.add()
    scope = metrics.resource_metrics.add().scope_metrics.add()
    scope.metrics.add().sum.data_points.add()
    histogram = scope.metrics.add().histogram
    histogram.data_points.add(), histogram.data_points.add()
    scope.metrics.add(name="without data")
    assert count_items(Payload(Signal.TRACES, traces.SerializeToString())) == 4
    assert count_items(Payload(Signal.METRICS, metrics.SerializeToString())) == 3


@pytest.mark.parametrize(
    "payload",
    [
        Payload(Signal.LOGS, b"not a message"),
        Payload(Signal.LOGS, b"not gzip", "gzip"),
        Payload(Signal.LOGS, gzip.compress(logs(3))[:-9], "gzip"),
        Payload(Signal.LOGS, b"not zlib", "deflate"),
    ],
    ids=["no message", "no gzip", "half a gzip", "no zlib"],
)
def test_a_payload_that_cannot_be_read_counts_as_one(payload: Payload) -> None:
    assert count_items(payload) == 1


@pytest.mark.parametrize(("value", "encoding"), [("gzip", "gzip"), ("deflate", "deflate"), ("none", ""), ("", "")])
def test_a_request_is_compressed_as_the_variable_says(monkeypatch: pytest.MonkeyPatch, value: str, encoding: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", value)
    payload = compressed(Signal.LOGS, logs(3))
    assert payload.encoding == encoding
    assert count_items(payload) == 3
    assert (payload.body == logs(3)) is not bool(encoding)


def test_an_address_is_completed_by_the_signals_path_unless_it_is_the_signals_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4318/here")
    assert Target(Signal.LOGS).url == "http://collector:4318/otlp/v1/logs"
    assert Target(Signal.TRACES).url == "http://traces:4318/here"


def test_the_address_is_shown_without_credentials_and_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://user:hunter2@collector.example:4318/v1/logs?key=hunter3")
    assert Target(Signal.LOGS).shown == "https://collector.example:4318/v1/logs"


def test_a_post_arrives_with_its_encoding(otlp_sink: OtlpSink, target: Target) -> None:
    assert target.post(Payload(Signal.LOGS, gzip.compress(logs(2)), "gzip")).verdict is Verdict.TAKEN
    assert target.post(Payload(Signal.LOGS, logs(1)), limit=60).verdict is Verdict.TAKEN
    assert len(otlp_sink.logs()) == 3


def test_a_post_that_nobody_answers_is_for_later_and_says_the_kind_of_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    target = Target(Signal.LOGS)
    assert target.post(Payload(Signal.LOGS, b"")) == Answer(Verdict.LATER, "ConnectionError")
    target.close()
    monkeypatch.setattr(target, "url", "nowhere")
    assert target.post(Payload(Signal.LOGS, b"")).verdict is Verdict.LATER
    target.close()


def test_after_a_fork_the_child_posts_over_a_connection_of_its_own(otlp_sink: OtlpSink, target: Target) -> None:
    target.post(Payload(Signal.LOGS, logs(1)))
    parents = target._transport
    posting = threading.Thread(target=target.hold, args=(60,))  # a thread of the parent's, which the child does not have
    posting.start()
    posting.join()
    target.start_anew()
    assert target._posting.acquire(blocking=False), "nobody gives the old lock back"
    target._posting.release()
    assert target._transport is None
    assert target.post(Payload(Signal.LOGS, logs(1))).verdict is Verdict.TAKEN
    assert target._transport is not parents
    assert len(otlp_sink.logs()) == 2
    assert parents is not None
    parents.close()
