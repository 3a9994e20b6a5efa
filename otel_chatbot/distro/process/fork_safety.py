"""What has to happen late: locks that are made when they are first used, imports on threads of ours.

gevent replaces locks and threads after a server's master has set the package up, and a lock from before would stop every
greenlet of a worker; a lock that was held when the process forked would stop the child for ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from importlib import _bootstrap
from typing import Any, Final

from ..._clock import monotonic
from ..._fork import at_fork

_NAME = "_late_lock"
_POLL_SECONDS = 0.05
_module_locks: Final[dict[str, Callable[[], Any]]] = getattr(_bootstrap, "_module_locks", {})
"""The import system's own table of modules that are being imported: weak references to locks, which know their thread.
https://github.com/python/cpython/blob/3.11/Lib/importlib/_bootstrap.py"""


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
    """Whether another thread imports.

    The frames of other threads must not be looked at while these run: to make a frame's object may run the garbage collector,
    which may let its thread go on, and what is written then is that thread's memory (`_PyFrame_MakeAndSetFrameObject` in
    CPython 3.11's Python/frame.c).
    """
    own = threading.get_ident()
    locks = [reference() for reference in list(_module_locks.values())]
    return any(lock is not None and lock.owner not in (None, own) for lock in locks)
