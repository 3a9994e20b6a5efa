"""A rotated file that several processes write to, whole lines only: concurrent-log-handler with a cheaper, stricter write.

Fed by `logs.files` with encoded lines; feeds the disk. The library's lock file, rotation and platform rules are used
as they are. We add: folders are made when needed; each line is one unbuffered write; half a line is removed when the disk is
full; one `stat` tells the file's size and whether the file was moved away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
from collections import deque
from typing import Any


def _import_portalocker_alone() -> None:
    """Import portalocker, with which the library locks, without Redis's client, which is imported when `RedisLock` is used.

    In a server's master that import would come too early: gevent would warn in each worker that `ssl` was imported unpatched.
    """
    name = "portalocker.redis"
    if "portalocker" in sys.modules or name in sys.modules:
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        import portalocker
    finally:
        del sys.modules[name]
    vars(portalocker).pop("RedisLock", None)

    def __getattr__(wanted: str) -> Any:  # noqa: N807
        if wanted == "RedisLock":
            from portalocker.redis import RedisLock

            return RedisLock
        raise AttributeError(f"module 'portalocker' has no attribute {wanted!r}")

    vars(portalocker)["__getattr__"] = __getattr__


_import_portalocker_alone()

from concurrent_log_handler import ConcurrentRotatingFileHandler  # noqa: E402

try:
    import fcntl
except ImportError:  # Windows: the library polls its lock there
    fcntl = None  # type: ignore[assignment]


class SharedFile(ConcurrentRotatingFileHandler):
    """One rotated file. Making the object does not touch the disk."""

    stream: Any
    stream_lock: Any

    def __init__(self, path: str, max_bytes: int, backup_count: int) -> None:
        super().__init__(path, "ab", maxBytes=max_bytes, backupCount=backup_count)
        self._identity: tuple[int, int] | None = None
        self._lock_identity: tuple[int, int] = (0, 0)
        self._size = 0
        self._writing: set[int] = set()
        self._waiting: deque[bytes] = deque()

    def write(self, line: bytes) -> None:
        """Append a line, its end included, under the lock of all processes; OSError or RuntimeError when it is not written."""
        thread = threading.get_ident()
        if thread in self._writing:
            # A signal handler or a finalizer logs while this same thread writes: its line is written right after.
            self._waiting.append(line)
            return
        self._writing.add(thread)
        try:
            self._write(line)
        finally:
            self._writing.discard(thread)
        with contextlib.suppress(IndexError):  # what came after the last look
            while self._waiting:
                self.write(self._waiting.popleft())

    def _write(self, line: bytes) -> None:
        self._lock_current()
        try:
            self._append(line)
            with contextlib.suppress(IndexError):
                while self._waiting:
                    self._append(self._waiting.popleft())
        finally:
            self._do_unlock()

    def create(self) -> None:
        """Make the file where there is none; OSError or RuntimeError when that is not possible."""
        self._lock_current()
        try:
            if self.stream is None:
                self.stream = self.do_open()
            if not self._actual_keep_log_stream_open:
                self._close()
                self._identity = None
        finally:
            self._do_unlock()

    def discard(self) -> None:
        """In a forked child: close the inherited files without unlocking, because the lock is the parent's."""
        for stream in (self.stream, self.stream_lock):
            if stream is not None:
                stream.close()
        self.stream = self.stream_lock = None

    def _lock_current(self) -> None:
        """Take the lock, and make sure that it is still the file that other processes lock."""
        for _ in range(self.maxLockAttempts):
            self._do_lock()
            current = False
            try:
                current = self._look() or self._lock_is_current()
            finally:
                if not current:
                    self._do_unlock()
            if current:
                return
            self.stream_lock.close()
            self.stream_lock = None
        raise RuntimeError(f"the lock file of {self.baseFilename} is replaced again and again")

    def _look(self) -> bool:
        """Note the file's size. If the name leads to a different file or to none, forget the stream and return False."""
        try:
            found = os.stat(self.baseFilename)
        except FileNotFoundError:
            found = None
        self._size = found.st_size if found is not None else 0
        if found is not None and self._identity == (found.st_dev, found.st_ino):
            return True
        self._close()
        self._identity = None
        return False

    def _lock_is_current(self) -> bool:
        try:
            named = os.stat(self.lockFilename)
        except FileNotFoundError:
            return False
        return (named.st_dev, named.st_ino) == self._lock_identity

    def _append(self, line: bytes) -> None:
        if self._size >= self.maxBytes > 0:
            with contextlib.suppress(OSError):  # a file beyond its maximum size is better than a lost line
                self.doRollover()
            self._look()
        if self.stream is None:
            self.stream = self.do_open()
        written = self.stream.write(line)
        if written != len(line):
            self.stream.truncate(self._size)  # half a line would spoil the next one
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.baseFilename)
        self._size += written
        if not self._actual_keep_log_stream_open:
            self._close()
            self._identity = None

    def do_open(self, mode: str | None = None) -> Any:
        """Open the file for appending, its folder made when it is not there; finish a line that a crash left open."""
        os.makedirs(os.path.dirname(self.baseFilename), exist_ok=True)
        stream: Any = open(self.baseFilename, "w+b" if mode == "w" else "a+b", buffering=0)  # noqa: SIM115
        found = os.fstat(stream.fileno())
        self._identity = (found.st_dev, found.st_ino)
        self._size = found.st_size
        if self._size:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                self._size += stream.write(b"\n")
        return stream

    def _open_lockfile(self) -> None:
        os.makedirs(os.path.dirname(self.lockFilename), exist_ok=True)
        self.stream_lock = open(self.lockFilename, "ab", buffering=0)  # noqa: SIM115
        found = os.fstat(self.stream_lock.fileno())
        self._lock_identity = (found.st_dev, found.st_ino)

    if fcntl is not None:

        def _lock_stream_lock(self, stream_lock: Any) -> None:
            # What portalocker does in the end on POSIX.
            fcntl.flock(stream_lock, fcntl.LOCK_EX)

        def _do_unlock(self) -> None:
            # As the library does it, without portalocker's preparations.
            if not self.is_locked or not self._actual_keep_lock_file_open:
                super()._do_unlock()
                return
            try:
                fcntl.flock(self.stream_lock, fcntl.LOCK_UN)
            finally:
                self.is_locked = False
                self._thread_lock.release()
