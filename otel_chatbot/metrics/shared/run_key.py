"""The name of a run: the same in every worker of one app, a new one after a restart, and found without configuration.

Fed by the process tree; feeds `metrics.shared.run_folder`, which names a folder after it. Creates no file.

A process that forks decides the key before the fork, and its children keep it. If only the workers import us, they
ask their server for its main process (`_FINDERS`: one small function per server). Workers that gunicorn
recycles or reloads stay in the run. USR2 makes a new arbiter, and so a new run, like every restart. Processes that a
worker spawns (not forks) need the setting MULTIPROC_DIR to be in its run.
"""

from __future__ import annotations

import hashlib
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from ..._fork import at_fork

_PROC = Path("/proc")


class _Decided:
    """The key of this process and of those that it forks; None until it is first needed or the process forks."""

    key: str | None = None
    asked = False
    """Whether the key has been used: from then on it does not change."""


def run_key() -> str:
    """The key of the run that this process belongs to: `<pid>-<start>-<place>` of the process at its root."""
    _Decided.asked = True
    return _decide()


def _decide() -> str:
    if _Decided.key is None:
        pid = _root_pid()
        _Decided.key = identity(pid) or identity(os.getpid()) or f"{os.getpid()}-0-{_place()}"
    return _Decided.key


def identity(pid: int) -> str | None:
    """A name of a process that is unique while its machine runs, which a pid is not; None when there is no such process."""
    start = _started(pid)
    return f"{pid}-{start}-{_place()}" if start else None


def is_gone(key: str) -> bool | None:
    """Whether the root process of a run has ended; None when it cannot be known from here (another container)."""
    pid, _, rest = key.partition("-")
    if not pid.isdigit() or rest.rpartition("-")[2] != _place():
        return None
    return identity(int(pid)) != key


def _started(pid: int) -> str:
    """When a process started, in any unit; empty when there is no such process."""
    try:
        # The command's name, in parentheses, may hold spaces; the start time is the twentieth field after it (proc(5)).
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        if _PROC.joinpath("self", "stat").exists() or not hasattr(os, "fork"):
            return ""
    try:
        found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, check=False, text=True)  # noqa: S603, S607
    except OSError:
        return ""
    return "".join(c for c in found.stdout if c.isalnum())


@lru_cache(maxsize=1)
def _place() -> str:
    """The machine since its last boot, and the container: pids and start times can be compared only within them."""
    parts = [platform.node()]
    try:
        parts.append((_PROC / "sys" / "kernel" / "random" / "boot_id").read_text())
        parts.append(str((_PROC / "self" / "ns" / "pid").readlink()))
    except OSError:
        pass
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _root_pid() -> int:
    for find in _FINDERS:
        pid = find()
        if pid:
            return pid
    return os.getpid()


def _gunicorn() -> int | None:
    """The arbiter's pid, in a worker or in the arbiter itself: whichever of them set the signal handlers says it."""
    arbiter = getattr(sys.modules.get("gunicorn.arbiter"), "Arbiter", None)
    worker = getattr(sys.modules.get("gunicorn.workers.base"), "Worker", None)
    if arbiter is None:
        return None
    for number in (signal.SIGUSR1, signal.SIGABRT, signal.SIGTERM, signal.SIGQUIT, signal.SIGCHLD):
        owner = getattr(signal.getsignal(number), "__self__", None)
        if worker is not None and isinstance(owner, worker):
            return int(owner.ppid)
        if isinstance(owner, arbiter):
            return int(owner.pid)
    return None


def _uwsgi() -> int | None:
    """The master's pid; uWSGI with lazy-apps imports the app in each worker."""
    master: Callable[[], int] | None = getattr(sys.modules.get("uwsgi"), "masterpid", None)
    return master() if master is not None else None


def _multiprocessing() -> int | None:
    """The pid of the process that made this one by `spawn` or `forkserver`, or that the fork server works for."""
    if any("multiprocessing.forkserver" in word for word in sys.orig_argv):
        module = sys.modules.get("multiprocessing.process")
        parent = module.parent_process() if module else None
        return parent.pid if parent else os.getppid()
    module = sys.modules.get("multiprocessing.process")
    parent = module.parent_process() if module else None
    return parent.pid if parent else None


_FINDERS: tuple[Callable[[], int | None], ...] = (_gunicorn, _uwsgi, _multiprocessing)


def _before_fork() -> None:
    if not _Decided.asked and _gunicorn() == os.getpid():
        # `gunicorn --daemon` forks twice before it is the server: the key must not belong to a process that has ended.
        _Decided.key = None
    _decide()


at_fork(__name__, before=_before_fork)
