"""The folder that the processes of one run share: its locks, its identity, its leader, and its end.

Fed by `metrics.shared.run_key` and the setting MULTIPROC_DIR; feeds `metrics.shared.run` (the cells) and `metrics.shared.compaction` (the readers).

All locks are POSIX record locks: the kernel takes them back when a process dies in whatever way, and a forked child
has none. Closing any descriptor of a locked file drops its locks, so each is opened once and kept.
"""

# Descriptors with locks all over, and readers that join many paths, which os does much faster:

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
_GATE = 0  # held while waiting for the next, so that writers are not starved by readers that overlap
_DATA = 1  # shared by readers, alone for those who fold, clear or remove
_PRESENT = 2  # shared by every process of the run for as long as it lives
_NAMESPACE = uuid.UUID("7b5e8c1e-0d4c-4f5e-9a55-5d6c5f2f3f0a")
_FOREIGN_AGE = 3600.0  # seconds without a new file after which another container's run counts as ended


_entered: set[str] = set()
"""The folders that this process is in: opening and closing their locks again would drop them."""


@dataclass(frozen=True)
class Identity:
    """What the processes of a run have in common: its key, its `service.instance.id`, its start in unix nanoseconds."""

    key: str
    instance_id: str
    start: int


def instance_id(key: str) -> str:
    """The id of a run; the key is already unique, so that every process finds the same one without asking."""
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
        for _ in range(10):  # another process may remove an ended run's folder under our hands
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
        # systemd-tmpfiles leaves folders alone that somebody holds a BSD lock on.
        self._folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.flock(self._folder, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def _open(self, name: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(os.path.join(self.path, name), flags, 0o600)

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        # Record locks are per process: the mutex is what keeps threads apart. It may be entered again by the same
        # thread, when garbage collection inside runs a finalizer that records for the first time.
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
        """Nothing is folded or removed inside, and new processes may come."""
        return self._locked(fcntl.LOCK_SH)

    def changing(self) -> contextlib.AbstractContextManager[None]:
        """Nobody reads, folds or comes inside. Not to be entered inside of `reading`."""
        return self._locked(fcntl.LOCK_EX)

    def _read_identity(self) -> Identity | None:
        try:
            with open(os.path.join(self.path, "run"), encoding="utf-8") as file:
                found: dict[str, Any] = json.load(file)
            return Identity(str(found["key"]), str(found["id"]), int(found["start"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _join_or_begin(self, key: str) -> Identity:
        """Join a run that lives; where none does, clear what it left and begin a new one. Alone in the folder."""
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
        """In a forked child: give back what it has inherited; the parent's locks are untouched by it."""
        _entered.discard(self.path)
        for descriptor in (self._lock, self._leader, self._folder):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def try_lock(descriptor: int, how: int, start: int) -> bool:
    """Take a record lock of one byte if nobody is in the way."""
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
        # A folder of our own in it, so that clearing it touches nothing else; the number is the format's.
        return RunDirectory(os.path.join(os.path.abspath(chosen), "otel-chatbot-1"), key)
    root = _private_root()
    directory = RunDirectory(os.path.join(root, key), key)
    if directory.first:
        remove_ended_runs(root)
    return directory


def place() -> str:
    """The folder that `enter` uses: the one that was chosen, or that of all runs of this user."""
    return config.current().multiproc_dir or os.path.join(_temporary(), f"otel-chatbot-{os.geteuid()}")


def _temporary() -> str:
    # Not tempfile.gettempdir: its lock may be held by another thread while this process is forked.
    for name in ("TMPDIR", "TEMP", "TMP"):
        folder = os.environ.get(name, "")
        if os.path.isdir(folder):
            return os.path.abspath(folder)
    return "/tmp"  # noqa: S108 - what is made there is private, and checked to be


def _private_root() -> str:
    """The folder of all runs of this user; OSError when somebody else could write there."""
    root = place()
    with contextlib.suppress(FileExistsError):
        os.mkdir(root, 0o700)
    found = os.lstat(root)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{root} is not a private folder of this user")
    return root


def remove_ended_runs(root: str, limit: int = 100) -> int:
    """Remove the folders of runs in which nothing lives any more, at most `limit`; returns how many."""
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
    # Its root process has ended, which says nothing of the others.
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
