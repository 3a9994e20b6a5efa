"""Ledgers of both engines for the tests, and processes that write to one of them together."""

from __future__ import annotations

import itertools
from pathlib import Path

from otel_chatbot.quality.ledger import Engine, Ledger
from otel_chatbot.quality.redis_engine import RedisEngine
from otel_chatbot.quality.sqlite_engine import SqliteEngine

ENGINES = ("redis", "sqlite")
_number = itertools.count()


def engine(kind: str, place: str, patience: float = 30.0) -> Engine:
    """The engine at a place: an address of Redis, or a file. It has time: the machine of the tests is busy."""
    if kind == "redis":
        return RedisEngine(place, "shop/bot", patience=patience)
    return SqliteEngine(Path(place), patience=patience)


def ledger(kind: str, place: str, *, patience: float = 30.0, pause: float = 5.0) -> Ledger:
    """A ledger as another worker, another machine or a later run would open it."""
    return Ledger(lambda: engine(kind, place, patience), patience=patience, pause=pause)


def fresh(name: str) -> str:
    """A key that no test has used: the tests share one Redis."""
    return f"{name}-{next(_number)}"
