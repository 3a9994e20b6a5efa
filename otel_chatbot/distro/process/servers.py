"""Tells when it is too early for a thread: in a server's master, and in a gevent worker that gevent has not patched yet.

Fed by gunicorn's modules, by forks and by the handlers of signals; asked by all code of this room that starts a thread. A
worker that is forked while a thread of the master holds a lock can hang, and gevent cannot take over an older thread.
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
    """Whether this is a worker that imported us itself: a worker sets its signal handlers before it loads the app."""
    return hasattr(signal, "SIGUSR1") and is_a_workers(signal.getsignal(signal.SIGUSR1))


def is_a_workers(handler: object) -> bool:
    """Whether a signal's handler belongs to a gunicorn worker."""
    worker = getattr(sys.modules.get(_WORKER), "Worker", None)
    return worker is not None and isinstance(getattr(handler, "__self__", None), worker)


def too_early() -> bool:
    """Whether no thread may start in this process now."""
    return is_master() or (_GEVENT_WORKER in sys.modules and not in_greenlets())


def in_greenlets() -> bool:
    """Whether gevent has taken over this process's threads.

    gevent's `subprocess` forks with Python's fork hooks. In the child, which is about to run another program, no hook may wait
    (for the start of a thread, say): gevent would switch to copies of the parent's greenlets, which would go on to write to
    the parent's connections.
    """
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def _after_fork() -> None:
    _State.worker = _State.worker or _ARBITER in sys.modules


at_fork(__name__, in_child=_after_fork)
