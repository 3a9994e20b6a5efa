"""The ledger: small figures that survive a restart and are exact over workers and machines.

Fed by `quality.feedback` (who has rated which answer) and `quality.budgets` (what was spent); feeds the same. It is kept in the
Redis that REDIS_URL names, so that all machines share it, else in one SQLite file that all workers of the machine share.
The app's own Redis client is not asked: some workers may make it later than others, and all must count in one place.

Keys are made by `key_of`: they hold hashes, so no text and no user id can be read from them. Every key expires.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

from .. import _wiring, config
from .._clock import monotonic
from .._fork import at_fork
from ..semconv import attributes as a
from ..semconv.logs import PACKAGE_LOGGER

PAUSE: Final = 5.0
"""Seconds for which nobody asks an engine that has failed: a dead Redis must not slow each request."""
PATIENCE: Final = 0.25
"""Seconds that an engine may take to connect, and again to answer; and for which a thread waits for another one."""

_Result = TypeVar("_Result")
_logger = logging.getLogger(PACKAGE_LOGGER)


class LedgerUnavailable(Exception):  # noqa: N818 - a state of the ledger rather than a mistake of its caller
    """The ledger cannot be reached now. What was asked may have been done or not: callers decide what that means."""


class Addition(NamedTuple):
    """An amount to add to a sum; the sum expires so many seconds after the last addition."""

    key: str
    amount: int
    expires: float


class Tally(NamedTuple):
    """Counts of the values that are put, by value: one that moves counts less where it was. A count expires after its last change."""

    name: str
    expires: float


class Engine(Protocol):
    """Where the figures are. Any exception means that it is not available; each call ends within its patience, twice."""

    def swap(self, key: str, value: str, expires: float, tally: Tally | None = None) -> str | None:
        """Put a value and keep the tally, atomically; the value that was there."""

    def tally(self, name: str) -> dict[str, int]:
        """The counts of a tally by value."""

    def add(self, additions: Sequence[Addition]) -> list[int]:
        """Add all amounts or none; the new sums."""

    def read(self, keys: Sequence[str]) -> list[int]:
        """The sums; 0 where there is none."""

    def raise_to(self, addition: Addition) -> None:
        """Raise a sum to an amount, unless it is higher."""

    def first(self, key: str, value: str, expires: float) -> str:
        """Put a value unless there is one; the value that is there."""

    def close(self) -> None:
        """Give back what is open; the next call opens it anew."""


class Ledger:
    """An engine behind a breaker. One engine is used by one thread at a time."""

    def __init__(self, make: Callable[[], Engine], *, patience: float = PATIENCE, pause: float = PAUSE) -> None:
        self._make = make
        self._patience = patience
        self._pause = pause
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._retry_at = 0.0
        self._failed = False

    def put_if_absent_or_move(self, key: str, value: str, expires: float, tally: Tally | None = None) -> str | None:
        """Put a value under a key for `expires` seconds. Returns the value that was there, or None; two callers never see the same.

        In the same step the value counts one more in the tally, and the one that was there one less. So a caller that asks again
        after a failure counts nothing twice.

        Raises:
            LedgerUnavailable: the value may have been put or not.
        """
        return self._ask(lambda engine: engine.swap(key, value, expires, tally))

    def tally(self, name: str) -> dict[str, int]:
        """The counts of a tally by value; 0 for a value from which all have moved away.

        Raises:
            LedgerUnavailable: nothing is known.
        """
        return self._ask(lambda engine: engine.tally(name))

    def add(self, key: str, amount: int, expires: float) -> int:
        """Add to a sum, which expires so many seconds after its last addition. Returns the new sum; of a new key, the amount.

        Raises:
            LedgerUnavailable: the amount may have been added or not.
        """
        return self.add_all((Addition(key, amount, expires),))[0]

    def add_all(self, additions: Sequence[Addition]) -> list[int]:
        """Add to several sums in one step: all or none. Returns the new sums.

        Raises:
            LedgerUnavailable: all amounts may have been added, or none.
        """
        return self._ask(lambda engine: engine.add(additions)) if additions else []

    def read(self, keys: Sequence[str]) -> list[int]:
        """The sums under these keys, 0 where there is none.

        Raises:
            LedgerUnavailable: nothing is known.
        """
        return self._ask(lambda engine: engine.read(keys)) if keys else []

    def raise_to(self, key: str, amount: int, expires: float) -> None:
        """Raise a sum to an amount, unless it is higher already; it expires as by `add`.

        Raises:
            LedgerUnavailable: the sum may have been raised or not.
        """
        self._ask(lambda engine: engine.raise_to(Addition(key, amount, expires)))

    def first(self, key: str, value: str, expires: float) -> str:
        """Put a value under a key for `expires` seconds, unless there is one. Returns the one that is there: all callers see the same.

        Raises:
            LedgerUnavailable: the value may have been put or not.
        """
        return self._ask(lambda engine: engine.first(key, value, expires))

    def _ask(self, question: Callable[[Engine], _Result]) -> _Result:
        self._refuse_while_away()
        if not self._lock.acquire(timeout=self._patience):
            raise LedgerUnavailable("the ledger is busy")
        try:
            self._refuse_while_away()  # the thread that had the lock may have found it dead
            if self._engine is None:
                self._engine = self._make()
            answer = question(self._engine)
        except LedgerUnavailable:
            raise
        except Exception as error:  # any fault of the disk, the network, the server or its rights
            fault = self._give_up(error)
        else:
            self._failed = False
            return answer
        finally:
            self._lock.release()
        if not self._failed:  # told after the lock is free: logging takes locks too
            self._failed = True
            _logger.warning("%s; what this means is told by those who ask it", fault)
        raise fault

    def _refuse_while_away(self) -> None:
        if monotonic() < self._retry_at:
            raise LedgerUnavailable("the ledger did not answer a moment ago")

    def _give_up(self, error: Exception) -> LedgerUnavailable:
        self._retry_at = monotonic() + self._pause
        self._close()
        fault = LedgerUnavailable(f"the ledger of feedback and budgets cannot be used ({_kind(error)})")
        fault.__cause__ = error
        return fault

    def _close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            try:
                engine.close()
            except Exception as error:
                _logger.debug("the ledger did not close well (%s)", _kind(error))

    def close(self) -> None:
        """Give back what is open. The next question opens it anew."""
        with self._lock:
            self._close()

    def before_fork(self) -> None:
        """Close, and let no thread open it until after the fork: SQLite's open files must not be carried across one."""
        self._lock.acquire()
        self._close()

    def after_fork(self) -> None:
        """In the parent: go on."""
        self._lock.release()

    def renew(self) -> None:
        """In a forked child: nothing is open, and nobody holds the lock. A server may fork without the hook before it."""
        self._lock = threading.Lock()
        self._close()
        self._failed, self._retry_at = False, 0.0


def key_of(kind: str, *parts: str) -> str:
    """A key: what it is for, in clear, and a hash of all parts. Parts may hold user ids: they cannot be read from it."""
    told = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        told.update(len(data).to_bytes(8, "big"))  # so that "a", "bc" and "ab", "c" differ
        told.update(data)
    return f"{kind}:{told.hexdigest()[:32]}"


def _kind(error: BaseException) -> str:
    """The class of an error alone: its text may name an address with a password."""
    return type(error).__name__


def _engine(patience: float) -> Engine:
    """The engine that the settings name; imported here, so that an app without feedback does not import it."""
    settings = config.current()
    if settings.redis_url:
        from .redis_engine import RedisEngine

        return RedisEngine(settings.redis_url, _app(), patience=patience)
    from .sqlite_engine import SqliteEngine

    return SqliteEngine(Path(settings.ledger_path), patience=patience)


def _app() -> str:
    """What tells this app's figures from those of other apps in the same Redis."""
    _wiring.ensure_configured()
    attributes = _wiring.APP() or {}
    return "/".join(str(attributes.get(name, "")) for name in (a.SERVICE_NAMESPACE, a.SERVICE_NAME))


def _of_process(patience: float) -> Ledger:
    made = Ledger(lambda: _engine(patience), patience=patience)
    at_fork(__name__, before=made.before_fork, in_parent=made.after_fork, in_child=made.renew)
    return made


LEDGER: Final = _of_process(PATIENCE)
"""The ledger of this process, for what is asked on the way to an answer."""
PATIENT: Final = _of_process(2.0)
"""The same figures, for what nobody's answer waits for: a rating that fails would have to be given again."""
