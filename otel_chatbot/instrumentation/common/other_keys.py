"""Keys that libraries keep in a cache's server, and that are not the application's cache: one row per library.

Used for the figures of reads (`redis.reads`, `cachelib`) and for `cache_size`. The keys that are never a chat are used by
`redis.reads` and `redis.writes`.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ... import config


class Row(NamedTuple):
    """The keys of one library."""

    library: str
    prefixes: tuple[str, ...]
    reason: str
    suffixes: tuple[str, ...] = ()
    chats: bool = False
    """Whether an application may keep chats under such names, too."""


OWN_KEYS: Final = "otel_chatbot:"
"""The prefix of the package's own keys."""

TABLE: Final = (
    Row("otel-chatbot", (OWN_KEYS,), "the package's own"),
    Row("flask-session", ("session:",), "a session is read in every request", chats=True),
    Row("flask-limiter", ("LIMITER", "LIMITS:", "LIMITS/"), "counters of requests"),
    Row("celery, kombu", ("_kombu.", "unacked", "celery-task-meta-", "celery-taskset-meta-"), "tasks and their results"),
    Row("rq", ("rq:",), "jobs and queues"),
    Row("arq", ("arq:",), "jobs and their results"),
    Row("dramatiq", ("dramatiq:", "dramatiq-results:"), "messages of tasks and their results"),
    Row("huey", ("huey.",), "tasks and their results"),
    Row("apscheduler", ("apscheduler.",), "jobs"),
    Row("flask-caching", (), "versions of memoized functions, read before each of their values", ("_memver",), chats=True),
)
EXACT: Final = frozenset({"celery", b"celery"})
"""The whole name of celery's queue."""


def _both(texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    return texts, tuple(text.encode() for text in texts)


_PREFIXES: Final = _both(tuple(prefix for row in TABLE for prefix in row.prefixes))
_SUFFIXES: Final = _both(tuple(suffix for row in TABLE for suffix in row.suffixes))
_NEVER_CHATS: Final = _both(tuple(prefix for row in TABLE if not row.chats for prefix in row.prefixes))


def is_cache(key: Any) -> bool:
    """Whether a key may be the application's cache: by CACHE_PREFIX alone if it is set, else by the table and CACHE_EXCLUDE."""
    settings = config.current()  # this runs for each key that is read, so it makes few calls
    if settings.cache_prefix:
        return starts_with(key, settings.cache_prefix)
    number = 0
    if type(key) is not str:
        number, key = _kind(key)
    if key.startswith(_PREFIXES[number]) or key.endswith(_SUFFIXES[number]) or key in EXACT:
        return False
    return not (settings.cache_exclude and any(starts_with(key, prefix) for prefix in settings.cache_exclude))


def is_libraries(key: Any) -> bool:
    """Whether a key belongs to a library or is excluded by the settings: for in-process caches, which use no CACHE_PREFIX."""
    number, key = _kind(key)
    if key.startswith(_PREFIXES[number]) or key.endswith(_SUFFIXES[number]) or key in EXACT:
        return True
    return any(starts_with(key, prefix) for prefix in config.current().cache_exclude)


def may_be_chat(key: Any) -> bool:
    """Whether a key may hold a chat; False for the keys of a library whose keys never do (tasks, say)."""
    number, key = _kind(key)
    return not (key.startswith(_NEVER_CHATS[number]) or key in EXACT)


def starts_with(key: Any, prefix: str) -> bool:
    """Whether a key, as text or as bytes, starts with a text."""
    number, key = _kind(key)
    return bool(key.startswith((prefix, prefix.encode())[number]))


def _kind(key: Any) -> tuple[int, Any]:
    if type(key) is str:
        return 0, key
    if isinstance(key, (bytes, bytearray, memoryview)):
        return 1, bytes(key)
    return 0, str(key)
