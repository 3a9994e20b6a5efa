"""One file and many threads: a line is in the file before its call returns, so that no kill takes one of an answered request."""

from __future__ import annotations

import threading
from pathlib import Path

from otel_chatbot.logs.shared_file import SharedFile


class Gated:
    """A file whose writes wait until they may go on."""

    def __init__(self, stream) -> None:
        self.stream = stream
        self.entered, self.open = threading.Event(), threading.Event()

    def write(self, data: bytes) -> int:
        self.entered.set()
        assert self.open.wait(20)
        return self.stream.write(data)

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


def test_a_call_returns_when_its_line_is_in_the_file_whoever_writes_just_then(tmp_path: Path) -> None:
    file = SharedFile(str(tmp_path / "a.log"), 0, 2)
    file.write(b"first\n")
    path, seen = Path(file.baseFilename), []

    def log() -> None:
        file.write(b"other\n")
        seen.append(b"other\n" in path.read_bytes())

    file.stream = gate = Gated(file.stream)
    writer, other = threading.Thread(target=file.write, args=(b"one\n",)), threading.Thread(target=log)
    writer.start()
    assert gate.entered.wait(20)
    other.start()
    other.join(0.2)
    gate.open.set()
    writer.join(20)
    other.join(20)
    file.close()
    assert seen == [True]
    assert path.read_bytes() == b"first\none\nother\n"
