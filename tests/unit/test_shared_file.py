"""One file and many threads: who writes, who goes on, and what is lost when a write fails or is interrupted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_chatbot.logs.shared_file import SharedFile


class Gated:
    """A file whose writes wait until they may go on, or fail, or are interrupted."""

    def __init__(self, stream, failure: BaseException | None = None, short: int | None = None) -> None:
        self.stream, self.failure, self.short = stream, failure, short
        self.entered, self.open = threading.Event(), threading.Event()

    def write(self, data: bytes) -> int:
        self.entered.set()
        assert self.open.wait(20)
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        written = self.stream.write(data[: self.short])
        self.short = None
        return written

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


@pytest.fixture
def lost() -> list[int]:
    return []


@pytest.fixture
def file(tmp_path: Path, lost: list[int]) -> Iterator[SharedFile]:
    file = SharedFile(str(tmp_path / "a.log"), 0, 2, lambda lines, _: lost.append(lines))
    file.write(b"first\n")
    yield file
    file.close()


def lines(file: SharedFile) -> list[str]:
    return Path(file.baseFilename).read_text().splitlines()


def while_one_writes(file: SharedFile, gate: Gated, others: int) -> None:
    """`others` threads log while one is in the middle of a write, which then goes on."""
    file.stream = gate
    writer = threading.Thread(target=file.write, args=(b"one\n",))
    writer.start()
    assert gate.entered.wait(20)
    for number in range(others):
        thread = threading.Thread(target=file.write, args=(b"other %d\n" % number,))
        thread.start()
        thread.join(20)
        assert not thread.is_alive(), "it waits for the disk of somebody else's line"
    gate.open.set()
    writer.join(20)


def test_a_thread_does_not_wait_for_the_line_of_another_and_its_own_is_written_in_order(file: SharedFile, lost) -> None:
    while_one_writes(file, Gated(file.stream), 5)
    assert lines(file) == ["first", "one", *(f"other {number}" for number in range(5))]
    assert lost == []


def test_every_line_that_a_failing_write_takes_along_is_counted(file: SharedFile, lost) -> None:
    while_one_writes(file, Gated(file.stream, failure=OSError("gone")), 3)
    assert lost == [1]
    assert lines(file) == ["first", "other 0", "other 1", "other 2"]


def test_of_lines_that_are_written_together_the_whole_ones_stay_when_the_disk_is_full(file: SharedFile, lost) -> None:
    gate = Gated(file.stream)
    gate.open.set()
    file.stream = gate
    file._busy.acquire()  # somebody writes
    for number in range(4):
        file.write(b"line %d\n" % number)
    file._busy.release()
    gate.short = len(b"line 0\nline 1\nli")
    file.write(b"last\n")
    assert lost == [3]
    assert lines(file) == ["first", "line 0", "line 1"]
    file.write(b"again\n")
    assert lines(file) == ["first", "line 0", "line 1", "again"]


def test_an_interrupt_loses_no_line_of_another_thread(file: SharedFile, lost, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    file._busy.acquire()
    file.write(b"other\n")
    file._busy.release()
    monkeypatch.setattr(file, "_lock_current", interrupted)
    with pytest.raises(KeyboardInterrupt):
        file.write(b"mine\n")
    file.write(b"next\n")
    assert lines(file) == ["first", "other", "mine", "next"]
    assert lost == []


def test_closing_writes_what_waits(file: SharedFile) -> None:
    file._busy.acquire()
    file.write(b"late\n")
    file._busy.release()
    assert lines(file) == ["first"]
    file.close()
    assert lines(file) == ["first", "late"]


def test_what_is_written_together_is_rotated_as_if_it_came_line_by_line(tmp_path: Path) -> None:
    for name in ("alone", "together"):
        file = SharedFile(str(tmp_path / name / "a.log"), 100, 9, lambda *_: None)
        file.write(b"x" * 9 + b"\n")
        if name == "together":
            file._busy.acquire()
        for number in range(50):
            file.write(b"%09d\n" % number)
        if name == "together":
            file._busy.release()
        file.write(b"y" * 9 + b"\n")
        file.close()
    contents = [{path.name: path.read_bytes() for path in (tmp_path / name).glob("a.log*")} for name in ("alone", "together")]
    assert len(contents[0]) == 6
    assert contents[0] == contents[1]


def test_beyond_a_bound_whoever_logs_waits_for_the_disk(file: SharedFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_chatbot.logs.shared_file._MOST_WAITING", 3)
    monkeypatch.setattr("otel_chatbot.logs.shared_file._PATIENCE", 20.0)
    file._busy.acquire()
    for number in range(3):
        file.write(b"%d\n" % number)
    waiting = threading.Thread(target=file.write, args=(b"4\n",))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    file._busy.release()
    waiting.join(20)
    assert lines(file) == ["first", "0", "1", "2", "4"]
