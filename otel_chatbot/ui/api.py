"""Answers the requests of the page for data, in JSON, by path: `/api/traces?failed=1` and the like.

Fed by `ui.server`; asks `ui.queries`. A parameter that is no number counts as not given.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from . import bounds
from .queries import conversations, figures, logs, traces, turns
from .queries.common import NEWEST, Json
from .store import Store

Parameters = Mapping[str, str]
_W = TypeVar("_W", conversations.WantedConversations, traces.WantedTraces, logs.WantedLogs)


class Api:
    """Answers from a store. `about` tells what the viewer looks at; `doctor` finds faults of the set-up."""

    def __init__(self, store: Store, about: Callable[[], Json], doctor: Callable[[], Json]) -> None:
        self._store = store
        self._about = about
        self._doctor = doctor
        self._lists: dict[str, Callable[[sqlite3.Connection, Parameters], Json]] = {
            "conversations": lambda db, asked: conversations.conversations(
                db, _wanted(conversations.WantedConversations, asked)
            ),
            "traces": lambda db, asked: traces.traces(db, _wanted(traces.WantedTraces, asked)),
            "logs": lambda db, asked: logs.logs(db, _wanted(logs.WantedLogs, asked)),
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


def _wanted(kind: type[_W], asked: Parameters) -> _W:
    """What a list is asked for: each field is the parameter of its name, read as what its default is."""
    return kind(**{each.name: _READ[type(each.default)](asked, each.name, each.default) for each in fields(kind)})


def _text(asked: Parameters, name: str, default: str) -> str:
    return asked.get(name, default)


def _flag(asked: Parameters, name: str, _default: bool) -> bool:
    return bool(asked.get(name))


def _number(asked: Parameters, name: str, default: float) -> float:
    try:
        value = float(asked.get(name, ""))
    except ValueError:
        return default
    return value if 0 <= value < 1e12 else default


def _whole(asked: Parameters, name: str, default: int) -> int:
    text = asked.get(name, "")
    return min(int(text), NEWEST) if text.isascii() and text.isdigit() and len(text) < 20 else default


_READ: Final[dict[type, Callable[[Parameters, str, Any], Any]]] = {str: _text, bool: _flag, float: _number, int: _whole}


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def plain_query(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """A query's parameters; if a name comes twice, the last value."""
    return dict(pairs)
