"""The receiver for tests of applications keeps what it is sent, decoded, and plays a sick endpoint when it is asked to."""

from __future__ import annotations

import gzip
import http.client
import threading
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from otel_chatbot.testing import OtlpSink, attributes


def post(sink: OtlpSink, path: str, message: Any, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(sink.endpoint.removeprefix("http://"), timeout=60)
    body = message if isinstance(message, bytes) else message.SerializeToString()
    connection.request("POST", path, body, headers or {})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def traces(*names: str) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "chat"
    for name in names:
        group.scope_spans.add().spans.add(name=name)
    return message


def test_spans_records_and_metrics_are_kept_by_signal_in_the_order_of_arrival(otlp_sink: OtlpSink) -> None:
    logs, metrics = ExportLogsServiceRequest(), ExportMetricsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(severity_text="INFO")
    group = metrics.resource_metrics.add()
    group.resource.attributes.add(key="process.pid").value.int_value = 7
    group.scope_metrics.add().metrics.add(name="turns")
    assert post(otlp_sink, "/v1/traces", traces("first", "second")) == (200, ExportTraceServiceResponse().SerializeToString())
    post(otlp_sink, "/v1/logs", logs)
    post(otlp_sink, "/v1/metrics", metrics)
    post(otlp_sink, "/v1/traces", traces("third"))
    assert [path for path, _ in otlp_sink.requests] == ["/v1/traces", "/v1/logs", "/v1/metrics", "/v1/traces"]
    assert [span.name for span in otlp_sink.spans()] == ["first", "second", "third"]
    assert [resource for resource, _ in otlp_sink.spans_with_resource()] == [{"service.name": "chat"}] * 3
    assert [record.severity_text for record in otlp_sink.logs()] == ["INFO"]
    assert [(resource, metric.name) for resource, metric in otlp_sink.metrics()] == [({"process.pid": 7}, "turns")]


def test_a_compressed_body_is_kept_as_it_was_before(otlp_sink: OtlpSink) -> None:
    body = traces("packed").SerializeToString()
    assert post(otlp_sink, "/v1/traces", gzip.compress(body), {"Content-Encoding": "gzip"})[0] == 200
    assert otlp_sink.bodies == [body]


def test_an_endpoint_that_was_told_to_be_sick_answers_so_and_keeps_nothing(otlp_sink: OtlpSink) -> None:
    otlp_sink.answer = lambda path: 503 if path == "/v1/traces" else 200
    assert post(otlp_sink, "/v1/traces", traces("lost")) == (503, b"")
    assert post(otlp_sink, "/v2/traces", traces("lost")) == (404, b"")
    assert (otlp_sink.requests, otlp_sink.bodies) == ([], [])


def test_who_waits_sees_what_comes_and_is_told_when_it_does_not(otlp_sink: OtlpSink) -> None:
    assert not otlp_sink.wait(lambda sink: bool(sink.spans()), timeout=0)
    sender = threading.Thread(target=post, args=(otlp_sink, "/v1/traces", traces("late")))
    sender.start()
    assert otlp_sink.wait(lambda sink: bool(sink.spans()), timeout=60)
    sender.join(60)


def test_the_end_of_a_receiver_leaves_no_thread_and_ends_what_senders_keep_open() -> None:
    before = set(threading.enumerate())
    with OtlpSink() as sink:
        connection = http.client.HTTPConnection(sink.endpoint.removeprefix("http://"), timeout=60)
        connection.request("POST", "/v1/traces", traces("kept open").SerializeToString())
        connection.getresponse().read()
        assert set(threading.enumerate()) - before
    assert set(threading.enumerate()) - before == set()
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        connection.request("POST", "/v1/traces", b"")


def test_attributes_become_plain_values() -> None:
    group = ExportTraceServiceRequest().resource_spans.add()
    pairs = group.resource.attributes
    pairs.add(key="text").value.string_value = "words"
    pairs.add(key="flag").value.bool_value = False
    pairs.add(key="none")
    listed = pairs.add(key="list").value.array_value
    for word in ("a", "b"):
        listed.values.add(string_value=word)
    found = attributes(pairs)
    assert (found["text"], found["flag"], found["none"]) == ("words", False, None)
    assert [value.string_value for value in found["list"]] == ["a", "b"]
