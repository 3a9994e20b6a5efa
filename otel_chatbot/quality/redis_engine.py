"""The ledger's figures in a Redis, shared by all machines of an app.

Fed by `quality.ledger`; feeds the Redis that REDIS_URL names. Keys begin with `otel_chatbot:ledger:` and the app, and always
expire. What is written is written in one transaction of plain commands, which any version and any restricted user of Redis may run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import redis
from redis.exceptions import WatchError

from ..health.redis_connection import own_redis
from ..metrics.record import own_traffic
from .ledger import PATIENCE, Addition, Tally, key_of

PREFIX: Final = "otel_chatbot:"
_TRIES: Final = 20
"""How often a swap is tried while others change the same key."""


class RedisEngine:
    """The figures of `app` in the Redis at `url`. It connects at the first question."""

    def __init__(self, url: str, app: str, *, patience: float = PATIENCE) -> None:
        self._client: Any = own_redis(None, url, patience)
        self._reading: Any = None
        self._prefix = PREFIX + key_of("ledger", app) + ":"

    def swap(self, key: str, value: str, expires: float, tally: Tally | None = None) -> str | None:
        """See `Engine`. If two callers swap one key at the same moment, one of them does it again: WATCH tells."""
        place = self._prefix + key
        with own_traffic(), self._client.pipeline(transaction=True) as both:
            for _ in range(_TRIES):
                try:
                    both.watch(place)
                    before = _text(both.get(place))
                    both.multi()
                    both.set(place, value, px=_milliseconds(expires))
                    if tally is not None and before != value:
                        self._count(both, tally, value, 1)
                        if before is not None:
                            self._count(both, tally, before, -1)
                    both.execute()
                except WatchError:
                    continue
                return before
        raise WatchError(f"another caller has changed the key {_TRIES} times")

    def _count(self, transaction: Any, tally: Tally, value: str, amount: int) -> None:
        index, expires = self._prefix + f"tally:{tally.name}", _milliseconds(tally.expires)
        transaction.incrby(f"{index}:{value}", amount)
        transaction.pexpire(f"{index}:{value}", expires)
        transaction.sadd(index, value)
        transaction.pexpire(index, expires)

    def tally(self, name: str) -> dict[str, int]:
        """See `Engine`. Values whose counts have expired leave the index."""
        index = self._prefix + f"tally:{name}"
        with own_traffic():
            values = sorted(filter(None, map(_text, self._client.smembers(index))))
            counts = self._client.mget([f"{index}:{value}" for value in values]) if values else []
            gone = [value for value, count in zip(values, counts, strict=True) if count is None]
            if gone:
                self._client.srem(index, *gone)
        return {value: int(count) for value, count in zip(values, counts, strict=True) if count is not None}

    def add(self, additions: Sequence[Addition]) -> list[int]:
        """See `Engine`."""
        with own_traffic(), self._client.pipeline(transaction=True) as all_of_them:
            for key, amount, expires in additions:
                all_of_them.incrby(self._prefix + key, amount)
                all_of_them.pexpire(self._prefix + key, _milliseconds(expires))
            return [int(answer) for answer in all_of_them.execute()[::2]]

    def read(self, keys: Sequence[str]) -> list[int]:
        """See `Engine`. It is asked before each model call: a client's way to its connection would cost more than the question."""
        connection = self._reading
        if connection is None:
            client_class: Any = redis.Redis
            with own_traffic():
                client = client_class(connection_pool=self._client.connection_pool, single_connection_client=True)
            connection = self._reading = client.connection
        elif _is_closed(connection):
            with own_traffic():
                connection.disconnect()
                connection.connect()
        connection.send_command("MGET", *[self._prefix + key for key in keys])
        return [int(found or 0) for found in connection.read_response()]

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


def _is_closed(connection: Any) -> bool:
    """Whether the server has closed a connection meanwhile. Nothing was asked, so nothing else can have come.

    Each version of redis-py says so in one of two ways; its pool looks in the same way (redis/connection.py, get_connection).
    """
    try:
        return bool(connection.can_read())
    except (redis.ConnectionError, OSError):
        return True


def _text(found: bytes | str | None) -> str | None:
    """An answer of Redis as text, whatever the address says of decoding."""
    return found.decode() if isinstance(found, bytes) else found


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))
