"""MongoDB and Redis: whether they answer the app's own addresses.

Fed by MONGODB_URI and REDIS_URL; feeds `doctor.command`. Addresses are shown without user and password.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ... import config
from ..._clock import monotonic
from .findings import Finding, failed, well

_SECONDS = 3.0
_USER = re.compile(r"(?<=://)[^/@\s]+@")


def servers() -> Iterator[Finding]:
    """One finding each, where an address is set."""
    settings = config.current()
    for name, variable, address, ask in (
        ("mongodb", "MONGODB_URI", settings.mongodb_uri, _mongodb),
        ("redis", "REDIS_URL", settings.redis_url, _redis),
    ):
        if not address:
            yield well(name, f"{variable} is not set: not asked")
            continue
        shown = _USER.sub("", address).partition("?")[0]
        started = monotonic()
        try:
            ask(address)
        except Exception as error:
            reason = _USER.sub("", str(error)).replace(address, shown)[:200]
            yield failed(
                name,
                f"{shown} does not answer: {type(error).__name__}: {reason}",
                f"see whether it runs; it is set by {variable}",
            )
        else:
            yield well(name, f"{shown} answered in {(monotonic() - started) * 1000:.0f} ms")


def _mongodb(uri: str) -> None:
    from pymongo import MongoClient

    milliseconds = int(_SECONDS * 1000)
    with MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=milliseconds, connectTimeoutMS=milliseconds) as client:
        client.admin.command("ping")


def _redis(url: str) -> None:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = Redis.from_url(url, socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS, retry=Retry(NoBackoff(), 0))
    try:
        client.ping()
    finally:
        client.close()
