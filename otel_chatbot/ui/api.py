"""Answers the requests of the page for data, in JSON, by path: `/api/traces?failed=1` and the like.

Fed by `ui.server`; asks `ui.queries`. A parameter that is no number counts as not given.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from . import bounds
from .queries import conversations, figures, logs, traces, turns
from .queries.common import Json
from .store import Store

Parameters = Mapping[str, str]
_NEWEST: Final = 2**63 - 1


class Api:
    """Answers from a store. `about` tells what the viewer looks at; `doctor` finds faults of the set-up."""

    def __init__(self, store: Store, about: Callable[[], Json], doctor: Callable[[], Json]) -> None:
        self._store = store
        self._about = about
        self._doctor = doctor
        self._lists: dict[str, Callable[[sqlite3.Connection, Parameters], Json]] = {
            "conversations": _conversations,
            "traces": _traces,
            "logs": _logs,
            "errors": lambda db, _asked: logs.problems(db),
            "now": lambda db, asked: figures.now(db, _number(asked, "window", 3600.0)),
            "metrics": lambda db, _asked: figures.metrics(db),
            "turns": lambda db, _asked: turns.turns(db),
            "routes": lambda db, _asked: {"routes": traces.routes(db)},
        }
        self._items: dict[str, Callable[[sqlite3.Connection, str, Parameters], Json | None]] = {
            "conversations": lambda db, name, _asked: conversations.conversation(db, name),
            "traces": lambda db, name, _asked: traces.trace(db, _bytes(name)),
            "metrics": lambda db, name, asked: figures.metric(db, name, _number(asked, "window", 3600.0)),
        }

    def answer(self, path: str, asked: Parameters) -> Json | None:
        """The answer for a path; None if there is no such path."""
        what, _, name = path.removeprefix("/api/").partition("/")
        if what == "state" and not name:
            return self._state()
        if what == "doctor" and not name:
            return self._doctor()
        with self._store.reading() as db:
            if name:
                item = self._items.get(what)
                return item(db, unquote(name), asked) if item else None
            found = self._lists.get(what)
            return found(db, asked) if found else None

    def _state(self) -> Json:
        with self._store.reading() as db:
            return {
                "changes": self._store.changes,
                "bytes": bounds.used(db),
                "max_bytes": self._store.limits.max_bytes,
                "spans": db.execute("SELECT max(id) FROM span").fetchone()[0] or 0,
                "logs": db.execute("SELECT max(id) FROM log").fetchone()[0] or 0,
                **self._about(),
            }


def _conversations(db: sqlite3.Connection, asked: Parameters) -> Json:
    return conversations.conversations(
        db,
        conversations.Wanted(
            text=asked.get("text", ""),
            user=asked.get("user", ""),
            model=asked.get("model", ""),
            failed=bool(asked.get("failed")),
            slow_ms=_number(asked, "slow", 0.0),
            least_cost=_number(asked, "cost", 0.0),
            before=_whole(asked, "before", _NEWEST),
        ),
    )


def _traces(db: sqlite3.Connection, asked: Parameters) -> Json:
    return traces.traces(
        db,
        traces.Wanted(
            text=asked.get("text", ""),
            route=asked.get("route", ""),
            status=_whole(asked, "status", 0),
            failed=bool(asked.get("failed")),
            least_ms=_number(asked, "slow", 0.0),
            attribute=asked.get("attribute", "").strip(),
            value=asked.get("value", ""),
            before=_whole(asked, "before", _NEWEST),
        ),
    )


def _logs(db: sqlite3.Connection, asked: Parameters) -> Json:
    return logs.logs(
        db,
        logs.Wanted(
            text=asked.get("text", ""),
            level=_whole(asked, "level", 0),
            logger=asked.get("logger", ""),
            trace=asked.get("trace", ""),
            before=_whole(asked, "before", _NEWEST),
            after=_whole(asked, "after", 0),
        ),
    )


def _number(asked: Parameters, name: str, default: float) -> float:
    try:
        value = float(asked.get(name, ""))
    except ValueError:
        return default
    return value if 0 <= value < 1e12 else default


def _whole(asked: Parameters, name: str, default: int) -> int:
    text = asked.get(name, "")
    return min(int(text), _NEWEST) if text.isascii() and text.isdigit() and len(text) < 20 else default


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def plain_query(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """A query's parameters; if a name comes twice, the last value."""
    return dict(pairs)
