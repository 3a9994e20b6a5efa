"""The collector killed under load: what it acknowledged arrives all the same, lines of files too; and who may send to gateways."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from support.otlp import resource, send, span, traces, value
from support.pipeline import SAFE_FILES, TOKEN, Collector
from support.process import wait_for
from support.proofs import record_proof

from otel_chatbot.testing import OtlpSink

pytestmark = pytest.mark.timeout(1800)  # the first of these tests may have to build the collector

SENDERS = 4
KILLS = 3


def logs(texts: list[str]) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add(resource=resource(service_name="sender")).scope_logs.add().log_records
    for text in texts:
        records.add(body=value(text))
    return request


class Load:
    """Senders on threads that send batches of five spans and of five records, each once, and note what was acknowledged."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.spans: set[bytes] = set()
        self.records: set[str] = set()
        self.refused = 0
        self._numbers = itertools.count(1)
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(SENDERS)
        self._sending = [self._pool.submit(self._run) for _ in range(SENDERS)]

    def _run(self) -> None:
        while not self._stop.is_set():
            numbers = [next(self._numbers) for _ in range(5)]
            ids = [number.to_bytes(8, "big") for number in numbers]
            if send(self.port, traces(span(one.rjust(16, b"\1"), one) for one in ids)):
                self.spans.update(ids)
            else:
                self.refused += 1
                time.sleep(0.02)
            texts = [f"record {number}" for number in numbers]
            if send(self.port, logs(texts)):
                self.records.update(texts)

    def end(self) -> None:
        self._stop.set()
        for sending in self._sending:
            sending.result(30)
        self._pool.shutdown()


def kill_under_load(collector: Collector, growing: Callable[[], int], times: int, step: int) -> None:
    """Kill the collector each time that something has grown by `step`, and start it again at once."""
    for _ in range(times):
        before = growing()
        wait_for(lambda before=before: growing() >= before + step, f"{step} more")  # type: ignore[misc]
        collector.end(signal.SIGKILL)
        collector.start()
    before = growing()
    wait_for(lambda: growing() >= before + step, f"{step} more, at last")


def test_nothing_acknowledged_is_lost_when_the_agent_is_killed(tmp_path: Path, scale: int) -> None:
    with OtlpSink() as store, Collector(tmp_path / "gateway", store.endpoint, "gateway") as gateway:
        to_gateway = {"GATEWAY_ENDPOINT": f"127.0.0.1:{gateway.ports['otlp_grpc']}"}
        with Collector(tmp_path / "agent", store.endpoint, "agent", env=to_gateway) as agent:
            load = Load(agent.ports["otlp_http"])
            try:
                kill_under_load(agent, lambda: len(load.spans), KILLS * scale, 300)
            finally:
                load.end()

            def missing() -> tuple[set[bytes], set[str]]:
                spans = {one.span_id for one in store.spans()}
                records = {one.body.string_value for one in store.logs()}
                return load.spans - spans, load.records - records

            wait_for(lambda: missing() == (set(), set()), "everything that was acknowledged", 60)
            arrived = Counter(one.span_id for one in store.spans())
    assert load.refused, "the kills were felt"
    record_proof(
        "The collector killed with -9 under load, agent and gateway",
        kills=KILLS * scale,
        spans_acknowledged=len(load.spans),
        log_records_acknowledged=len(load.records),
        lost=0,
        spans_that_arrived_twice=sum(number - 1 for number in arrived.values()),
    )


def test_lines_of_files_arrive_once_or_more_when_the_collector_is_killed(tmp_path: Path, scale: int) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    file = folder / "chatbot.json.log"
    written: list[str] = []
    stop = threading.Event()

    def write() -> None:
        """Write as the rotating handler does: a line at a time, and now and then a new file under the old one's name."""
        number = 0
        while not stop.is_set():
            with file.open("a") as out:
                for _ in range(200):
                    number += 1
                    now = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}.000Z"
                    line = {"timestamp": now, "level": "INFO", "logger": "app", "message": f"line {number}"}
                    out.write(json.dumps(line) + "\n")
                    out.flush()
                    written.append(line["message"])
                    time.sleep(0.001)
            for old in range(6, 0, -1):
                if (folder / f"chatbot.json.log.{old}").exists():
                    os.rename(folder / f"chatbot.json.log.{old}", folder / f"chatbot.json.log.{old + 1}")
            os.rename(file, folder / "chatbot.json.log.1")

    with OtlpSink() as store:
        env = {"CHATBOT_LOG_DIR": str(folder)}
        with Collector(tmp_path / "collector", store.endpoint, "logs-from-files", env=env, flags=[SAFE_FILES]) as collector:
            writer = threading.Thread(target=write)
            writer.start()
            try:
                kill_under_load(collector, lambda: len(written), min(KILLS * scale, 10), 400)
            finally:
                stop.set()
                writer.join(10)
            wait_for(lambda: set(written) <= {one.body.string_value for one in store.logs()}, "every line", 60)
            arrived = Counter(one.body.string_value for one in store.logs())
    assert set(arrived) == set(written)
    record_proof(
        "The collector killed with -9 while it reads log files",
        kills=min(KILLS * scale, 10),
        lines=len(written),
        lost=0,
        lines_that_arrived_twice=sum(number - 1 for number in arrived.values()),
    )


def test_an_outage_of_the_store_loses_nothing(tmp_path: Path) -> None:
    """Traces and records wait on the disk, through an end of the collector too, until the store is back."""
    with OtlpSink() as store:
        store.answer = lambda _path: 503
        with Collector(tmp_path / "collector", store.endpoint) as collector:
            port = collector.ports["otlp_http"]
            ids = [number.to_bytes(8, "big") for number in range(1, 101)]
            assert send(port, traces(span(one.rjust(16, b"\1"), one) for one in ids))
            assert send(port, logs(["kept"]))
            queued = 'otelcol_exporter_queue_size{data_type="traces",exporter="otlp_http/traces"'
            wait_for(lambda: _value(collector.own_metrics(), queued) > 0, "the spans in the queue")
            collector.end()
            collector.start()
            store.answer = lambda _path: 200
            wait_for(lambda: {one.span_id for one in store.spans()} == set(ids), "the spans", 60)
            wait_for(lambda: [one.body.string_value for one in store.logs()] == ["kept"], "the record", 60)


def test_a_gateway_takes_spans_from_those_who_have_the_token_only(tmp_path: Path) -> None:
    with OtlpSink() as store, Collector(tmp_path, store.endpoint, "gateway") as gateway:
        request = traces([span(b"\1" * 16, b"\2" * 8)])
        port = gateway.ports["otlp_http"]
        assert not send(port, request)
        assert not send(port, request, headers={"Authorization": "Bearer wrong"})
        assert send(port, request, headers={"Authorization": f"Bearer {TOKEN}"})
        assert store.wait(lambda sink: sink.spans()), "the span, through the balanced hop"
        assert len(store.spans()) == 1


def test_errors_and_slow_traces_are_kept_and_the_rest_is_sampled(tmp_path: Path) -> None:
    env = {"COLLECTOR_SAMPLE_PERCENT": "0", "COLLECTOR_SLOW_MS": "500"}
    with OtlpSink() as store, Collector(tmp_path, store.endpoint, env=env) as collector:
        port = collector.ports["otlp_http"]
        failed = span(b"\1" * 16, b"\1" * 8, "failed", status={"code": 2})
        slow = span(b"\2" * 16, b"\2" * 8, "slow")
        slow.start_time_unix_nano -= 600_000_000
        ordinary = [span(bytes([9, number] * 8), bytes([number] * 8), "ordinary") for number in range(3, 20)]
        assert send(port, traces([failed, slow, *ordinary]))
        assert store.wait(lambda sink: len(sink.spans()) == 2), "two traces"
        wait_for(
            lambda: _value(collector.own_metrics(), "otelcol_processor_tail_sampling_sampling_traces_on_memory") == 0, "end"
        )
        assert sorted(one.name for one in store.spans()) == ["failed", "slow"]
        counted = "traces_span_metrics_calls_total{"
        wait_for(lambda: _sum(collector.metrics(), counted) == 19, "every span counted, kept or not")


def _value(text: str, beginning: str) -> float:
    return next((float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(beginning)), -1.0)


def _sum(text: str, beginning: str) -> float:
    lines = [line.partition(" # ")[0] for line in text.splitlines() if line.startswith(beginning)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)
