"""Cells in a file: the figures of a process live there, so that every process of its run reads them as they are written.

Fed by `metrics.store`, which asks for cells; feeds `metrics.shared.compaction`, which reads the other processes' files.

A process owns two files in the run's folder. `<name>.cells` is mapped into memory and holds its figures; nothing has to
be flushed, and a killed process leaves its last figure behind. `<name>.keys` says which cells belong to which series, one
JSON array per line, only ever appended to: `["m", number, name, kind, unit, description, attributes, edges]` before the
first series of a metric, `["s", number, offset, values]` for a series. The owner holds a lock on it for as long as it lives.
"""

# Descriptors carry the locks, and readers join many paths, which os does much faster:

from __future__ import annotations

import errno
import json
import mmap
import os
import threading
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..._fork import at_fork
from . import run_folder, run_key
from .segment import MemorySegment, Segment

if run_folder.SUPPORTED:
    import fcntl

if TYPE_CHECKING:
    from ...semconv.spec import MetricSpec
    from ..series import Cells, Key

KEYS: Final = ".keys"
CELLS: Final = ".cells"
NEW: Final = ".new"
_CHUNK: Final = 64 * 1024
_LARGEST_CHUNK: Final = 4 * 1024 * 1024


class SharedSegment:
    """This process's files in the run's folder; after the first failure, its own memory."""

    def __init__(self, directory: run_folder.RunDirectory, name: str) -> None:
        self.directory = directory
        self._alone: MemorySegment | None = None
        self._metrics: dict[MetricSpec, int] = {}
        self._chunk: Cells = memoryview(b"").cast("d")
        self._used = 0
        self._size = 0
        path = os.path.join(directory.path, name)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._cells = os.open(path + CELLS, flags, 0o600)
        self._keys = os.open(path + NEW, flags | os.O_APPEND, 0o600)
        try:
            self._grow(0)
            # Locked before it gets its name: so no process ever finds a living process's file without its lock.
            fcntl.lockf(self._keys, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(path + NEW, path + KEYS)
        except BaseException:
            self.abandon()
            os.unlink(path + CELLS)
            os.unlink(path + NEW)
            raise

    def allocate(self, spec: MetricSpec, key: Key, count: int) -> Cells:
        """Zeroed cells that the other processes read; see `Segment`."""
        if self._alone is None:
            try:
                return self._allocate(spec, key, count)
            except (OSError, ValueError) as error:
                self._alone = MemorySegment(not_shared(self.directory.path, error))
        return self._alone.allocate(spec, key, count)

    def _allocate(self, spec: MetricSpec, key: Key, count: int) -> Cells:
        if self._used + count > len(self._chunk):
            self._grow(8 * count)
        start = self._used
        self._used = end = start + count
        offset = self._size // 8 - len(self._chunk) + start
        text = "".join(key_lines(self._metrics, spec, key, offset)).encode()
        if os.write(self._keys, text) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._chunk[start:end]

    def _grow(self, needed: int) -> None:
        """Map at least `needed` more bytes, for which the file system has really allocated the blocks.

        A hole in the file would turn a full disk into SIGBUS at the first write to it.
        """
        size = max(_CHUNK, min(self._size, _LARGEST_CHUNK), -(-needed // _CHUNK) * _CHUNK)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._cells, self._size, size)
        else:
            write_all(self._cells, bytes(size), self._size)
        mapped = mmap.mmap(self._cells, size, offset=self._size)
        self._chunk = memoryview(mapped).cast("d")
        self._used = 0
        self._size += size

    def complaint(self) -> str:
        """Why the figures are not shared any more; told only once."""
        return self._alone.complaint() if self._alone is not None else ""

    def abandon(self) -> None:
        """In a forked child: close the parent's files. The parent keeps its lock, which the child never had."""
        os.close(self._cells)
        os.close(self._keys)


def key_lines(numbers: dict[MetricSpec, int], spec: MetricSpec, key: Key, offset: int) -> list[str]:
    """The lines of a file of keys for a new series. `numbers` holds the metrics that the file has already; it grows here."""
    lines: list[list[object]] = []
    number = numbers.get(spec)
    if number is None:
        number = numbers[spec] = len(numbers)
        lines.append(["m", number, spec.name, spec.kind.value, spec.unit, spec.description, spec.attributes, spec.buckets])
    lines.append(["s", number, offset, key])
    return [json.dumps(line, separators=(",", ":")) + "\n" for line in lines]


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of `data` at an offset of a file, in as many calls as needed."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def not_shared(path: str, error: BaseException) -> str:
    """The warning that other processes cannot see this process's figures, with the remedy."""
    return (
        f"new metric series of process {os.getpid()} stay in its memory and are missing in what the app's other processes "
        f"show, because {path} cannot be written ({error}); free space there, or set CHATBOT_OTEL_MULTIPROC_DIR to a "
        "folder that the app may write"
    )


class Run:
    """The run that this process belongs to; its folder is entered when it is first needed."""

    def __init__(self, enter: Callable[[], run_folder.RunDirectory] = run_folder.enter) -> None:
        self._enter = enter
        self._lock = threading.RLock()
        self._directory: run_folder.RunDirectory | None = None
        self._failure: OSError | None = None
        self._alone: run_folder.Identity | None = None
        self.own = ""
        """The name of this process's files, known early: our reader must not open and close them, or their lock would drop."""

    def directory(self) -> run_folder.RunDirectory | None:
        """The run's folder, made if necessary; None when this process shares nothing."""
        if self._directory is None and self._failure is None and run_folder.SUPPORTED:
            with self._lock:
                if self._directory is None:
                    try:
                        self._directory = self._enter()
                    except OSError as error:
                        self._failure = error
        return self._directory

    def segment(self) -> Segment:
        """Cells for this process: shared ones if possible."""
        directory = self.directory()
        if directory is not None:
            self.own = f"{os.getpid()}-{os.urandom(4).hex()}"
            try:
                return SharedSegment(directory, self.own)
            except OSError as error:
                return MemorySegment(not_shared(directory.path, error))
        return MemorySegment(not_shared(run_folder.place(), self._failure) if self._failure else "")

    def identity(self) -> run_folder.Identity:
        """The run's identity: its id and its start. A process that shares nothing is a run of its own."""
        directory = self.directory()
        if directory is not None:
            return directory.identity
        with self._lock:
            if self._alone is None:
                self._alone = run_folder.Identity(run_key.run_key(), str(uuid.uuid4()), time.time_ns())
            return self._alone

    def try_lead(self) -> bool:
        """Whether this process speaks for the run; callers guard against OSError."""
        directory = self.directory()
        return directory is None or directory.try_lead()

    def after_fork(self) -> None:
        """In a forked child: enter the folder again when it is needed, with fresh locks."""
        if self._directory is not None:
            self._directory.leave()
        self.__init__(self._enter)  # type: ignore[misc]


RUN: Final = Run()
"""The run of this process."""


def run_identity() -> tuple[str, int]:
    """The `service.instance.id` that all processes of the run have in common, and its start in unix nanoseconds."""
    identity = RUN.identity()
    return identity.instance_id, identity.start


def try_lead() -> bool:
    """Whether this process is the one that speaks for its run; it stays so until it dies, then a different one may be."""
    return RUN.try_lead()


at_fork(__name__, in_child=RUN.after_fork)
