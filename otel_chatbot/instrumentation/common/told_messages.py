"""Counts the messages of chat turns that store none: the model's answer shows that there were some, once per turn.

Fed by `chat_turn` (a request has ended, or later a model call of it); feeds the two counters of messages. The rule is in the
documentation under "Where nothing is stored".

A request may leave the storing of its messages to another thread. So it is noted when a request gives work to a thread
(`Thread.start` and `ThreadPoolExecutor.submit` are wrapped). Messages that threads store within a minute are compared with
those that such requests have counted, and the larger number counts.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from ... import config
from ..._clock import monotonic
from ..._fork import at_fork
from ...metrics import deduplication, record
from ...metrics.deduplication import OUTSIDE, Scope
from ...semconv import metrics as m
from .patching import Method, Patches

if TYPE_CHECKING:
    from .chat_turn import ChatTurn

KEPT: Final = 60.0
"""Seconds within which a thread is expected to store the messages of a request."""
_MOST: Final = 1000
_MESSAGES: Final = (m.MESSAGES_SENT, m.MESSAGES_RECEIVED)
_NAMES: Final = (m.MESSAGES_SENT.name, m.MESSAGES_RECEIVED.name)


class HandedToThreads:
    """Work that requests gave to threads: turns whose messages are counted, and messages that threads have stored before."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start anew, as in a forked child."""
        self._lock = threading.Lock()
        self._latest = float("-inf")
        self._turns: deque[tuple[float, ChatTurn]] = deque(maxlen=_MOST)
        self._stored: dict[str, deque[float]] = {spec.name: deque(maxlen=_MOST) for spec in _MESSAGES}

    def note(self, scope: Scope) -> None:
        """A running request gives work to another thread."""
        if not scope.entrusted:
            scope.entrusted = self._latest = monotonic()

    def promise(self, turn: ChatTurn) -> None:
        """Note a turn whose messages are counted, and which a thread may still store."""
        with self._lock:
            self._turns.append((monotonic(), turn))

    def was_stored(self, name: str, since: float) -> bool:
        """Take a message that a thread has stored since then, for this turn; False if there is none."""
        with self._lock:
            stored = self._stored[name]
            while stored and stored[0] < monotonic() - KEPT:
                stored.popleft()
            if not stored or stored[-1] < since:
                return False
            stored.pop()
            return True

    def store(self, name: str, amount: float) -> float:
        """A thread stores messages outside of a request: return how many of them are not counted yet."""
        now = monotonic()
        with self._lock:
            while self._turns and (self._turns[0][0] < now - KEPT or not self._turns[0][1].told):
                self._turns.popleft()
            for _, turn in self._turns:
                amount = _take(turn, name, amount)
                if not amount:
                    return 0.0
            if self._latest > now - KEPT:
                self._stored[name].extend([now] * min(int(amount), _MOST))
        return amount


ENTRUSTED: Final = HandedToThreads()


def tell(scope: Scope, turn: ChatTurn, turns: int) -> None:
    """A request with answers of models is over: count so many messages and answers, unless it has stored some itself."""
    if turn.stores or turn.told or not turn.well or not turns or m.MESSAGES_FROM_MODEL in config.current().auto_off:
        return
    sent, received = map(scope.tallies.get, _NAMES)
    if (sent is not None and sent.auto) or (received is not None and received.auto):
        return
    for spec, tally in zip(_MESSAGES, (sent, received), strict=True):
        if tally is not None and tally.hand:
            continue
        if scope.entrusted and ENTRUSTED.was_stored(spec.name, scope.entrusted):
            continue
        told = record.count_in(scope, spec, turns)
        if told:
            turn.told[spec.name] = told
    if scope.entrusted and turn.told:
        ENTRUSTED.promise(turn)


def _take(turn: ChatTurn, name: str, amount: float) -> float:
    """Set these stored messages off against those that the turn has counted; return how many remain."""
    told = turn.told.get(name, 0.0)
    taken = min(told, amount)
    if taken:
        turn.told[name] = told - taken
        if not any(turn.told.values()):
            turn.told = {}
    return amount - taken


def _outside(name: str) -> None:
    def ask(scope: Scope, due: float) -> float:
        turn = scope.turn
        if turn is not None:  # the context of a request that is over
            due = _take(turn, name, due)  # type: ignore[arg-type]
        if not due or threading.current_thread() is threading.main_thread():
            return due
        return ENTRUSTED.store(name, due)

    OUTSIDE[name] = ask


for _spec in _MESSAGES:
    _outside(_spec.name)


def watch(patches: Patches) -> None:
    """Notice when a request gives work to another thread."""
    patches.wrap(threading.Thread, "start", _giving)
    patches.wrap(ThreadPoolExecutor, "submit", _giving)


def _giving(original: Method) -> Method:
    def give(*args: object, **kwargs: object) -> object:
        scope = deduplication.in_request()
        if scope is not None and not scope.entrusted:
            ENTRUSTED.note(scope)
        return original(*args, **kwargs)

    return give


at_fork(__name__, in_child=ENTRUSTED.renew)
