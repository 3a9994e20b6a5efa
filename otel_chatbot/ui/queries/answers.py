"""What users think of the answers: how many are rated, and which share of the ratings is good.

Fed by `ui.queries.samples`; feeds the page "Now" by way of `ui.queries.now`. All instances that share a Redis say the same of ratings,
so the largest of what they say is taken, and then the sum.
"""

from __future__ import annotations

import sqlite3

import orjson

from ...semconv import attributes as a
from ...semconv import metrics as m
from .samples import gauge, series


def by_rating(db: sqlite3.Connection, until: int, service: str) -> dict[str, float]:
    """How many answers are rated how; empty where no rating is known.

    Args: the viewer's database, the moment (unix nanoseconds), a service's name, or an empty one for all services.
    """
    largest: dict[tuple[str, bytes], float] = {}
    for one in series(db, m.FEEDBACK.name, service):
        value = gauge(db, one, until)
        if value is not None:
            key = str(one.attributes.get(a.RATING)), orjson.dumps(one.attributes, option=orjson.OPT_SORT_KEYS)
            largest[key] = max(value, largest.get(key, 0.0))
    found: dict[str, float] = {}
    for (rating, _), value in largest.items():
        found[rating] = found.get(rating, 0.0) + value
    return found


def ratings(db: sqlite3.Connection, until: int, service: str) -> float | None:
    """How many ratings there are; None where there is none."""
    return sum(by_rating(db, until, service).values()) or None


def liked(db: sqlite3.Connection, until: int, service: str) -> float | None:
    """The share of ratings that are good; None where there is none."""
    found = by_rating(db, until, service)
    total = sum(found.values())
    return sum(found.get(rating, 0.0) for rating in a.LIKED) / total if total else None
