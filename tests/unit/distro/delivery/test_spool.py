"""The spool: atomic files, a limit, and no file that is ever fatal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from otel_chatbot.distro.delivery.spool import CorruptError, Payload, Spool, UnknownFormatError
from otel_chatbot.semconv.attributes import Signal


def make(folder: Path, max_bytes: int = 1_000_000) -> tuple[Spool, list[Payload]]:
    lost: list[Payload] = []
    return Spool(folder, max_bytes, lost.append), lost


def test_what_is_put_is_read_back_in_order(tmp_path: Path) -> None:
    spool, _ = make(tmp_path / "spool")
    payloads = [Payload(signal, f"body {n}".encode(), "gzip") for n, signal in enumerate([*Signal, *Signal])]
    for payload in payloads:
        spool.put(payload)
    assert [spool.read(path) for path in spool.files()] == payloads


def test_nothing_half_written_is_ever_seen(tmp_path: Path) -> None:
    spool, _ = make(tmp_path)
    (tmp_path / f".{time.time_ns():020}-1-0.traces.otlp.tmp").write_bytes(b"{")
    assert spool.files() == []


def test_the_oldest_go_first_when_the_limit_is_reached_and_are_reported(tmp_path: Path) -> None:
    spool, lost = make(tmp_path, 100_000)
    for number in range(30):
        spool.put(Payload(Signal.LOGS, b"%03d" % number + bytes(4000)))
    kept = [spool.read(path).body[:3] for path in spool.files()]
    assert len(kept) > 10
    assert sum(size for _, size in spool.scan()) <= 100_000
    assert [int(body) for body in kept] == list(range(30 - len(kept), 30))
    assert [int(payload.body[:3]) for payload in lost] == list(range(30 - len(kept)))


def test_a_payload_that_is_larger_than_the_limit_empties_the_spool_and_is_kept(tmp_path: Path) -> None:
    spool, lost = make(tmp_path, 500)
    spool.put(Payload(Signal.LOGS, b"small"))
    spool.put(Payload(Signal.LOGS, bytes(2000)))
    assert [payload.body for payload in lost] == [b"small"]
    assert len(spool.files()) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"{}\nbody", b"[]\n", b"\xff\xfe\n", b'{"v":1,"signal":"cheese","encoding":"","crc":0}\n', b"null\n"],
)
def test_a_garbled_file_is_known_as_corrupt(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CorruptError):
        Payload.from_bytes(content)


def test_a_truncated_or_altered_file_is_known_as_corrupt() -> None:
    whole = Payload(Signal.TRACES, b"0123456789").to_bytes()
    for broken in (whole[:-1], whole[:-1] + b"X", whole[:20]):
        with pytest.raises(CorruptError):
            Payload.from_bytes(broken)


def test_a_file_of_a_later_version_is_left_alone() -> None:
    head = json.dumps({"v": 2, "something": "else"}).encode()
    with pytest.raises(UnknownFormatError):
        Payload.from_bytes(head + b"\nbody")


def test_foreign_files_are_not_touched(tmp_path: Path) -> None:
    spool, _ = make(tmp_path, 10)
    (tmp_path / "notes.txt").write_text("mine")
    spool.put(Payload(Signal.LOGS, b"x" * 50))
    spool.purge()
    spool.sweep()
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert spool.files() == []


def test_what_a_killed_process_left_half_written_is_swept_after_a_while(tmp_path: Path) -> None:
    spool, _ = make(tmp_path)
    old, fresh = tmp_path / ".a.tmp", tmp_path / ".b.tmp"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 120, time.time() - 120))
    spool.sweep()
    assert not old.exists()
    assert fresh.exists()


def test_a_corrupt_file_is_set_aside_and_few_of_them_are_kept(tmp_path: Path) -> None:
    spool, _ = make(tmp_path, 10_000_000)
    for number in range(25):
        path = spool.put(Payload(Signal.LOGS, b"%d" % number))
        aside = spool.set_aside(path)
        assert aside.exists()
    assert spool.files() == []
    assert len(list((tmp_path / "corrupt").iterdir())) == 20


def test_what_is_set_aside_has_a_limit_in_bytes_too(tmp_path: Path) -> None:
    spool, _ = make(tmp_path, 1_600_000)
    for _ in range(3):
        path = spool.put(Payload(Signal.LOGS, b"x"))
        path.write_bytes(bytes(60_000))
        spool.set_aside(path)
    assert len(spool.aside()) == 1
    path.write_bytes(bytes(5_000_000))
    spool.set_aside(path)
    assert spool.aside() == [], "one that is larger than all that may be kept is not"


def test_payloads_of_a_later_version_count_towards_the_limit_and_as_dropped(tmp_path: Path) -> None:
    spool, lost = make(tmp_path, 50_000)
    spool.put(Payload(Signal.METRICS, b"x")).write_bytes(b'{"v": 99}\n...')
    for _ in range(12):
        spool.put(Payload(Signal.LOGS, b"x"))
    assert lost[0] == Payload(Signal.METRICS, b"")
    assert len(lost) + len(spool.files()) == 13


HAMMER = """
import pathlib, sys
from otel_chatbot.distro.delivery.spool import Payload, Spool
from otel_chatbot.semconv.attributes import Signal
folder, limit, number = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
lost = []
spool = Spool(folder, limit, lost.append)
for _ in range(number):
    spool.put(Payload(Signal.LOGS, bytes(3000)))
print(len(lost))
"""


def test_processes_that_share_a_spool_stay_within_its_limit_together_and_count_each_loss_once(
    tmp_path: Path, scale: int
) -> None:
    writers, each, limit = 4, 300 * scale, 2_000_000
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, str(tmp_path), str(limit), str(each)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(writers)
    ]
    watching, _ = make(tmp_path, limit)
    most = 0
    while any(process.poll() is None for process in processes):
        most = max(most, sum(size for _, size in watching.scan()))
    lost = [int(process.communicate(timeout=30)[0]) for process in processes]
    assert sum(lost) + len(watching.files()) == writers * each
    assert limit * 0.5 < most <= limit


def test_a_spool_that_cannot_be_written_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    spool, _ = make(tmp_path / "file" / "spool")
    with pytest.raises(OSError, match="file"):
        spool.put(Payload(Signal.LOGS, b"x"))


def test_the_folders_stamp_changes_with_each_file_that_comes_or_goes_and_is_0_while_it_is_new(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 1_000_000, lambda _: None)
    assert spool.stamp() == 0, "there is no folder"
    path = spool.put(Payload(Signal.LOGS, b"x"))
    assert spool.stamp() == 0, "a change at the same moment could not be told"
    os.utime(spool.folder, (7, 7))
    assert spool.stamp() == 7_000_000_000
    assert spool.is_mine(path)
    spool.remove(path)
    assert spool.stamp() == 0


def test_what_other_processes_are_writing_at_the_same_moment_counts_against_the_limit(tmp_path: Path) -> None:
    limit, dropped = 160_000, []
    spool = Spool(tmp_path, limit, dropped.append)
    for _ in range(3):
        spool.put(Payload(Signal.LOGS, b"x" * 40_000))
    assert not dropped
    (tmp_path / ".of-another-process.tmp").write_bytes(b"x" * 40_000)
    spool.put(Payload(Signal.LOGS, b"x" * 40_000))
    assert dropped
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= limit
