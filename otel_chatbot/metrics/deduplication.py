"""One event counts once, whether the package saw it, the application counted it by hand, or both.

Fed by `metrics.record` and `metrics.api`; tells them how much of an event is new.

The rule, per metric and scope (a request; outside of one, a thread or task): automatic events and hand calls are
tallied apart, and the larger tally is recorded as it grows. For histograms the automatic measurement wins, and hand
observations beyond the automatic count are recorded when the request ends; outside of a request, at once.
What a thread counts for a request without its context is told apart by whoever says so in `OUTSIDE`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Final, Protocol

MOST_WAITING: Final = 1000
"""Hand observations of one metric that wait for the end of one request; those beyond are recorded as outside of one."""


class ScopeCounts:
    """What was counted of one metric in one scope."""

    __slots__ = ("_lock", "auto", "hand", "waiting")

    def __init__(self) -> None:
        self._lock = threading.Lock()  # threads that a request started with its context share its scope
        self.auto = 0.0
        self.hand = 0.0
        self.waiting: list[Callable[[], None]] = []

    def add_auto(self, amount: float) -> float:
        """How much of an automatic event is new."""
        lock = self._lock
        lock.acquire()
        try:
            before = self.auto
            self.auto = after = before + amount
            return amount if before >= self.hand else max(after - self.hand, 0.0)
        finally:
            lock.release()

    def measured(self) -> None:
        """One automatic measurement; how much of it is new, nobody asks."""
        lock = self._lock
        lock.acquire()
        try:
            self.auto += 1.0
        finally:
            lock.release()

    def add_hand(self, amount: float) -> float:
        """How much of a hand call is new."""
        lock = self._lock
        lock.acquire()
        try:
            before = self.hand
            self.hand = after = before + amount
            return amount if before >= self.auto else max(after - self.auto, 0.0)
        finally:
            lock.release()


class Ending(Protocol):
    """What wants to know of the end of a scope."""

    def close(self) -> None:
        """The scope has ended."""


class Scope:
    """The tallies of a request, a thread or a task. `ends` says that `close` will be called."""

    __slots__ = ("documents", "ends", "entrusted", "keys", "owner", "tallies", "turn")

    def __init__(self, *, ends: bool) -> None:
        self.ends = ends
        self.owner = None if ends else _runner()
        self.tallies: dict[str, ScopeCounts] = {}
        self.entrusted = 0.0
        """When the request first gave work to another thread; 0 if it has not."""
        self.documents: object = None
        """What the instrumentation of MongoDB remembers of documents that were read and written."""
        self.keys: Ending | None = None
        """What the instrumentation of Redis remembers of keys that were read and written; it counts when the scope ends."""
        self.turn: object = None
        """What `instrumentation.common.chat_turn` keeps of the chat turn that the request is."""

    def tally(self, name: str) -> ScopeCounts:
        """The tally of a metric, by its OpenTelemetry name."""
        tallies = self.tallies
        return tallies[name] if name in tallies else tallies.setdefault(name, ScopeCounts())

    def observe(self, name: str, record: Callable[[], None]) -> None:
        """Take a hand observation: `record` it now, at the end of the request, or never."""
        tally = self.tally(name)
        if self.ends and len(tally.waiting) < MOST_WAITING:
            tally.waiting.append(record)
        elif tally.add_hand(1.0):
            record()

    def close(self) -> None:
        """Record the hand observations that no automatic one stands for."""
        self.ends = False
        if self.keys is not None:
            self.keys.close()
        for tally in list(self.tallies.values()):
            waiting, tally.waiting = tally.waiting, []
            for record in waiting:
                if tally.add_hand(1.0):
                    record()


_scope: ContextVar[Scope | None] = ContextVar("otel_chatbot_scope", default=None)

OUTSIDE: Final[dict[str, Callable[[Scope, float], float]]] = {}
"""By metric: asked how much of what was counted outside of any running request is new."""


def new_outside(name: str, scope: Scope, due: float) -> float:
    """How much of what is due is new, where a metric is also counted for what may happen outside of its request."""
    ask = OUTSIDE.get(name)
    return due if ask is None or scope.ends or not due else ask(scope, due)


def in_request() -> Scope | None:
    """The scope of the running request; None outside of one."""
    scope = _scope.get()
    return scope if scope is not None and scope.ends else None


def current() -> Scope:
    """The scope of the running request, else of this thread or task."""
    scope = _scope.get()
    # A task starts with a copy of its parent's context: a request's scope is its own too, another task's is not.
    if scope is None or (scope.owner is not None and scope.owner != _runner()):
        scope = Scope(ends=False)
        _scope.set(scope)
    return scope


def forget(name: str) -> None:
    """Start the tally of a metric anew in the running scope: its figures were reset."""
    scope = _scope.get()
    if scope is not None:
        scope.tallies.pop(name, None)


def enter(scope: Scope) -> Token[Scope | None]:
    """Make a scope the current one; give the returned token to `leave`."""
    return _scope.set(scope)


def leave(token: Token[Scope | None]) -> None:
    """Undo `enter`; called from another context (a streamed body closed elsewhere), it only ends the scope there."""
    try:
        _scope.reset(token)
    except ValueError:
        _scope.set(None)


@contextmanager
def request_scope() -> Iterator[Scope]:
    """A scope that lasts as long as the block and is closed at its end."""
    scope = Scope(ends=True)
    token = enter(scope)
    try:
        yield scope
    finally:
        leave(token)
        scope.close()


def _runner() -> tuple[int, int]:
    """What runs this code: the thread, and the task in it or 0."""
    asyncio = sys.modules.get("asyncio")  # an application without it does not pay for its import
    task = None
    if hasattr(asyncio, "current_task") and asyncio._get_running_loop() is not None:  # type: ignore[union-attr]
        task = asyncio.current_task()  # type: ignore[union-attr]
    return threading.get_ident(), 0 if task is None else id(task)
