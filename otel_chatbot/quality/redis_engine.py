"""The ledger's figures in a Redis, shared by all machines of an app.

Fed by `quality.ledger`; feeds the Redis that REDIS_URL names. Keys begin with `otel_chatbot:ledger:` and the app, and always
expire. Each question is one transaction of plain commands, which any version and any restricted user of Redis may run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from ..health.redis_connection import own_redis
from ..metrics.record import own_traffic
from .ledger import PATIENCE, Addition, key_of

PREFIX: Final = "otel_chatbot:"


class RedisEngine:
    """The figures of `app` in the Redis at `url`. It connects at the first question."""

    def __init__(self, url: str, app: str, *, patience: float = PATIENCE) -> None:
        self._client: Any = own_redis(None, url, patience)
        self._prefix = PREFIX + key_of("ledger", app) + ":"

    def swap(self, key: str, value: str, expires: float) -> str | None:
        """See `Engine`. GETSET works in every version; SET with GET needs Redis 6.2."""
        with own_traffic(), self._client.pipeline(transaction=True) as both:
            both.getset(self._prefix + key, value)
            both.pexpire(self._prefix + key, _milliseconds(expires))
            before = both.execute()[0]
        return before.decode() if isinstance(before, bytes) else before

    def add(self, additions: Sequence[Addition]) -> list[int]:
        """See `Engine`."""
        with own_traffic(), self._client.pipeline(transaction=True) as all_of_them:
            for key, amount, expires in additions:
                all_of_them.incrby(self._prefix + key, amount)
                all_of_them.pexpire(self._prefix + key, _milliseconds(expires))
            return [int(answer) for answer in all_of_them.execute()[::2]]

    def read(self, keys: Sequence[str]) -> list[int]:
        """See `Engine`."""
        with own_traffic():
            return [int(found or 0) for found in self._client.mget([self._prefix + key for key in keys])]

    def raise_to(self, addition: Addition) -> None:
        """See `Engine`. It watches the key rather than runs a script, which many a Redis allows to nobody."""
        name = self._prefix + addition.key

        def raised(pipe: Any) -> None:
            before = int(pipe.get(name) or 0)
            pipe.multi()
            if before < addition.amount:
                pipe.set(name, addition.amount, px=_milliseconds(addition.expires))

        with own_traffic():
            self._client.transaction(raised, name)

    def first(self, key: str, value: str, expires: float) -> str:
        """See `Engine`."""
        with own_traffic(), self._client.pipeline(transaction=True) as both:
            both.set(self._prefix + key, value, px=_milliseconds(expires), nx=True)
            both.get(self._prefix + key)
            there = both.execute()[1]
        return there.decode() if isinstance(there, bytes) else str(there)

    def close(self) -> None:
        """See `Engine`."""
        self._client.close()


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))
