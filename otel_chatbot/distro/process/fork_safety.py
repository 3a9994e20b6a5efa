"""Locks that are made at their first use, and waiting for imports: what our threads need to survive forks and gevent.

gevent replaces locks and threads after a server's master has set the package up. An older lock would stop every greenlet of
a worker. A lock that was held during a fork would stop the child for ever.
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
    """In a forked child: forget the lock, so that the next use makes a new one."""
    vars(owner).pop(_NAME, None)


IMPORTS: Final = threading.RLock()
"""Held while a thread of ours imports, and by a fork: a child forked during an import would wait for its end for ever."""

at_fork(__name__, before=IMPORTS.acquire, in_parent=IMPORTS.release, in_child=IMPORTS.release)


def await_imports(seconds: float = 10.0) -> None:
    """On a thread of ours, wait until no other thread imports. The wait is limited, because some apps run inside an import.

    If two threads import a package and a module in it at the same time, each may get half of it (so the import system breaks
    the deadlock), and the application would end with an ImportError that is not its fault.
    """
    end = monotonic() + seconds
    while _somebody_imports() and monotonic() < end:
        time.sleep(_POLL_SECONDS)


def _somebody_imports() -> bool:
    """Whether another thread imports.

    The frames of running threads would tell it too, but must not be read: making a frame's object may run the garbage
    collector, which may let that thread go on, and then its memory is overwritten (`_PyFrame_MakeAndSetFrameObject` in
    CPython 3.11's Python/frame.c).
    """
    own = threading.get_ident()
    locks = [reference() for reference in list(_module_locks.values())]
    return any(lock is not None and lock.owner not in (None, own) for lock in locks)
