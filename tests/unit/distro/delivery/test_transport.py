"""A request goes to the disk first; where the disk takes none it is posted once, and what nobody takes is counted as lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from support.process import free_port

from otel_chatbot import config
from otel_chatbot.distro.delivery import transport
from otel_chatbot.distro.delivery.otlp import Target
from otel_chatbot.distro.delivery.sender import Sender
from otel_chatbot.distro.delivery.spool import Payload, Spool
from otel_chatbot.distro.delivery.transport import ToSpool
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.attributes import Signal
from otel_chatbot.testing import OtlpSink


class Awaited(Sender):
    """A sender that counts how often it is woken, and starts no thread."""

    woken = 0

    def wake(self) -> None:
        self.woken += 1


def logs(records: int) -> bytes:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for _ in range(records):
        scope.log_records.add(severity_text="INFO")
    return request.SerializeToString()


def way(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[ToSpool, Spool, Awaited]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    target = Target(Signal.LOGS)
    spool = Spool(folder, 1_000_000, lambda _: None)
    sender = Awaited(spool, {Signal.LOGS: target})
    return ToSpool(spool, sender, target), spool, sender


def lost(reason: str) -> float:
    return STORE.instrument(m.TELEMETRY_DROPPED).at((Signal.LOGS.value, reason)).read()[0]


def test_a_request_is_on_disk_and_the_sender_is_woken_before_anything_is_posted(
    tmp_path: Path, otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_spool, spool, sender = way(tmp_path, otlp_sink.endpoint, monkeypatch)
    to_spool.deliver(logs(2))
    [file] = spool.files()
    assert spool.read(file) == Payload(Signal.LOGS, logs(2))
    assert (sender.woken, otlp_sink.requests) == (1, [])


def test_what_the_disk_does_not_take_is_posted_at_once(
    tmp_path: Path, otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    to_spool, _, sender = way(tmp_path / "file" / "spool", otlp_sink.endpoint, monkeypatch)
    before = lost("write_failed")
    to_spool.deliver(logs(2))
    to_spool.deliver(logs(1))
    assert len(otlp_sink.logs()) == 3
    assert (sender.woken, lost("write_failed")) == (0, before)
    [line] = [line for line in caplog.messages if "cannot be written" in line]
    assert str(tmp_path / "file" / "spool") in line
    assert "what the endpoint does not take is lost" in line


def test_what_neither_takes_is_counted_by_its_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    to_spool, _, _ = way(tmp_path / "file" / "spool", f"http://127.0.0.1:{free_port()}", monkeypatch)
    before = lost("write_failed")
    to_spool.deliver(logs(3))
    assert lost("write_failed") - before == 3


def test_the_process_has_one_spool_where_the_settings_say_and_what_it_pushes_out_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config.Settings(spool_dir=str(tmp_path / "here"), spool_max_bytes=1)
    monkeypatch.setattr(config, "current", lambda: settings)
    transport.spool.cache_clear()
    try:
        spool = transport.spool()
        assert spool is transport.spool()
        assert spool.folder == tmp_path / "here"
        before = lost("spool_full")
        spool.put(Payload(Signal.LOGS, logs(2)))
        spool.put(Payload(Signal.LOGS, logs(2)))
        assert lost("spool_full") - before == 2, "the older one makes room"
    finally:
        transport.spool.cache_clear()
