"""Folders that can be written, what waits in the spool, and ports that are free; nothing is left behind."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.process import free_port

from otel_chatbot import config
from otel_chatbot.cli.doctor.findings import Finding, Status
from otel_chatbot.cli.doctor.places import _free, places
from otel_chatbot.distro.delivery.sender_lock import SenderLock
from otel_chatbot.distro.delivery.spool import Payload, Spool
from otel_chatbot.semconv.attributes import Signal

Look = Callable[..., dict[str, Finding]]


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Looks at the places of settings: their findings, by name."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)

    def look(port: int = 0, otel: dict[str, str] | None = None, **settings: object) -> dict[str, Finding]:
        for name, value in (otel or {}).items():
            monkeypatch.setenv(name, value)
        made = config.Settings(**settings)  # type: ignore[arg-type]
        monkeypatch.setattr(config, "current", lambda: made)
        return {one.name: one for one in places(port)}

    return look


def test_a_folder_that_is_not_there_will_be_made_and_is_not_made_now(found: Look, tmp_path: Path) -> None:
    told = found(log_dir="logs")
    assert list(told) == ["log-dir"]
    assert told["log-dir"].message == f"the log directory {tmp_path / 'logs'} will be made"
    (tmp_path / "logs").mkdir()
    assert found(log_dir="logs")["log-dir"].message.endswith("can be written")
    assert list((tmp_path / "logs").iterdir()) == []


def test_a_folder_that_cannot_be_is_a_fault_with_the_setting_that_puts_it_elsewhere(found: Look, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = found(
        otel={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, log_dir="file/logs", multiproc_dir="file/run", spool_dir="file"
    )
    assert {name: one.status for name, one in told.items()} == dict.fromkeys(
        ("log-dir", "multiproc-dir", "spool"), Status.FAILED
    )
    assert told["log-dir"].message.endswith(f"cannot be written: {tmp_path / 'file'}: is not a folder")
    assert told["spool"].remedy == "set CHATBOT_OTEL_SPOOL_DIR elsewhere"


def test_what_is_not_used_is_not_looked_at(found: Look, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert found(log_dir="file", log_files=False, trace_file="logs/t.jsonl", otel={"OTEL_TRACES_EXPORTER": "none"}) == {}
    assert list(found(log_files=False, trace_file="own/t.jsonl", otel={"OTEL_TRACES_EXPORTER": ""})) == ["trace-file"]


def fill(folder: Path, age: float, payloads: int = 2) -> Spool:
    spool = Spool(folder, 10_000_000, lambda _: None)
    for _ in range(payloads):
        path = spool.put(Payload(Signal.LOGS, b"x" * 5000))
        stamp, _, rest = path.name.partition("-")
        path.rename(path.with_name(f"{int(stamp) - int(age * 1e9):020}-{rest}"))
    return spool


def test_what_waits_for_long_says_whether_somebody_should_have_sent_it(found: Look, tmp_path: Path) -> None:
    spool = fill(tmp_path / "spool", age=3600)
    told = found(log_files=False, spool_dir="spool")["spool-waiting"]
    assert told.status is Status.FAILED
    assert re.fullmatch(
        r"2 payloads wait in the spool, the oldest for 6\d minutes: no process is there to send it", told.message
    )
    assert "otel-chatbot spool replay" in told.remedy
    spool.purge()
    fill(tmp_path / "spool", age=0, payloads=1)
    assert found(log_files=False, spool_dir="spool")["spool-waiting"].status is Status.WELL
    lock = SenderLock(tmp_path / "spool")
    assert lock.take(), "the doctor has given the lock back"
    lock.release()


def test_what_waits_although_a_process_holds_the_senders_lock_is_that_processs_fault(found: Look, tmp_path: Path) -> None:
    fill(tmp_path / "spool", age=3600)
    hold = "import fcntl; lock = open('spool/sender.lock', 'a'); fcntl.lockf(lock, fcntl.LOCK_EX); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        told = found(log_files=False, spool_dir="spool")["spool-waiting"]
        holder.communicate(b"\n", timeout=60)
    assert told.message.endswith("a process holds the sender's lock and does not deliver")
    assert told.remedy == "see its log, and the signals below"


def test_a_spool_that_is_nearly_full_and_what_cannot_be_read_are_told_of(found: Look, tmp_path: Path) -> None:
    spool = fill(tmp_path / "spool", age=0, payloads=3)
    spool.set_aside(spool.files()[0])
    size = sum(size for _, size in spool.scan())
    told = found(log_files=False, spool_dir="spool", spool_max_bytes=size)
    assert told["spool-full"].status is Status.FAILED
    assert told["spool-corrupt"].message.startswith("1 unreadable payloads were set aside in ")
    assert "spool-full" not in found(log_files=False, spool_dir="spool", spool_max_bytes=size * 2)


def test_a_port_that_somebody_has_is_a_fault_of_who_wants_it(found: Look) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        told = found(port, log_files=False)["port"]
        assert (told.status, told.message.partition(" cannot")[0]) == (Status.FAILED, f"port {port} for the app")
        env = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": str(port)}
        wanted = found(log_files=False, otel=env)["port"]
        assert "OTEL_METRICS_EXPORTER=prometheus" in wanted.message
    assert _free(free_port(), "127.0.0.1", "the app", "").status is Status.WELL
