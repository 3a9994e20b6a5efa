"""Whether it is too early for a thread: in a server's master, and in a gevent worker that gevent has not patched yet.

Fed by gunicorn's presence, by forks and by who handles signals; asked by everything in this room that has a thread. A worker that is forked while
a thread of the master holds a lock can hang, and gevent cannot take over what began before it.
"""

from __future__ import annotations

import signal
import sys

from ..._fork import at_fork

_ARBITER = "gunicorn.arbiter"
_WORKER = "gunicorn.workers.base"
_GEVENT_WORKER = "gunicorn.workers.ggevent"


class _State:
    worker = False


def is_master() -> bool:
    """Whether gunicorn's arbiter runs here: it is imported, and this process is not one of its workers."""
    if _State.worker or _ARBITER not in sys.modules:
        return False
    _State.worker = _handles_a_workers_signals()
    return not _State.worker


def _handles_a_workers_signals() -> bool:
    """Whether this is a worker that has imported us itself: it takes over the signals before it loads the app."""
    return hasattr(signal, "SIGUSR1") and is_a_workers(signal.getsignal(signal.SIGUSR1))


def is_a_workers(handler: object) -> bool:
    """Whether a signal's handler is one of gunicorn's workers."""
    worker = getattr(sys.modules.get(_WORKER), "Worker", None)
    return worker is not None and isinstance(getattr(handler, "__self__", None), worker)


def too_early() -> bool:
    """Whether no thread may start in this process now."""
    return is_master() or (_GEVENT_WORKER in sys.modules and not in_greenlets())


def in_greenlets() -> bool:
    """Whether gevent has taken over this process's threads.

    Its `subprocess` forks with Python's hooks, and the child that is about to run another program must not wait in one of
    them, for a thread that starts, say: gevent would switch there to copies of the parent's greenlets, which would go on
    writing to the parent's connections.
    """
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def _after_fork() -> None:
    _State.worker = _State.worker or _ARBITER in sys.modules


at_fork(__name__, in_child=_after_fork)
