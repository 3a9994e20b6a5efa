"""Ask MongoDB and Redis once, as the service would; run with the service's Python and environment by `checks.databases`.

Prints one line per database. Exit code 1 if MongoDB does not answer: without it the service cannot work, without Redis it can.
"""

from __future__ import annotations

import os
import sys
import time


def mongodb(uri: str) -> str:
    """A read, which also tests the rights that a ping does not need."""
    from typing import Any

    from pymongo import MongoClient

    started = time.monotonic()
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=5000, connectTimeoutMS=5000, socketTimeoutMS=5000) as client:
        client.get_default_database("chatbot").list_collection_names(maxTimeMS=5000)
    return f"MongoDB answered in {(time.monotonic() - started) * 1000:.0f} ms"


def redis(url: str) -> str:
    """A ping."""
    from redis import Redis

    started = time.monotonic()
    client = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2)
    client.ping()
    client.close()
    return f"Redis in {(time.monotonic() - started) * 1000:.0f} ms"


def main() -> int:
    """Ask each database that is configured."""
    uri, url = os.environ.get("MONGODB_URI"), os.environ.get("REDIS_URL")
    try:
        print(mongodb(uri) if uri else "MONGODB_URI is not set: nothing to ask")
    except Exception as error:
        reason = str(error).partition(", Timeout:")[0]
        print(f"MongoDB does not answer: {type(error).__name__}: {reason}")
        return 1
    if url:
        try:
            print(redis(url))
        except Exception as error:
            print(f"Redis does not answer ({type(error).__name__}): the service will work without its cache")
    return 0


if __name__ == "__main__":
    sys.exit(main())
