"""The address that the connections of a Redis pool go to, and the pool's name, which is made of it.

Fed by redis-py's pools; feeds the spans and figures of Redis and the cache's size.
"""

from __future__ import annotations

import functools
from typing import Any, Final

Address = tuple[str | None, int | None, str | None]
"""Host or path (None if not known yet), port (None with a path), and database index."""

_HOST: Final = "localhost"
_PORT: Final = 6379
"""redis-py's defaults."""


def pool_name(pool: Any) -> str:
    """A pool's name: `host:port/db`, a socket's path, or the name of a service that Sentinels know; never a credential."""
    return connection_name(getattr(pool, "service_name", None), pool.connection_kwargs)


def address(pool: Any) -> Address:
    """Host (or path, with no port) and database index of a pool's connections.

    The host is None if Sentinels know it and have not been asked yet.
    """
    connection = pool.connection_kwargs
    if "connection_pool" not in connection:
        return _place(connection)
    db = str(connection.get("db") or 0)
    # A pool of redis.sentinel, sync or asyncio. Its master may move, so the pool is asked each time.
    master = getattr(pool, "master_address", None)
    return (str(master[0]), int(master[1]), db) if master else (None, None, db)


def _place(connection: dict[str, Any]) -> tuple[str, int | None, str]:
    get = connection.get
    host, port, db, path = get("host"), get("port"), get("db"), get("path")
    try:
        return _told(host, port, db, path)
    except TypeError:  # an argument that cannot be hashed
        return _told(str(host) if host else None, int(port or 0), str(db or 0), str(path) if path else None)


@functools.lru_cache(maxsize=256, typed=True)
def _told(host: Any, port: Any, db: Any, path: Any) -> tuple[str, int | None, str]:
    """The address of a connection with these arguments; kept, because each command asks for the same few."""
    if path:
        return str(path), None, str(db or 0)
    return str(host or _HOST), int(port or _PORT), str(db or 0)


def connection_name(service: str | None, connection: dict[str, Any]) -> str:
    """The name of the pool to which a connection with these arguments belongs; `service` is what Sentinels know."""
    host, port, db = _place(connection)
    return f"{service or host}/{db}" if service or port is None else f"{host}:{port}/{db}"
