"""The folder that the processes of one run share: its locks, its identity, its leader, and its end.

Fed by `metrics.shared.run_key` and the setting MULTIPROC_DIR; feeds `metrics.shared.run` (the cells) and
`metrics.shared.compaction` (the readers).

All locks are POSIX record locks: the kernel releases them when a process ends, in whatever way, and a forked child
has none. Closing any descriptor of a locked file drops its locks, so each file is opened once and kept open.
"""

# Descriptors carry the locks, and readers join many paths, which os does much faster:

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ... import config
from . import run_key

try:
    import fcntl
except ImportError:  # Windows: processes share nothing
    fcntl = None  # type: ignore[assignment]

SUPPORTED: Final = fcntl is not None
"""Whether processes can share a folder on this system."""

# Bytes of the file `lock`.
_GATE = 0  # held while waiting for the next lock, so that overlapping readers do not block writers for ever
_DATA = 1  # shared among readers; exclusive for a process that folds, clears or removes
_PRESENT = 2  # shared by every process of the run for as long as it lives
_NAMESPACE = uuid.UUID("7b5e8c1e-0d4c-4f5e-9a55-5d6c5f2f3f0a")
_FOREIGN_AGE = 3600.0  # seconds without a new file after which another container's run counts as ended


_entered: set[str] = set()
"""The folders that this process has entered: opening and closing their files again would drop the locks."""


@dataclass(frozen=True)
class Identity:
    """What identifies a run in all its processes: its key, its `service.instance.id`, its start in unix nanoseconds."""

    key: str
    instance_id: str
    start: int


def instance_id(key: str) -> str:
    """The id of a run; every process computes the same one from the key, which is unique."""
    return str(uuid.uuid5(_NAMESPACE, key))


class RunDirectory:
    """A run's folder, entered by this process. OSError when it cannot be made or written."""

    def __init__(self, path: str, key: str) -> None:
        self.path = path
        self.first = False
        """Whether this process began the run."""
        self._mutex = threading.RLock()
        self._depth = 0
        self._leader = -1
        self._lock = -1
        for _ in range(10):  # another process may remove an ended run's folder at the same time
            os.makedirs(path, mode=0o700, exist_ok=True)
            self._lock = self._open("lock")
            with self._locked(fcntl.LOCK_SH):
                alive = os.fstat(self._lock).st_nlink > 0
                identity = self._read_identity()
                if alive and identity is not None and identity.key == key:
                    fcntl.lockf(self._lock, fcntl.LOCK_SH, 1, _PRESENT)
                    break
            with self._locked(fcntl.LOCK_EX):
                if os.fstat(self._lock).st_nlink > 0:
                    identity = self._join_or_begin(key)
                    fcntl.lockf(self._lock, fcntl.LOCK_SH, 1, _PRESENT)
                    break
            os.close(self._lock)
        else:
            raise OSError(f"{path} was removed again and again")
        assert identity is not None
        self.identity = identity
        _entered.add(path)
        # systemd-tmpfiles does not touch a folder while a process holds a BSD lock on it.
        self._folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.flock(self._folder, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def _open(self, name: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(os.path.join(self.path, name), flags, 0o600)

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        # Record locks are per process, so the mutex keeps threads apart. The same thread may enter it again:
        # garbage collection inside may run a finalizer that records for the first time.
        with self._mutex:
            if self._depth == 0:
                fcntl.lockf(self._lock, how, 1, _GATE)
                try:
                    fcntl.lockf(self._lock, how, 1, _DATA)
                finally:
                    fcntl.lockf(self._lock, fcntl.LOCK_UN, 1, _GATE)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    fcntl.lockf(self._lock, fcntl.LOCK_UN, 1, _DATA)

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """In this block nothing is folded or removed; new processes may join."""
        return self._locked(fcntl.LOCK_SH)

    def changing(self) -> contextlib.AbstractContextManager[None]:
        """In this block no other process reads, folds or joins. Do not enter it inside of `reading`."""
        return self._locked(fcntl.LOCK_EX)

    def _read_identity(self) -> Identity | None:
        try:
            with open(os.path.join(self.path, "run"), encoding="utf-8") as file:
                found: dict[str, Any] = json.load(file)
            return Identity(str(found["key"]), str(found["id"]), int(found["start"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _join_or_begin(self, key: str) -> Identity:
        """Join a living run; if there is none, clear the folder and begin a new one. The caller holds the folder alone."""
        found = self._read_identity()
        if found is not None and (found.key == key or not try_lock(self._lock, fcntl.LOCK_EX, _PRESENT)):
            return found
        _empty(self.path)
        begun = Identity(key, instance_id(key), time.time_ns())
        beside = os.path.join(self.path, "run.new")
        with open(beside, "w", encoding="utf-8") as file:
            json.dump({"key": key, "id": begun.instance_id, "start": begun.start}, file)
        os.replace(beside, os.path.join(self.path, "run"))
        self.first = True
        return begun

    def try_lead(self) -> bool:
        """Whether this process leads the run: the first that asks does, until it dies."""
        with self._mutex:
            if self._leader >= 0:
                return True
            leader = self._open("leader")
            if try_lock(leader, fcntl.LOCK_EX, 0):
                self._leader = leader
                return True
            os.close(leader)
            return False

    def leave(self) -> None:
        """In a forked child: close what it inherited. That does not touch the parent's locks."""
        _entered.discard(self.path)
        for descriptor in (self._lock, self._leader, self._folder):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def try_lock(descriptor: int, how: int, start: int) -> bool:
    """Take a record lock of one byte, if no other process holds it."""
    try:
        fcntl.lockf(descriptor, how | fcntl.LOCK_NB, 1, start)
    except (BlockingIOError, PermissionError):
        return False
    return True


def enter() -> RunDirectory:
    """Enter the folder of this process's run; OSError says why it cannot be."""
    key = run_key.run_key()
    chosen = config.current().multiproc_dir
    if chosen:
        # We use our own subfolder, so that clearing it touches nothing else. The number is that of the format.
        return RunDirectory(os.path.join(os.path.abspath(chosen), "otel-chatbot-1"), key)
    root = _private_root()
    directory = RunDirectory(os.path.join(root, key), key)
    if directory.first:
        remove_ended_runs(root)
    return directory


def place() -> str:
    """The folder that `enter` uses: the chosen one, or the common folder of this user's runs."""
    return config.current().multiproc_dir or os.path.join(_temporary(), f"otel-chatbot-{os.geteuid()}")


def _temporary() -> str:
    # Not tempfile.gettempdir: its lock may be held by another thread while this process is forked.
    for name in ("TMPDIR", "TEMP", "TMP"):
        folder = os.environ.get(name, "")
        if os.path.isdir(folder):
            return os.path.abspath(folder)
    return "/tmp"  # noqa: S108 - what is made there is private, and checked to be


def _private_root() -> str:
    """The folder of all runs of this user; OSError if other users could write there."""
    root = place()
    with contextlib.suppress(FileExistsError):
        os.mkdir(root, 0o700)
    found = os.lstat(root)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{root} is not a private folder of this user")
    return root


def remove_ended_runs(root: str, limit: int = 100) -> int:
    """Remove the folders of runs without a living process, at most `limit`; return how many."""
    removed = 0
    for entry in list(os.scandir(root)):
        if removed >= limit:
            break
        with contextlib.suppress(OSError):
            removed += entry.is_dir(follow_symlinks=False) and _remove_if_ended(entry)
    return removed


def _remove_if_ended(entry: os.DirEntry[str]) -> bool:
    gone = run_key.is_gone(entry.name)
    if entry.path in _entered or gone is False:
        return False
    if gone is None and time.time() - entry.stat().st_mtime < _FOREIGN_AGE:
        return False
    # Its root process has ended, but other processes of the run may live.
    lock = os.open(os.path.join(entry.path, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not (try_lock(lock, fcntl.LOCK_EX, _DATA) and try_lock(lock, fcntl.LOCK_EX, _PRESENT)):
            return False
        shutil.rmtree(entry.path)
        return True
    finally:
        os.close(lock)


def _empty(path: str) -> None:
    for entry in list(os.scandir(path)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        elif entry.name != "lock":
            os.unlink(entry.path)
