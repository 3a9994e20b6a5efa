"""A test of each signal is sent to where the app's go, and looked for again where that can be asked."""

from __future__ import annotations

import json
import os
import socket

import pytest
from support.http_answers import answering
from support.process import free_port

from otel_chatbot.cli.doctor import signals as module
from otel_chatbot.cli.doctor.findings import Finding, Status
from otel_chatbot.cli.doctor.signals import Destinations, RoundTrip, signals
from otel_chatbot.semconv import operations as o
from otel_chatbot.testing import OtlpSink


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(module, "_PAUSE", 0.01)


def told(destinations: Destinations | None = None) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for one in signals(destinations or Destinations()):
        found.setdefault(one.name, []).append(one)
    return found


def test_without_an_endpoint_it_is_said_where_each_signal_goes_and_nothing_is_sent() -> None:
    found = told()
    assert [one.message.partition(":")[0] for one in found["signal"]] == ["traces", "metrics", "logs"]
    assert "endpoint" not in found
    [rest] = found["backends"]
    assert (rest.looked_at, rest.remedy) == (False, "name the addresses that you have: --collector, --prometheus, --traces")


def test_every_signal_is_taken_by_a_receiver_as_a_service_of_its_own(
    otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp_sink.endpoint)
    found = told()
    assert [one.status for one in found["endpoint"]] == [Status.WELL] * 3
    [(resource, span)] = otlp_sink.spans_with_resource()
    assert (resource["service.name"], span.name) == (o.DOCTOR_SERVICE, o.DOCTOR_SPAN)
    [(_, metric)] = otlp_sink.metrics()
    assert metric.name == o.DOCTOR_TIME.name
    [record] = otlp_sink.logs()
    assert record.trace_id == span.trace_id
    assert span.trace_id.hex() in record.body.string_value


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "set OTEL_EXPORTER_OTLP_HEADERS"),
        (404, "something else answers there"),
        (503, "telemetry waits in the spool"),
        (0, "see whether the collector runs there"),
    ],
)
def test_an_endpoint_that_takes_nothing_is_a_fault_whose_remedy_follows_from_its_answer(
    status: int, remedy: str, otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    otlp_sink.answer = lambda _: status
    url = otlp_sink.endpoint if status else f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", f"{url}/v1/logs")
    [one] = told()["endpoint"]
    assert one.status is Status.FAILED
    assert f"{url}/v1/logs does not take logs: " in one.message
    assert remedy in one.remedy


def test_an_exporter_that_nobody_offers_is_a_fault_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin,console")
    [one] = told()["exporter"]
    assert one.message == "OTEL_TRACES_EXPORTER=zipkin: no installed package offers it"
    assert "console" in one.remedy


def test_a_disabled_sdk_sends_no_test(otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp_sink.endpoint)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert "endpoint" not in told()
    assert otlp_sink.requests == []


def test_grpc_is_asked_whether_it_listens_and_for_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "otlp_proto_grpc")
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    assert told()["grpc-extra"][0].remedy == "pip install 'otel-chatbot[grpc]'"
    monkeypatch.setattr(module, "find_spec", lambda name: name)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    assert [one.status for one in told()["endpoint"] if one.message.startswith("logs:")] == [Status.FAILED]
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
        assert told()["endpoint-grpc"][0].message == f"logs: 127.0.0.1:{port} listens; gRPC is not tried further"


def test_what_was_sent_is_found_again_in_prometheus_and_the_store_of_traces(
    otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp_sink.endpoint)

    def answer(path: str) -> tuple[int, str]:
        if path.startswith("/api/traces/"):
            there = path.endswith(otlp_sink.spans()[0].trace_id.hex())
            return (200, o.DOCTOR_SPAN) if there else (404, "")
        [(_, metric)] = otlp_sink.metrics()
        value = metric.gauge.data_points[0].as_double
        return 200, json.dumps({"data": {"result": [{"metric": {}, "value": [1, str(value)]}]}})

    with answering(answer) as address:
        found = told(Destinations(prometheus=address, traces=address, wait=60))
    assert found["prometheus"][0].message.startswith("found the test figure in Prometheus after ")
    assert found["traces"][0].message.startswith("found the test span after ")
    assert found["backends"][0].remedy.endswith(": --collector")


def test_what_is_not_found_in_time_is_a_fault_with_the_last_answer(
    otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp_sink.endpoint)
    with answering(lambda path: (404, "") if "traces" in path else (500, "broken")) as address:
        found = told(Destinations(prometheus=address, traces=address, wait=0.05))
    assert "was not found within 0.05 s: it is not there" in found["traces"][0].message
    assert f"{address} answers 500: broken" in found["prometheus"][0].message


def test_a_collector_has_taken_it_when_its_own_figures_have_grown(otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", f"{otlp_sink.endpoint}/v1/logs")
    with answering(lambda _: (200, f"otelcol_receiver_accepted_log_records {len(otlp_sink.logs()) + 4}\n")) as address:
        assert told(Destinations(collector=address, wait=60))["collector"][0].status is Status.WELL
    with answering(lambda _: (200, "otelcol_receiver_accepted_log_records 4\n")) as address:
        assert told(Destinations(collector=address, wait=0.05))["collector"][0].status is Status.FAILED


@pytest.mark.parametrize("name", ["collector", "prometheus", "traces"])
def test_an_address_that_was_named_is_asked_without_an_endpoint_too(name: str) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    [one] = told(Destinations(**{name: address}))[name]
    assert one.status is Status.FAILED
    assert address in one.message


def test_a_round_trip_is_known_again_by_its_time_and_its_trace() -> None:
    trip = RoundTrip(1700000000.125, bytes(range(16)))
    with answering(lambda _: (200, '{"data": {"result": [{"metric": {}, "value": [1, "1700000000.125"]}]}}')) as address:
        assert module._in_prometheus(address, trip.now)
        assert not module._in_prometheus(address, 1.0)
