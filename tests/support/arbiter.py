"""gunicorn's master as the tests see it: its workers, and whether they are all there and listen.

Fed by /proc and by what gunicorn writes; feeds `support.distro` and `support.workers`. A worker that is told to end while
it boots forgets it: the master's handler, which it has inherited, takes the signal, and gunicorn then waits for half a
minute until it kills the worker. Booting takes gevent some tenths of a second.
"""

from __future__ import annotations

import contextlib
import re
import signal
from collections.abc import Sequence
from pathlib import Path

_GOES = re.compile(r"\[(\d+)\] \[INFO\] Autorestarting worker")


def children(pid: int) -> list[int]:
    """The processes that a process has forked, zombies left out."""
    words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(word) for word in words if state(int(word)) != "Z"]


def state(pid: int) -> str:
    """The letter that the kernel shows for a process's state; Z also for one that is not there."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"


def workers_asked_for(command: Sequence[str]) -> int:
    """How many workers a command starts; 0 when it does not start gunicorn."""
    if not any(Path(word).name == "gunicorn" for word in command):
        return 0
    return int(command[command.index("-w") + 1]) if "-w" in command else 1


def all_listen(pid: int, workers: int, written: str) -> bool:
    """Whether a master has so many workers, each with signal handlers of its own, and none that is about to be replaced."""
    with contextlib.suppress(FileNotFoundError):
        there = children(pid)
        going = {int(found) for found in _GOES.findall(written)}
        return len(there) >= workers and going.isdisjoint(there) and all(map(_listens, there))
    return False


def _listens(pid: int) -> bool:
    """Whether a worker has its own signal handlers: it handles SIGABRT, which the master does not."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGABRT - 1) & 1)
