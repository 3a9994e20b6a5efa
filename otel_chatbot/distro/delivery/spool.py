"""The spool: OTLP payloads on disk, written before they are sent, in a folder that processes share and that has a limit.

Fed by `distro.delivery.transport`; feeds `distro.delivery.sender` and `otel-chatbot spool`. A payload is one file, written beside and
renamed, so that there is never half of one; names sort by time. Credentials never come here: a file holds a header
line (format, signal, encoding, checksum) and the bytes of the request's body.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..._clock import monotonic
from ..._fork import at_fork
from ...semconv.attributes import Signal

FORMAT: Final = 1
_NAME: Final = re.compile(r"\d{20}-\d+-\d+\.(traces|metrics|logs)\.otlp")
_ASIDE: Final = "corrupt"
_BLOCK: Final = 4096
"""Bytes that a small file takes on most disks."""
_STALE_SECONDS: Final = 60.0
_SETTLED: Final = 2_000_000_000
"""Nanoseconds after which each further change gives a folder another time: the clocks of file systems go in steps."""
_MOST_ASIDE: Final = 20
_SHARE: Final = 16
"""A sixteenth of the limit: for files set aside, and the same again is freed beyond need when the spool is full."""
_COUNT_SECONDS: Final = 1.0
_COUNT_SHARE: Final = 50
"""Counting the files takes at most a fiftieth of the time."""


class CorruptError(Exception):
    """A file of the spool that is not what was written."""


class UnknownFormatError(Exception):
    """A file that another version of the package wrote."""


@dataclass(frozen=True)
class Payload:
    """One OTLP request's body, as the exporter made it."""

    signal: Signal
    body: bytes
    encoding: str = ""

    def to_bytes(self) -> bytes:
        """The file's content."""
        header = {"v": FORMAT, "signal": self.signal.value, "encoding": self.encoding, "crc": zlib.crc32(self.body)}
        return json.dumps(header).encode() + b"\n" + self.body

    @classmethod
    def from_bytes(cls, content: bytes) -> Payload:
        """The payload of a file's content; CorruptError or UnknownFormatError."""
        head, newline, body = content.partition(b"\n")
        try:
            header = json.loads(head)
            if isinstance(header, dict) and isinstance(header.get("v"), int) and header["v"] > FORMAT:
                raise UnknownFormatError(header["v"])
            payload = cls(Signal(header["signal"]), body, str(header["encoding"]))
            intact = bool(newline) and header["crc"] == zlib.crc32(body)
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptError(str(error)) from error
        if not intact:
            raise CorruptError("checksum")
        return payload


class Spool:
    """A folder of payloads that takes at most `max_bytes` on disk; the oldest are dropped first, each reported to `on_drop`.

    Other files in the folder are left alone. Every method may run in several processes at the same time.
    """

    def __init__(self, folder: Path, max_bytes: int, on_drop: Callable[[Payload], None]) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._on_drop = on_drop
        self._sequence = itertools.count()
        self._reset()
        at_fork(__name__, in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._used = 0
        self._written = 0
        self._next_count = 0.0

    def put(self, payload: Payload) -> Path:
        """Write a payload; OSError when the disk does not take it."""
        content = payload.to_bytes()
        name = f"{time.time_ns():020}-{os.getpid()}-{next(self._sequence)}.{payload.signal.value}.otlp"
        path = self.folder / name
        beside = self.folder / f".{name}.tmp"
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(content)  # before the count: of several that write at once, the last one to count sees them all
            self._make_room(_on_disk(len(content)))
            os.replace(beside, path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        return path

    def scan(self) -> list[tuple[Path, int]]:
        """The payloads' files, oldest first, each with the bytes it takes; none when the folder is not there."""
        found = []
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if _NAME.fullmatch(entry.name):
                        with contextlib.suppress(FileNotFoundError):
                            found.append((entry.name, _on_disk(entry.stat(follow_symlinks=False).st_size)))
        except FileNotFoundError:
            return []
        found.sort()
        return [(self.folder / name, size) for name, size in found]

    def files(self) -> list[Path]:
        """The payloads' files, oldest first."""
        return [path for path, _ in self.scan()]

    def aside(self) -> list[Path]:
        """The files that were set aside, oldest first."""
        try:
            return sorted((self.folder / _ASIDE).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def mine(self) -> list[Path]:
        """The files that this process wrote."""
        return [path for path in self.files() if self.is_mine(path)]

    def is_mine(self, path: Path) -> bool:
        """Whether this process wrote the file."""
        return f"-{os.getpid()}-" in path.name

    def stamp(self) -> int:
        """When a file last came or went, in nanoseconds, to compare; 0 if that was just now: more may follow at the same time."""
        try:
            changed = os.stat(self.folder).st_mtime_ns
        except OSError:
            return 0
        return changed if time.time_ns() - changed > _SETTLED else 0

    def used(self) -> int:
        """Bytes that the payloads take on disk, counted now or a moment ago; many files are counted less often."""
        with self._lock:
            self._count_if_due()
            return self._used

    def read(self, path: Path) -> Payload:
        """A file's payload. FileNotFoundError if another process was faster; CorruptError; UnknownFormatError."""
        try:
            return Payload.from_bytes(path.read_bytes())
        except (IsADirectoryError, PermissionError) as error:  # what else goes wrong may pass: too many open files
            raise CorruptError(error.strerror or str(error)) from error

    def remove(self, path: Path) -> bool:
        """Forget a payload that was sent or dropped; False when another process was faster, or the file cannot be removed."""
        try:
            path.unlink()
        except OSError:
            return False
        return True

    def set_aside(self, path: Path) -> Path:
        """Move a corrupt file to a folder that is never sent; OSError if that fails. The newest few are kept, up to a size."""
        aside = self.folder / _ASIDE
        aside.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.replace(path, aside / path.name)
        taken = 0
        for number, old in enumerate(reversed(self.aside())):
            with contextlib.suppress(OSError):
                taken += _on_disk(old.stat().st_size)
            if number >= _MOST_ASIDE or taken > self._max_bytes // _SHARE:
                self.remove(old)
        return aside / path.name

    def sweep(self) -> None:
        """Remove the half-written files of killed processes."""
        for path in self.folder.glob(".*.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()

    def purge(self) -> int:
        """Remove every payload, and what was set aside; how many payloads there were."""
        for path in self.aside():
            self.remove(path)
        return sum(self.remove(path) for path in self.files())

    def _make_room(self, written: int) -> None:
        """If the payloads and what is being written take more than their share of the limit, drop the oldest, and some more."""
        most = self._max_bytes - self._max_bytes // _SHARE  # the rest is for what was set aside
        with self._lock:
            self._used += written
            self._written += written
            self._count_if_due()
            if self._used > most:
                self._free(most - most // _SHARE)

    def _free(self, most: int) -> None:
        for path, size in self._count():
            if self._used <= most:
                return
            self._drop(path)
            self._used -= size

    def _drop(self, path: Path) -> None:
        try:
            payload = self.read(path)
        except FileNotFoundError:
            return
        except (CorruptError, UnknownFormatError):
            payload = Payload(signal_of(path), b"")
        if self.remove(path):  # of several processes that drop it, one reports it
            self._on_drop(payload)

    def _count_if_due(self) -> None:
        # By time, and by what was written: then several processes that write fast stay near the limit together.
        if monotonic() >= self._next_count or self._written > self._max_bytes // _SHARE // 4:
            self._count()

    def _count(self) -> list[tuple[Path, int]]:
        began = monotonic()
        found = self.scan()
        now = monotonic()
        self._used = sum(size for _, size in found) + self._being_written()
        self._written = 0
        self._next_count = now + max(_COUNT_SECONDS, _COUNT_SHARE * (now - began))
        return found

    def _being_written(self) -> int:
        """Bytes of the payloads that processes are writing at this moment."""
        taken = 0
        for path in self.folder.glob(".*.tmp"):
            with contextlib.suppress(OSError):
                taken += _on_disk(path.stat().st_size)
        return taken


def signal_of(path: Path) -> Signal:
    """The signal that a payload's file is named after."""
    return Signal(path.name.rsplit(".", 2)[1])


def _on_disk(size: int) -> int:
    return max(1, -(-size // _BLOCK)) * _BLOCK
