"""Collector, Prometheus and the store of traces are judged by what they answer, also where no test could be sent there."""

from __future__ import annotations

import urllib.error
from collections.abc import Callable, Iterator

import pytest
from support.http_answers import answering
from support.process import free_port

from otel_chatbot.cli.doctor import backends
from otel_chatbot.cli.doctor.findings import Finding, Status
from otel_chatbot.semconv import operations as o
from otel_chatbot.semconv.attributes import Signal

VECTOR = '{"status": "success", "data": {"resultType": "vector", "result": %s}}'
Look = Callable[[str], Iterator[Finding]]
COLLECTOR, PROMETHEUS, TRACES = backends.collector_alone, backends.prometheus_alone, backends.traces_alone


@pytest.mark.parametrize(
    ("look", "answer", "status", "words"),
    [
        (COLLECTOR, 'otelcol_receiver_accepted_spans_total{receiver="otlp"} 7\n', 200, "it has taken in 7 traces"),
        (PROMETHEUS, VECTOR % '[{"metric": {}, "value": [1, "12"]}]', 200, "has 12 series of a chatbot"),
        (TRACES, "", 404, "answers"),
        (TRACES, "{}", 200, "answers"),
    ],
)
def test_what_answers_is_well_and_the_way_there_is_said_not_to_be_looked_at(
    look: Look, answer: str, status: int, words: str
) -> None:
    with answering(lambda _: (status, answer)) as address:
        found, trip = look(address)
    assert found.status is Status.WELL
    assert words in found.message
    assert address in found.message
    assert (trip.name, trip.looked_at) == (f"{found.name}-trip", False)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in trip.remedy


@pytest.mark.parametrize(
    ("look", "answer", "status", "words"),
    [
        (COLLECTOR, "<html>", 200, "is not a collector's own metrics"),
        (COLLECTOR, "", 500, "do not answer: HTTP Error 500"),
        (PROMETHEUS, VECTOR % "[]", 200, "has no figure of a chatbot"),
        (PROMETHEUS, "", 500, "answers 500"),
        (TRACES, "", 500, "does not answer: HTTP Error 500"),
    ],
)
def test_what_answers_wrong_is_a_fault_with_something_to_do(look: Look, answer: str, status: int, words: str) -> None:
    with answering(lambda _: (status, answer)) as address:
        [found] = look(address)
    assert found.status is Status.FAILED
    assert words in found.message
    assert found.remedy


@pytest.mark.parametrize("look", [COLLECTOR, PROMETHEUS, TRACES])
def test_who_is_not_there_and_what_is_no_address_are_named(look: Look) -> None:
    for address in (f"http://127.0.0.1:{free_port()}", "localhost:9090"):
        [found] = look(address)
        assert found.status is Status.FAILED
        assert address in found.message


def test_the_collectors_metrics_are_at_their_usual_path_unless_one_is_named() -> None:
    seen: list[tuple[str, dict[str, str]]] = []
    with answering(lambda _: (200, ""), seen) as address:
        for given in ("", "/", "/own/path"):
            backends.metrics_of(address + given)
    assert [path for path, _ in seen] == ["/metrics", "/metrics", "/own/path"]


def test_what_a_collector_took_in_is_added_up_by_signal_whatever_its_version_calls_it() -> None:
    text = (
        "# TYPE otelcol_receiver_accepted_spans_total counter\n"
        'otelcol_receiver_accepted_spans_total{receiver="otlp"} 7\n'
        'otelcol_receiver_accepted_spans_total{receiver="other"} 1e1\n'
        'otelcol_receiver_accepted_log_records{receiver="otlp"} 3\n'
        'otelcol_receiver_refused_spans_total{receiver="otlp"} 9\n'
    )
    assert backends.accepted_in(text) == {Signal.TRACES: 17.0, Signal.LOGS: 3.0, Signal.METRICS: 0.0}


def test_a_trace_is_there_when_the_doctors_span_is_in_it() -> None:
    seen: list[tuple[str, dict[str, str]]] = []
    answers = iter([(200, f'{{"name": "{o.DOCTOR_SPAN}"}}'), (200, "{}"), (404, ""), (500, "")])
    with answering(lambda _: next(answers), seen) as address:
        assert [backends.has_trace(address + "/", "ab12") for _ in range(3)] == [True, False, False]
        with pytest.raises(urllib.error.HTTPError):
            backends.has_trace(address, "ab12")
    assert {path for path, _ in seen} == {"/api/traces/ab12"}
