"""The same distinct ids over several machines, in sorted sets of the app's Redis.

Fed by `instrumentation.active.gauges`; feeds the gauges of active users and conversations where there is a Redis.

A separate thread sends new ids at most once per second, and asks how many there are. No request waits for Redis. Keys begin
with `otel_chatbot:` and always expire. Members are digests, keyed with a random key that Redis keeps, so that all machines
make the same digest of an id. The ids themselves never leave this process.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..._clock import monotonic
from ...metrics.record import own_traffic
from ...semconv.logs import PACKAGE_LOGGER

PREFIX: Final = "otel_chatbot:active:"
_KEY: Final = PREFIX + "key"
_PAUSE: Final = 1.0
_AFTER_FAILURE: Final = 10.0
_MOST_WAITING: Final = 20_000
_FRESH: Final = 1.0
_PATIENCE: Final = 0.25
"""Seconds for which a view waits for a fresh count. After that the last count is used."""

_logger = logging.getLogger(PACKAGE_LOGGER)


@dataclass(eq=False)
class ActiveInRedis:
    """Ids that wait to be sent to Redis, and its last counts. `connect` makes our own client; None if there is no Redis."""

    kinds: tuple[str, ...]
    window: float
    connect: Callable[[], Any]
    wanted: Callable[[], bool]

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start empty: after a fork there is no thread, and the parent sends the ids that wait."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting: dict[str, dict[str, float]] = {kind: {} for kind in self.kinds}
        self._asked = False
        self._thread: threading.Thread | None = None
        self._counts: Mapping[str, int] = {}
        self._counted_at = 0.0
        self._retry_at = 0.0
        self._client: Any = None
        self._failed = False

    def offer(self, kind: str, text: str, now: float) -> None:
        """Send an id soon. It was seen at `now` (monotonic). Does nothing without a Redis, or if too many ids wait."""
        if not self.wanted():
            return
        with self._changed:
            waiting = self._waiting[kind]
            if len(waiting) < _MOST_WAITING or text in waiting:
                waiting[text] = now
            self._wake()

    def count(self, kind: str) -> int:
        """How many distinct ids Redis knows within the window; 0 if its last answer is older than the window."""
        if not self.wanted():
            return 0
        with self._changed:
            now = monotonic()
            if now - self._counted_at > _FRESH and now >= self._retry_at:
                before = self._counted_at
                self._asked = True
                self._wake()
                self._changed.wait_for(lambda: self._counted_at != before or self._retry_at > now, _PATIENCE)
            return self._counts.get(kind, 0) if monotonic() - self._counted_at < self.window else 0

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="otel_chatbot-active", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asked or any(self._waiting.values()))
                batch, self._waiting = self._waiting, {kind: {} for kind in self.kinds}
                self._asked = False
            try:
                with own_traffic():
                    counts = self._exchange(batch)
                pause, self._failed = _PAUSE, False
            except Exception as error:  # any fault of the network, the server or its rights
                counts, pause = None, _AFTER_FAILURE
                self._give_up(error)
            with self._changed:
                now = monotonic()
                self._retry_at = now + pause if counts is None else 0.0
                if counts is not None:
                    self._counts, self._counted_at = counts, now
                self._changed.notify_all()
            time.sleep(pause)

    def _give_up(self, error: Exception) -> None:
        self._client = None
        if not self._failed:
            self._failed = True
            _logger.warning(
                "active users and conversations are counted on this machine only: Redis does not answer (%s)",
                type(error).__name__,
            )

    def _exchange(self, batch: Mapping[str, Mapping[str, float]]) -> dict[str, int] | None:
        """Send the ids that came in, drop the expired ones, and ask for the counts."""
        if self._client is None:
            self._client = self.connect()
        client = self._client
        if client is None:
            return None
        here, now = monotonic(), _time_of(client)
        lifetime = int(self.window * 10) + 3600
        client.set(_KEY, secrets.token_hex(32), nx=True, ex=lifetime)
        client.expire(_KEY, lifetime)
        key = client.get(_KEY)
        key = key.encode() if isinstance(key, str) else key
        counts = {}
        for kind, ids in batch.items():
            name = PREFIX + kind
            if ids:
                client.zadd(name, {_digest(key, text): now - (here - seen) for text, seen in ids.items()})
                client.expire(name, int(self.window) + 60)
            client.zremrangebyscore(name, "-inf", now - self.window)
            counts[kind] = int(client.zcount(name, f"({now - self.window}", "+inf"))
        return counts


def _time_of(client: Any) -> float:
    """Redis's own time. The clocks of the machines may differ, and somebody may set them."""
    seconds, micros = client.time()
    return float(seconds) + float(micros) / 1e6


def _digest(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256")[:12].hex()
