"""One event counts once, whether the package saw it, the application counted it by hand, or both.

Fed by `metrics.record` and `metrics.api`; tells them how much of an event is new.

The rule, per metric and scope (a request; outside of one, a thread or task): automatic events and hand calls are
tallied separately, and the larger tally is recorded as it grows. For histograms the automatic measurement wins, and hand
observations beyond the automatic count are recorded when the request ends; outside of a request, at once.
If a thread counts for a request without the request's context, a function in `OUTSIDE` says how much of it is new.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from opentelemetry.trace import Span

MOST_WAITING: Final = 1000
"""How many hand observations per metric wait for the end of one request; further ones are recorded at once."""


class ScopeCounts:
    """The counts of one metric in one scope."""

    __slots__ = ("_lock", "auto", "hand", "waiting")

    def __init__(self) -> None:
        self._lock = threading.Lock()  # threads that a request started with its context share its scope
        self.auto = 0.0
        self.hand = 0.0
        self.waiting: list[Callable[[], None]] = []

    def add_auto(self, amount: float) -> float:
        """Tally an automatic event; return how much of it is new."""
        lock = self._lock
        lock.acquire()
        try:
            before = self.auto
            self.auto = after = before + amount
            return amount if before >= self.hand else max(after - self.hand, 0.0)
        finally:
            lock.release()

    def measured(self) -> None:
        """Tally one automatic measurement. It is always recorded, so nothing is returned."""
        lock = self._lock
        lock.acquire()
        try:
            self.auto += 1.0
        finally:
            lock.release()

    def add_hand(self, amount: float) -> float:
        """Tally a hand call; return how much of it is new."""
        lock = self._lock
        lock.acquire()
        try:
            before = self.hand
            self.hand = after = before + amount
            return amount if before >= self.auto else max(after - self.auto, 0.0)
        finally:
            lock.release()


class Ending(Protocol):
    """An object that is told of the end of a scope."""

    def close(self) -> None:
        """The scope has ended."""


class Scope:
    """The tallies of a request, a thread or a task. `ends` says that `close` will be called."""

    __slots__ = ("documents", "ends", "entrusted", "keys", "owner", "span", "tallies", "turn")

    def __init__(self, *, ends: bool) -> None:
        self.ends = ends
        self.owner = None if ends else _runner()
        self.tallies: dict[str, ScopeCounts] = {}
        self.entrusted = 0.0
        """When the request first gave work to another thread; 0 if it has not."""
        self.documents: object = None
        """The notes of MongoDB's instrumentation on documents that were read and written."""
        self.keys: Ending | None = None
        """The notes of Redis's instrumentation on keys that were read and written; it counts when the scope ends."""
        self.span: Span | None = None
        """The span of the request, once it has begun."""
        self.turn: object = None
        """The data of `instrumentation.common.chat_turn` about the request's chat turn."""

    def tally(self, name: str) -> ScopeCounts:
        """The tally of a metric, by its OpenTelemetry name."""
        tallies = self.tallies
        return tallies[name] if name in tallies else tallies.setdefault(name, ScopeCounts())

    def observe(self, name: str, record: Callable[[], None]) -> None:
        """Take a hand observation: `record` is called now, at the end of the request, or never."""
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
"""Functions by metric: each says how much of an event outside of any running request is new."""


def new_outside(name: str, scope: Scope, due: float) -> float:
    """How much of `due` is new, for a metric whose events may also be counted outside of their request."""
    ask = OUTSIDE.get(name)
    return due if ask is None or scope.ends or not due else ask(scope, due)


def in_request() -> Scope | None:
    """The scope of the running request; None outside of one."""
    scope = _scope.get()
    return scope if scope is not None and scope.ends else None


def current() -> Scope:
    """The scope of the running request, else of this thread or task."""
    scope = _scope.get()
    # A task starts with a copy of its parent's context: it shares the scope of a request, but not that of another task.
    if scope is None or (scope.owner is not None and scope.owner != _runner()):
        scope = Scope(ends=False)
        _scope.set(scope)
    return scope


def forget(name: str) -> None:
    """Start the tally of a metric again in the running scope: its figures were reset."""
    scope = _scope.get()
    if scope is not None:
        scope.tallies.pop(name, None)


def enter(scope: Scope) -> Token[Scope | None]:
    """Make a scope the current one; give the returned token to `leave`."""
    return _scope.set(scope)


def leave(token: Token[Scope | None]) -> None:
    """Undo `enter`; if it is called from another context (a streamed body closed elsewhere), it only ends the scope there."""
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
    """The thread that runs this code, and the task in it, or 0."""
    asyncio = sys.modules.get("asyncio")  # not imported here: an application without asyncio should not pay for the import
    task = None
    if hasattr(asyncio, "current_task") and asyncio._get_running_loop() is not None:  # type: ignore[union-attr]
        task = asyncio.current_task()  # type: ignore[union-attr]
    return threading.get_ident(), 0 if task is None else id(task)
