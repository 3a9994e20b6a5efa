"""What has to happen late: locks that are made when they are first used, imports on threads of ours.

gevent replaces locks and threads after a server's master has set the package up, and a lock from before would stop every
greenlet of a worker; a lock that was held when the process forked would stop the child for ever.
"""

from __future__ import annotations

import sys
import threading
import time
from types import FrameType
from typing import Final

from ..._clock import monotonic
from ..._fork import at_fork

_NAME = "_late_lock"
_IMPORTING = "<frozen importlib._bootstrap>"
_POLL_SECONDS = 0.05


def late_lock(owner: object) -> threading.Lock:
    """The lock of an object, made now if need be."""
    lock: threading.Lock = vars(owner).setdefault(_NAME, threading.Lock())
    return lock


def forget_lock(owner: object) -> None:
    """In a forked child: the next use makes a fresh one."""
    vars(owner).pop(_NAME, None)


IMPORTS: Final = threading.RLock()
"""Held while a thread of ours imports, and across a fork: the child would wait for ever for an import that nobody ends."""

at_fork(__name__, before=IMPORTS.acquire, in_parent=IMPORTS.release, in_child=IMPORTS.release)


def await_imports(seconds: float = 10.0) -> None:
    """Wait, on a thread of ours, until no other thread imports anything, or for so long: some apps run inside an import.

    Two threads that import a package and a module in it at the same time may each get half of it (the import system breaks
    the deadlock so), and the application would end with an ImportError that is not its fault.
    """
    end = monotonic() + seconds
    while _somebody_imports() and monotonic() < end:
        time.sleep(_POLL_SECONDS)


def _somebody_imports() -> bool:
    own = threading.get_ident()
    return any(_imports(frame) for thread, frame in sys._current_frames().items() if thread != own)


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False
