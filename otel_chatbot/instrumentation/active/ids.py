"""Distinct ids seen in a sliding window, in this process and in the others of its run.

Fed by `instrumentation.active.gauges`; feeds the gauges of active users and conversations.

Each process keeps its ids in memory, the longest unseen one first. It publishes them in its own file in the run's folder, as
slots of 16 bytes: a digest, and the monotonic time at which the id was last seen. No other process writes to that file, so no
lock is shared, and the union of the files' digests is exact. Ids never leave this process: digests are keyed with a random key
of the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import mmap
import os
import secrets
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from ..._clock import monotonic
from ...metrics.shared.notes import shared_key
from ...metrics.shared.run import write_all
from ...semconv.logs import PACKAGE_LOGGER

LIMIT: Final = 65_536
"""The most ids of one kind that a process knows; beyond it the longest unseen one is forgotten."""
_SLOT: Final = struct.Struct("=8sd")
_SUFFIX: Final = ".ids"
_KEY_FILE: Final = "ids.key"
_MOST_DIGESTS: Final = 4096

_logger = logging.getLogger(PACKAGE_LOGGER)


_CHUNK: Final = mmap.ALLOCATIONGRANULARITY
"""Bytes by which a file of slots grows."""


class _Slots:
    """A process's file of slots. It is mapped into memory: each request writes an id, and a system call would cost too much."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
        self._chunks: list[mmap.mmap] = []

    def put(self, slot: int, digest: bytes, seen: float) -> None:
        """Write a slot; OSError when the disk is full."""
        chunk, place = divmod(slot * _SLOT.size, _CHUNK)
        while chunk >= len(self._chunks):
            # Written before it is mapped: with a full disk, a write to the mapping would end the process by a signal.
            write_all(self._file, bytes(_CHUNK), _CHUNK * len(self._chunks))
            self._chunks.append(mmap.mmap(self._file, _CHUNK, offset=_CHUNK * len(self._chunks)))
        _SLOT.pack_into(self._chunks[chunk], place, digest, seen)

    def close(self) -> None:
        """Give the file back; what was written stays."""
        os.close(self._file)


class _LastSeen:
    """When an id was last seen, and its slot in the file."""

    __slots__ = ("slot", "time")

    def __init__(self, slot: int, seen: float) -> None:
        self.slot = slot
        self.time = seen


class ActiveIds:
    """The ids of one kind seen within `window` seconds. `folder` tells the run's folder, None where nothing is shared."""

    def __init__(self, kind: str, window: float, folder: Callable[[], Path | None], limit: int = LIMIT) -> None:
        self._kind = kind
        self._window = window
        self._find_folder = folder
        self._limit = limit
        self.renew()

    def renew(self) -> None:
        """Start empty. In a forked child the ids belong to the parent, which still counts them."""
        if (inherited := getattr(self, "_file", None)) is not None:
            inherited.close()
        self._lock = threading.RLock()
        self._seen: OrderedDict[bytes, _LastSeen] = OrderedDict()
        self._digests: dict[str, bytes] = {}
        self._free: list[int] = []
        self._slots = 0
        self._file: _Slots | None = None
        self._name = ""
        self._folder: Path | None = None
        self._key = b""

    def see(self, text: str, now: float | None = None) -> bytes:
        """Note that an id is active. Returns its digest, which is the same in all processes of the run."""
        now = monotonic() if now is None else now
        with self._lock:
            if not self._key:
                self._open()
            digest = self._digests.get(text) or self._digest(text)
            sight = self._seen.get(digest)
            if sight is None:
                self._forget_old(now)
                self._seen[digest] = sight = _LastSeen(self._take_slot(), now)
            else:
                sight.time = now
                self._seen.move_to_end(digest)
            self._publish(sight.slot, digest, now)
        return digest

    def _digest(self, text: str) -> bytes:
        """The digest of an id, which is remembered: most requests are of somebody who was here a moment ago."""
        if len(self._digests) >= _MOST_DIGESTS:
            self._digests.clear()
        found = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=self._key).digest()
        self._digests[text] = found
        return found

    def count(self, now: float | None = None) -> int:
        """How many distinct ids were seen within the window, by this process and the others of its run."""
        since = max(0.0, (monotonic() if now is None else now) - self._window)  # an empty slot has the time 0
        with self._lock:
            if not self._key:
                self._open()
            found = {digest for digest, sight in self._seen.items() if sight.time > since}
        for digests in self._others(since):
            found |= digests
        return len(found)

    def _forget_old(self, now: float) -> None:
        since = now - self._window
        while self._seen:
            digest, sight = next(iter(self._seen.items()))
            if sight.time > since and len(self._seen) < self._limit:
                return
            del self._seen[digest]
            self._free.append(sight.slot)

    def _take_slot(self) -> int:
        if self._free:
            return self._free.pop()
        self._slots += 1
        return self._slots - 1

    def _open(self) -> None:
        """Read the run's key and make this process's file. Without a folder, or if that fails, nothing is shared."""
        self._folder = self._find_folder()
        if self._folder is not None:
            try:
                self._key = shared_key(self._folder, _KEY_FILE)
                self._name = f"{self._kind}-{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
                self._file = _Slots(self._folder / self._name)
            except OSError as error:
                self._share_no_more(error)
        self._key = self._key or secrets.token_bytes(32)

    def _publish(self, slot: int, digest: bytes, now: float) -> None:
        if self._file is None:
            return
        try:
            self._file.put(slot, digest, now)
        except OSError as error:
            self._share_no_more(error)

    def _share_no_more(self, error: OSError) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
        _logger.warning("active %s are counted in process %d alone: %s cannot be written (%s)",
                        self._kind, os.getpid(), self._folder, error.strerror)  # fmt: skip

    def _others(self, since: float) -> Iterator[set[bytes]]:
        if self._folder is None:
            return
        for path in self._folder.glob(f"{self._kind}-*{_SUFFIX}"):
            if path.name == self._name:
                continue
            try:
                data = path.read_bytes()
            except OSError:  # the run's folder was cleared meanwhile
                continue
            digests = _digests(data, since)
            if digests:
                yield digests
            elif not _lives(path):
                path.unlink(missing_ok=True)


def published(folder: Path, kind: str, since: float) -> int:
    """How many distinct ids the processes of a run have published since a moment. It only reads the files."""
    found: set[bytes] = set()
    for path in folder.glob(f"{kind}-*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            found |= _digests(path.read_bytes(), since)
    return len(found)


def _digests(data: bytes, since: float) -> set[bytes]:
    whole = len(data) - len(data) % _SLOT.size
    return {digest for digest, seen in _SLOT.iter_unpack(data[:whole]) if seen > max(since, 0.0)}


def _lives(path: Path) -> bool:
    """Whether the process with the id in a file's name is alive; True if that cannot be told."""
    try:
        os.kill(int(path.name.split("-")[1]), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, IndexError):
        return True
    return True
