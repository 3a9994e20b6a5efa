"""The one sender of a spool: it posts the payloads in order, until the endpoint takes or refuses them.

Fed by `distro.delivery.spool`; feeds the collector through `distro.delivery.otlp`. A file lock elects the process that sends
among those that share the spool. The thread starts with the first payload of a process. No request thread waits in here.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from ..._clock import monotonic
from ..._fork import at_fork
from ..._guard import never_raise, report
from ...metrics.record import dropped, put
from ...semconv import metrics as m
from ...semconv.attributes import DropReason, Signal
from ..process.fork_safety import IMPORTS, await_imports, forget_lock, late_lock
from ..process.servers import too_early
from .otlp import Answer, Target, Verdict, count_items
from .sender_lock import SenderLock
from .spool import CorruptError, Payload, Spool, UnknownFormatError, signal_of

_POLL_SECONDS: Final = 0.25  # how often it looks for other processes' payloads; its own ones wake it
_IDLE_POLL_SECONDS: Final = 3.0
"""The same, if no other process has written anything for `_IDLE_AFTER`."""
_IDLE_AFTER: Final = 30.0
_FULL_LOOK_SECONDS: Final = 10.0  # of an idle sender, even if the folder's time says that no file has come or gone
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0
_WARN_EVERY: Final = 300.0
_HANDOVER_SECONDS: Final = 0.5
_SWEEP_EVERY: Final = 60.0
_LOOK_SHARE: Final = 20
"""Listing the files takes at most about a twentieth of the time."""

_logger = logging.getLogger("otel_chatbot")


class BackOff:
    """How long a signal waits after failures: doubling, with jitter, or as long as the endpoint asked for."""

    def __init__(self, draw: Callable[[float, float], float] = random.uniform) -> None:
        self._draw = draw
        self._failures = 0
        self.until = 0.0

    def failed(self, now: float, asked: float | None = None) -> float:
        """Note a failure; return the seconds to wait."""
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * float(2**self._failures)) * self._draw(0.5, 1.5)
        self._failures = min(self._failures + 1, 16)
        wait = max(wait, min(asked, 3600.0)) if asked is not None else wait
        self.until = now + wait
        return wait

    def succeeded(self) -> None:
        """Note a success."""
        self._failures, self.until = 0, 0.0


class Sender:
    """Posts what is in a spool. `targets` says where each signal goes."""

    def __init__(self, spool: Spool, targets: Mapping[Signal, Target]) -> None:
        self._spool = spool
        self._targets = targets
        self._lock = SenderLock(spool.folder)
        self.lingers = True
        """Whether a process that ends waits until the sender, in another process, has sent its payloads."""
        self._reset()
        at_fork(__name__, in_child=self._reset)

    def _reset(self) -> None:
        forget_lock(self)
        self._thread: threading.Thread | None = None
        self._wake: threading.Event | None = None
        self._ended: threading.Event | None = None
        self._deadline: float | None = None
        self._back_off = {signal: BackOff() for signal in Signal}
        self._warned: dict[str, float] = {}
        self._failing = False
        self._left_alone: set[str] = set()
        """Names of files that are not to be sent: they cannot be read here, or were sent and could not be removed."""
        self._next_look = self._next_sweep = 0.0
        self._worked = monotonic() - _IDLE_AFTER
        """When another process had something to send last, by the clock of `monotonic`."""
        self._stamp = 0
        """The spool's `stamp` before its last listing."""
        self._lock.release()

    def prepare(self) -> None:
        """Import what sending needs. At exit it would be too late: an import then turns Ctrl-C's exit status into 1."""
        with IMPORTS:
            for target in self._targets.values():
                target.prepare()

    def wake(self) -> None:
        """A payload was written: start this process's thread unless it runs, and wake it. A master leaves it to its workers."""
        if self._thread is None and self._deadline is None and not too_early():
            with late_lock(self):
                if self._thread is None:
                    self._start()
        if self._wake is not None:
            self._wake.set()

    def _start(self) -> None:
        wake, ended = threading.Event(), threading.Event()
        thread = threading.Thread(target=self._run, args=(wake, ended), name="otel-chatbot-sender", daemon=True)
        # An interpreter that is shutting down starts no thread: then the last round runs on the caller's.
        with contextlib.suppress(RuntimeError):
            thread.start()
            self._wake, self._ended, self._thread = wake, ended, thread

    def flush(self, deadline: float) -> None:
        """Wait until this process's payloads are sent, here or by another process; do not wait if the endpoint takes none."""
        if self._wake is not None:
            end = deadline if self._lock.held else min(deadline, monotonic() + _HANDOVER_SECONDS)
            while not self._failing and monotonic() < end and self._spool.mine():
                self._wake.set()
                time.sleep(0.02)

    def begin_shutdown(self) -> None:
        """Nothing yet: the exporters still write."""

    def finish_shutdown(self, deadline: float) -> None:
        """Send until `deadline` (of `time.monotonic`); the rest stays on disk for another process or a later run."""
        self._deadline = deadline
        if self._wake is not None and self._ended is not None:
            self._wake.set()
            self._ended.wait(max(0.0, deadline - monotonic()))
        else:
            self._end(deadline)

    def _end(self, deadline: float) -> None:
        """Send a last time, then give up the lock. Not earlier: another process would send again what is on its way."""
        self._last_round(deadline)
        self._lock.release()
        for target in self._targets.values():
            target.close()

    def send_all(self) -> bool:
        """Send everything now, on this thread; False when another process is the sender or an endpoint did not take it."""
        if not self._lock.take():
            return False
        try:
            self._round()
        finally:
            self._lock.release()
        return not self._spool.files()

    def abandon(self) -> None:
        """Send nothing more; what is on disk stays there."""
        self._deadline = monotonic()
        if self._wake is not None:
            self._wake.set()

    def _run(self, wake: threading.Event, ended: threading.Event) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        await_imports()
        never_raise(self.prepare)()
        while self._deadline is None:
            self._guarded_round()
            self._wait(wake)
        self._end(self._deadline)
        ended.set()

    def _wait(self, wake: threading.Event) -> None:
        """Wait until there may be something to send: a look at the folder's time is cheap, a round is not."""
        pause = self._pause()
        full_look = monotonic() + (_FULL_LOOK_SECONDS if self._lock.held and pause == _IDLE_POLL_SECONDS else pause)
        while not wake.wait(pause) and monotonic() < full_look and self._stamp and self._spool.stamp() == self._stamp:
            pass
        wake.clear()

    def _pause(self) -> float:
        """How long to wait for work: longer if there was none for a while and no payload waits for another attempt."""
        if any(back_off.until for back_off in self._back_off.values()) or monotonic() - self._worked < _IDLE_AFTER:
            return _POLL_SECONDS
        return _IDLE_POLL_SECONDS

    def _guarded_round(self) -> None:
        try:
            if self._lock.take():
                self._round()
        except OSError as error:
            self.warn("spool", f"the spool {self._spool.folder} cannot be used ({error.strerror or error})")
        except Exception as error:
            report("sending telemetry", error)

    def _last_round(self, deadline: float) -> None:
        # The sender in another process sends our payloads, unless it is just ending too: then its lock becomes free.
        handover = min(deadline, monotonic() + (_HANDOVER_SECONDS if self.lingers else 0.0))
        while not self._failing and monotonic() < deadline and self._spool.mine():
            self._guarded_round()
            if monotonic() >= handover:
                return
            time.sleep(0.02)

    def _round(self) -> None:
        """One pass over the spool, oldest first; a signal that fails keeps its order and waits."""
        put(m.SPOOL_SIZE, float(self._spool.used()))
        now = monotonic()
        waiting = {signal for signal, back_off in self._back_off.items() if back_off.until > now}
        if len(waiting) == len(Signal) or (now < self._next_look and self._deadline is None):
            return
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP_EVERY
            self._spool.sweep()
        for path in self._look():
            signal = signal_of(path)
            if signal not in waiting and not self._over():
                payload = self._load(path)
                if payload is not None and not self._send(path, payload):
                    waiting.add(signal)

    def _look(self) -> list[Path]:
        """The files to send. After a long outage there are many, so the pause until the next listing grows with its cost."""
        began = monotonic()
        self._stamp = self._spool.stamp()
        found = self._spool.files()
        ended = monotonic()
        self._next_look = ended + _LOOK_SHARE * (ended - began)
        self._left_alone.intersection_update(path.name for path in found)
        ours = [path for path in found if path.name not in self._left_alone]
        if any(not self._spool.is_mine(path) for path in ours):
            self._worked = ended
        return ours

    def _over(self) -> bool:
        return self._deadline is not None and monotonic() >= self._deadline

    def _load(self, path: Path) -> Payload | None:
        try:
            return self._spool.read(path)
        except FileNotFoundError:
            return None
        except UnknownFormatError as error:
            self._left_alone.add(path.name)
            self.warn(
                "format",
                f"{path} is of format {error}, written by a later version of the package; only that version can send it",
            )
        except CorruptError as error:
            self._set_aside(path, error)
        return None

    def _set_aside(self, path: Path, error: CorruptError) -> None:
        dropped(signal_of(path), DropReason.CORRUPT)
        try:
            where = f"was set aside in {self._spool.set_aside(path).parent}"
        except OSError as obstacle:
            self._left_alone.add(path.name)
            where = f"cannot be set aside ({obstacle.strerror or obstacle})"
        self.warn("corrupt", f"telemetry in {path.name} cannot be read ({error}); it {where} and is counted")

    def _send(self, path: Path, payload: Payload) -> bool:
        target = self._targets[payload.signal]
        limit = None if self._deadline is None else max(0.1, self._deadline - monotonic())
        answer = target.post(payload, limit)
        if answer.verdict is Verdict.LATER:
            self._failed(target, answer)
            return False
        if not self._spool.remove(path):
            self._left_alone.add(path.name)  # not to be sent again and again
        self._back_off[payload.signal].succeeded()
        self._recovered(target)
        if answer.verdict is Verdict.REFUSED:
            dropped(payload.signal, DropReason.REJECTED, count_items(payload))
            line = f"{target.shown} refused {payload.signal.value} ({answer.reason}); they are dropped and counted"
            self.warn("rejected", line)
        elif answer.rejected:
            dropped(payload.signal, DropReason.REJECTED, answer.rejected)
            self.warn("rejected", f"{target.shown} rejected {answer.rejected} of its {payload.signal.value}; they are counted")
        return True

    def _failed(self, target: Target, answer: Answer) -> None:
        self._back_off[target.signal].failed(monotonic(), answer.wait)
        self._failing = True
        line = f"{target.shown} does not take {target.signal.value} ({answer.reason}); telemetry is kept in "
        self.warn("endpoint", f"{line}{self._spool.folder} and sent when it does")

    def _recovered(self, target: Target) -> None:
        if self._failing and all(not back_off.until for back_off in self._back_off.values()):
            self._failing = False
            _logger.info("%s takes telemetry again", target.shown)

    def warn(self, kind: str, line: str) -> None:
        """Log a warning: the first of its kind, then at most one per five minutes."""
        now = monotonic()
        if now - self._warned.get(kind, -_WARN_EVERY) >= _WARN_EVERY:
            self._warned[kind] = now
            _logger.warning(line)
