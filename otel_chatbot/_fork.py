"""The package's actions around a fork, in one visible order.

Every module that has something to renew registers with `at_fork`; ORDER and AFTER_UPSTREAM decide when its turn comes.
Modules that are not imported take no part. On systems without fork (Windows), nothing happens.

Python calls the hooks of `os.register_at_fork` before a fork in the reverse order of their registration, and after it in
that order: so do we. Our hooks are registered when the first module of the package is imported, so those of the libraries
that we set up (the SDK's providers and batch processors) come later; AFTER_UPSTREAM runs after them.
"""

from __future__ import annotations

import inspect
import os
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from . import _guard

Hook = Callable[[], object]

ORDER: Final = (
    "logs.sink",  # the lock of log files is taken last and released first: a thread that imports may be logging
    "distro.process.fork_safety",  # no import of ours is under way in the child
    "distro.process.servers",  # whether this is a server's worker: all code that starts a thread asks this
    "metrics.shared.run_key",  # before the fork the run gets its name, and the children keep it
    "metrics.shared.run",  # the child enters the run's folder anew
    "metrics.store",  # the child's figures start from nothing, so those of everything below do too
    "metrics.shared.compaction",
    "health.clients",
    "health.checker",
    "quality.ledger",  # closed before the fork, and before log files are locked: it may have something to say
    "instrumentation.mongodb.commands",
    "instrumentation.mongodb.pool",
    "instrumentation.redis.pool",
    "instrumentation.common.cache_size",
    "instrumentation.common.told_messages",
    "instrumentation.active.gauges",
    "quality.budgets.spending",
    "distro.delivery.otlp",  # before the fork, and before imports are held: a running post may end
    "distro.delivery.spool",
    "distro.delivery.sender",
    "distro.providers.lazy_processors",  # fresh queues, before the SDK starts the threads that empty them
    "distro.providers.probe_traces",
    "distro.metrics.mirror_reader",
    "distro.process.shutdown",
    "distro.process.endpoint_server",
)
"""Modules in the order of their turns after a fork, in the parent and in the child; before a fork it is the reverse."""

AFTER_UPSTREAM: Final = (
    "distro.sdk_private",  # repairs what the SDK's own hooks leave behind: held locks, a changed resource
    "distro.metrics.export",  # starts a thread in the child, which reads all of the above
)
"""Modules whose turn in the child comes after the hooks of the SDK's providers."""


class _Step(NamedTuple):
    module: str
    before: Callable[[], Hook | None]
    in_parent: Callable[[], Hook | None]
    in_child: Callable[[], Hook | None]


class _Fork(threading.local):
    """The fork that this thread makes: the hooks that take part in it, and the errors."""

    steps: tuple[_Step, ...] = ()
    faults: tuple[tuple[str, Exception], ...] = ()


_PACKAGE: Final = f"{__package__}."
_steps: Final[dict[str, list[_Step]]] = {module: [] for module in (*ORDER, *AFTER_UPSTREAM)}
_fork: Final = _Fork()
_registrations = 0


def at_fork(module: str, *, before: Hook | None = None, in_parent: Hook | None = None, in_child: Hook | None = None) -> None:
    """Call these around each fork, in the turn of `module` (its `__name__`). A bound method does not keep its object alive."""
    name = module.removeprefix(_PACKAGE)
    if name not in _steps:
        raise ValueError(f"{module} has no turn around a fork; give it one in ORDER of otel_chatbot/_fork.py")
    _steps[name].append(_Step(name, _reference(before), _reference(in_parent), _reference(in_child)))


def come_after_upstream() -> None:
    """Have AFTER_UPSTREAM run after the hooks that are registered by now: call it for every provider that is set up."""
    global _registrations
    if hasattr(os, "register_at_fork"):
        _registrations += 1
        os.register_at_fork(after_in_child=partial(_in_child_after_upstream, _registrations))


def _reference(hook: Hook | None) -> Callable[[], Hook | None]:
    return weakref.WeakMethod(hook) if inspect.ismethod(hook) else lambda: hook


def _before() -> None:
    # Kept for the hooks after the fork: only a module that has taken a lock may release it.
    _fork.steps = tuple(step for steps in _steps.values() for step in steps)
    _fork.faults = ()
    for step in reversed(_fork.steps):
        _call(step, step.before)


def _in_parent() -> None:
    for step in _fork.steps:
        _call(step, step.in_parent)
    _end()


def _in_child() -> None:
    for step in _fork.steps:
        if step.module not in AFTER_UPSTREAM:
            _call(step, step.in_child)


def _in_child_after_upstream(registration: int) -> None:
    if registration != _registrations:
        return  # a later registration comes after more of upstream's hooks
    for step in _fork.steps:
        if step.module in AFTER_UPSTREAM:
            _call(step, step.in_child)
    _end()


def _call(step: _Step, reference: Callable[[], Hook | None]) -> None:
    hook = reference()
    if hook is not None:
        try:
            hook()
        except Exception as error:
            _fork.faults = (*_fork.faults, (f"the fork hook of {step.module}", error))


def _end() -> None:
    """Report the errors, now that no lock is held any more."""
    faults, _fork.faults, _fork.steps = _fork.faults, (), ()
    for where, error in faults:
        _guard.report(where, error)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
    come_after_upstream()
