"""The sender: what it takes for a success, what waits, what is dropped and counted, against a real HTTP server."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.process import free_port

from otel_chatbot.distro.delivery.otlp import Target
from otel_chatbot.distro.delivery.sender import BackOff, Sender
from otel_chatbot.distro.delivery.spool import Payload, Spool
from otel_chatbot.metrics import view
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.attributes import Signal

PROTO = {"content-type": "application/x-protobuf"}


def logs(records: int) -> bytes:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number in range(records):
        scope.log_records.add().body.string_value = str(number)
    return request.SerializeToString()


class Endpoint:
    """An HTTP server whose answers are (status, headers, body), taken in turn; the last one stays."""

    def __init__(self, *answers: tuple[int, dict[str, str], bytes]) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                status, headers, body = endpoint.answers.pop(0) if len(endpoint.answers) > 1 else endpoint.answers[0]
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def running(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[Endpoint]:
    endpoint = Endpoint(*answers)
    thread = threading.Thread(target=endpoint.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.server.shutdown()
        endpoint.server.server_close()
        thread.join(5)


def sender_for(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Spool, Sender]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    spool = Spool(folder, 1_000_000, lambda _: None)
    return spool, Sender(spool, {signal: Target(signal) for signal in Signal})


def dropped(signal: Signal, reason: str) -> float:
    return STORE.instrument(m.TELEMETRY_DROPPED).at((signal.value, reason)).read()[0]


def test_an_endpoint_that_takes_everything_empties_the_spool_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running((200, PROTO, b"")) as endpoint:
        spool, sender = sender_for(endpoint.url, tmp_path, monkeypatch)
        bodies = [logs(n) for n in range(1, 6)]
        for body in bodies:
            spool.put(Payload(Signal.LOGS, body))
        assert sender.send_all()
        assert endpoint.bodies == bodies
        assert spool.files() == []


@pytest.mark.parametrize(
    "answer",
    [
        (302, {"Location": "/login"}, b""),
        (200, {"Content-Type": "text/html"}, b"<html>sign in</html>"),
        (200, PROTO, b"<html>sign in</html>"),
        (500, {}, b"oops"),
        (503, {}, b""),
        (408, {}, b""),
        (429, {"Retry-After": "7"}, b""),
    ],
    ids=["redirect", "html", "html that lies", "500", "503", "408", "429"],
)
def test_what_is_no_success_stays_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, dict[str, str], bytes]
) -> None:
    with running(answer) as endpoint:
        spool, sender = sender_for(endpoint.url, tmp_path, monkeypatch)
        spool.put(Payload(Signal.LOGS, logs(3)))
        spool.put(Payload(Signal.LOGS, logs(2)))
        assert not sender.send_all()
        assert len(spool.files()) == 2
        assert len(endpoint.bodies) == 1, "the second waits behind the first"


def test_a_refused_payload_is_dropped_and_its_items_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running((400, {}, b"no"), (200, PROTO, b"")) as endpoint:
        spool, sender = sender_for(endpoint.url, tmp_path, monkeypatch)
        before = dropped(Signal.LOGS, "rejected")
        spool.put(Payload(Signal.LOGS, logs(3)))
        spool.put(Payload(Signal.LOGS, logs(2)))
        assert sender.send_all()
        assert dropped(Signal.LOGS, "rejected") - before == 3
        assert len(endpoint.bodies) == 2


def test_a_partial_success_counts_the_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    partial = ExportLogsServiceResponse()
    partial.partial_success.rejected_log_records = 4
    with running((200, PROTO, partial.SerializeToString())) as endpoint:
        spool, sender = sender_for(endpoint.url, tmp_path, monkeypatch)
        before = dropped(Signal.LOGS, "rejected")
        spool.put(Payload(Signal.LOGS, logs(9)))
        assert sender.send_all()
        assert dropped(Signal.LOGS, "rejected") - before == 4


def test_a_sick_signal_does_not_hold_the_others_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running((200, PROTO, b"")) as well, running((503, {}, b"")) as sick:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", f"{sick.url}/v1/logs")
        spool, sender = sender_for(well.url, tmp_path, monkeypatch)
        spool.put(Payload(Signal.LOGS, logs(1)))
        spool.put(Payload(Signal.TRACES, ExportTraceServiceRequest().SerializeToString()))
        assert not sender.send_all()
        assert len(well.bodies) == 1
        assert [path.name.split(".")[1] for path in spool.files()] == ["logs"]


def test_corrupt_files_are_set_aside_counted_and_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running((200, PROTO, b"")) as endpoint:
        spool, sender = sender_for(endpoint.url, tmp_path, monkeypatch)
        spool.put(Payload(Signal.LOGS, logs(1))).write_bytes(b"garbage")
        newer = spool.put(Payload(Signal.LOGS, logs(1)))
        newer.write_bytes(b'{"v": 99}\n...')
        spool.put(Payload(Signal.LOGS, logs(2)))
        before = dropped(Signal.LOGS, "corrupt")
        sender.send_all()
        assert dropped(Signal.LOGS, "corrupt") - before == 1
        assert endpoint.bodies == [logs(2)]
        assert spool.files() == [newer], "another version of the package sends what it wrote"


def test_the_thread_sends_what_is_put_and_the_rest_when_the_endpoint_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running((503, {}, b""), (200, PROTO, b"")) as endpoint:
        spool, sender = sender_for(endpoint.url, tmp_path, monkeypatch)
        for number in (1, 2, 3):
            spool.put(Payload(Signal.LOGS, logs(number)))
            sender.wake()
        end = time.monotonic() + 15
        while spool.files() and time.monotonic() < end:
            time.sleep(0.02)
        assert [len(ExportLogsServiceRequest.FromString(b).resource_logs[0].scope_logs[0].log_records) for b in endpoint.bodies] == [
            1, 1, 2, 3,
        ]  # fmt: skip
        sender.finish_shutdown(time.monotonic() + 5)


def test_a_shutdown_with_a_dead_endpoint_is_quick_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool, sender = sender_for(f"http://127.0.0.1:{free_port()}", tmp_path, monkeypatch)
    for number in range(20):
        spool.put(Payload(Signal.LOGS, logs(number + 1)))
    sender.wake()
    began = time.monotonic()
    sender.finish_shutdown(began + 90)
    assert time.monotonic() - began < 45, "it does not use up its time for an endpoint that is away"
    assert len(spool.files()) == 20


def test_a_sender_with_nothing_to_do_looks_less_often_and_is_woken_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("otel_chatbot.distro.delivery.sender.monotonic", lambda: now[0])
    with running((503, {}, b""), (200, PROTO, b"")) as endpoint:
        spool, sender = sender_for(endpoint.url, tmp_path, monkeypatch)
        assert sender._pause() == 3.0
        by_another_process(spool.put(Payload(Signal.LOGS, logs(1))))
        assert not sender.send_all()
        now[0] += 31.0
        assert sender._pause() == 0.25, "what the endpoint has not taken is tried again in time"
        now[0] += 100.0
        assert sender.send_all()
        assert sender._pause() == 0.25, "where something came, more may come"
        now[0] += 31.0
        assert sender._pause() == 3.0


def by_another_process(path: Path) -> None:
    """Have a file look as if another process had written it."""
    path.rename(path.with_name(path.name.replace(f"-{os.getpid()}-", "-1-")))


def test_what_this_process_writes_does_not_make_it_look_more_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("otel_chatbot.distro.delivery.sender.monotonic", lambda: now[0])
    with running((200, PROTO, b"")) as endpoint:
        spool, sender = sender_for(endpoint.url, tmp_path, monkeypatch)
        now[0] += 31.0
        spool.put(Payload(Signal.LOGS, logs(1)))
        assert sender.send_all()
        assert sender._pause() == 3.0


@pytest.mark.parametrize("came", [True, False], ids=["a file comes", "nothing comes"])
def test_an_idle_sender_asks_for_the_folders_time_and_lists_the_files_when_one_has_come(
    came: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_chatbot.distro.delivery.sender._IDLE_POLL_SECONDS", 0.01)
    monkeypatch.setattr("otel_chatbot.distro.delivery.sender._IDLE_AFTER", -1.0)
    monkeypatch.setattr("otel_chatbot.distro.delivery.sender._FULL_LOOK_SECONDS", 1000.0 if came else 0.2)
    spool, sender = sender_for("http://127.0.0.1:9", tmp_path, monkeypatch)
    assert sender.send_all()
    assert sender._lock.take()
    os.utime(tmp_path, (1, 1))
    sender._look()
    asked = threading.Event()
    stamp = spool.stamp

    def stamped() -> int:
        asked.set()
        return stamp()

    monkeypatch.setattr(spool, "stamp", stamped)
    waiting = threading.Thread(target=sender._wait, args=(threading.Event(),), daemon=True)
    waiting.start()
    assert asked.wait(60)
    if came:
        assert waiting.is_alive(), "it goes on waiting while nothing has come"
        spool.put(Payload(Signal.LOGS, logs(1)))
    waiting.join(60)
    assert not waiting.is_alive()
    sender._lock.release()


class Counted(Spool):
    """Tells how often it was listed; `seconds` is what a listing takes."""

    scans = 0
    seconds = 0.0
    spent = 0.0
    """Seconds that all listings took."""

    def scan(self) -> list[tuple[Path, int]]:
        began = time.monotonic()
        time.sleep(self.seconds)
        try:
            return super().scan()
        finally:
            self.spent += time.monotonic() - began
            self.scans += 1


def test_a_spool_with_so_many_files_that_listing_them_takes_long_is_listed_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running((200, PROTO, b"")) as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.url)
        spool = Counted(tmp_path, 1_000_000, lambda _: None)
        spool.seconds = 0.05
        sender = Sender(spool, {signal: Target(signal) for signal in Signal})
        began = time.monotonic()
        while spool.scans < 4 and time.monotonic() < began + 60:
            sender.wake()
            time.sleep(0.005)
        assert spool.scans == 4
        assert spool.spent / (time.monotonic() - began) < 0.3, "listing takes a small part of the time"
        sender.finish_shutdown(time.monotonic() + 5)


def test_while_every_signal_waits_nothing_is_listed_and_the_size_is_still_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Counted(tmp_path, 1_000_000, lambda _: None)
    with running((429, {"Retry-After": "60"}, b"")) as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.url)
        sender = Sender(spool, {signal: Target(signal) for signal in Signal})
        for signal in Signal:
            spool.put(Payload(signal, b""))
        assert not sender.send_all()
        assert len(endpoint.bodies) == 3
        before = spool.scans
        for _ in range(100):
            assert not sender.send_all()
        assert len(endpoint.bodies) == 3, "Retry-After is honoured"
        assert spool.scans - before <= 103, "those of send_all itself, and one to tell the size"
        [told] = [family for family in view.read() if family.spec is m.SPOOL_SIZE]
        assert [point.value for point in told.points] == [3 * 4096]


def test_a_payload_that_cannot_be_removed_after_it_was_sent_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ReadOnly(Spool):
        def remove(self, path: Path) -> bool:
            return False

    with running((200, PROTO, b"")) as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.url)
        spool = ReadOnly(tmp_path, 1_000_000, lambda _: None)
        sender = Sender(spool, {signal: Target(signal) for signal in Signal})
        spool.put(Payload(Signal.LOGS, logs(1)))
        for _ in range(3):
            sender._next_look = 0.0
            sender.send_all()
        assert endpoint.bodies == [logs(1)]


def test_a_folder_in_a_payloads_place_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running((200, PROTO, b"")) as endpoint:
        spool, sender = sender_for(endpoint.url, tmp_path, monkeypatch)
        (tmp_path / f"{1:020}-1-0.logs.otlp").mkdir()
        spool.put(Payload(Signal.LOGS, logs(2)))
        assert sender.send_all()
        assert endpoint.bodies == [logs(2)]
        assert [path.is_dir() for path in spool.aside()] == [True]


def test_each_kind_of_trouble_is_warned_of_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with running((400, {}, b"no")) as endpoint:
        spool, sender = sender_for(endpoint.url, tmp_path, monkeypatch)
        for number in range(30):
            spool.put(Payload(Signal.LOGS, logs(1)))
            if number % 3 == 0:
                spool.put(Payload(Signal.LOGS, logs(1))).write_bytes(b"garbage")
        assert sender.send_all()
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 2
    assert any("refused logs (status 400)" in line for line in warnings)
    assert any("set aside" in line for line in warnings)


def test_waits_double_with_jitter_up_to_a_minute_and_honour_the_endpoint() -> None:
    back_off = BackOff(draw=lambda low, high: (low + high) / 2)
    waits = [back_off.failed(0.0) for _ in range(9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert back_off.failed(0.0, asked=90) == 90
    back_off.succeeded()
    assert back_off.failed(0.0) == 1
    drawn = {round(BackOff().failed(0.0), 3) for _ in range(20)}
    assert len(drawn) > 5
    assert all(0.5 <= wait <= 1.5 for wait in drawn)
