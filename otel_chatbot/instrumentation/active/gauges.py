"""Active users and conversations: who a request is from, looked for in the places that the settings name.

Fed by `instrumentation.flask.hooks`, when a view has answered; feeds the two gauges through `active.ids` and `active.redis_sets`.
A body that the app has not read is never read, and a session's `accessed` flag, which adds a header, is left alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from flask import Request, has_request_context, session
from flask import request as flask_request

from ... import config
from ...health import clients
from ...metrics import record
from ...metrics.shared.run import RUN
from ...semconv import attributes as a
from ...semconv import metrics as m
from ..common import chat_turn
from ..flask.request import Exchange
from .ids import ActiveIds
from .redis_sets import ActiveInRedis

Look = Callable[[Request], object]
"""Looks in one place of a request; None where nothing is."""

USERS: Final = "users"
CONVERSATIONS: Final = "conversations"

_LONGEST_ID: Final = 256
_LARGEST_JSON: Final = 1024 * 1024


class Active:
    """The two windows of this process."""

    def __init__(self, settings: config.Settings | None = None, folder: Callable[[], Path | None] | None = None) -> None:
        self._given = settings
        self._folder = folder or _run_folder

    @cached_property
    def _settings(self) -> config.Settings:
        return self._given or config.current()

    @cached_property
    def _ids(self) -> dict[str, ActiveIds]:
        return {kind: ActiveIds(kind, self._settings.active_window, self._folder) for kind in (USERS, CONVERSATIONS)}

    @cached_property
    def _redis(self) -> ActiveInRedis:
        return ActiveInRedis((USERS, CONVERSATIONS), self._settings.active_window, self._connect, self._has_redis)

    @cached_property
    def _looks(self) -> tuple[tuple[str, tuple[Look, ...]], ...]:
        """By kind, the places to look in, in order."""
        chosen = ((USERS, self._settings.user_id_from), (CONVERSATIONS, self._settings.conversation_id_from))
        return tuple((kind, tuple(_look(place) for place in places)) for kind, places in chosen)

    def install(self) -> None:
        """Offer the two gauges to whoever builds a view."""
        record.gauge_source(m.ACTIVE_USERS, lambda: {(): float(self.count(USERS))})
        record.gauge_source(m.ACTIVE_CONVERSATIONS, lambda: {(): float(self.count(CONVERSATIONS))})
        chat_turn.Look.conversation = self.conversation

    def conversation(self) -> str | None:
        """The conversation that the running request names; None outside of one."""
        return _find(flask_request._get_current_object(), dict(self._looks)[CONVERSATIONS]) if has_request_context() else None  # type: ignore[attr-defined]

    def note(self, request: Request, exchange: Exchange) -> None:
        """Look for the ids of a request whose view has run."""
        for kind, looks in self._looks:
            found = _find(request, looks)
            if found is None:
                continue
            now = time.time()
            self._ids[kind].see(found, now)
            self._redis.offer(kind, found, now)
            if kind is CONVERSATIONS:
                exchange.span_attributes[a.GEN_AI_CONVERSATION_ID] = found

    def count(self, kind: str) -> int:
        """Distinct ids in the window, over the processes of this run and, where Redis answers, over all machines.

        Redis knows those of this run a moment later than the run itself: the larger number is the union of both.
        """
        return max(self._ids[kind].count(), self._redis.count(kind))

    def renew(self) -> None:
        """In a forked child: start empty."""
        for name in ("_ids", "_redis"):
            made = self.__dict__.get(name)
            for part in made.values() if isinstance(made, dict) else (made,) if made else ():
                part.renew()

    def _has_redis(self) -> bool:
        return bool(self._settings.redis_url) or clients.redis() is not None

    def _connect(self) -> Any:
        from ...health.redis_connection import own_redis

        app_client = clients.redis()
        if app_client is None and not self._settings.redis_url:
            return None
        return own_redis(app_client, self._settings.redis_url, 1.0)


def _run_folder() -> Path | None:
    directory = RUN.directory()
    return None if directory is None else Path(directory.path)


def _look(place: str) -> Look:
    source, _, name = place.partition(":")
    return _LOOKS[source](name)


def _find(request: Request, looks: tuple[Look, ...]) -> str | None:
    for look in looks:
        found = look(request)
        if found is not None and isinstance(found, (str, int)) and not isinstance(found, bool) and found != "":
            return str(found)[:_LONGEST_ID]
    return None


def _json(name: str) -> Look:
    def look(request: Request) -> object:
        parsed = next((value for value in request._cached_json if value is not Ellipsis), None)
        if parsed is None:
            data = vars(request).get("_cached_data", b"")  # the app took the bytes and parsed them itself
            if 0 < len(data) <= _LARGEST_JSON and request.is_json:
                parsed = request.get_json(silent=True)
        return parsed.get(name) if isinstance(parsed, dict) else None

    return look


def _form(name: str) -> Look:
    return lambda request: request.form.get(name) if "form" in vars(request) else None


def _query(name: str) -> Look:
    return lambda request: request.args.get(name) if request.query_string else None


def _header(name: str) -> Look:
    key = "HTTP_" + name.upper().replace("-", "_")
    return lambda request: request.environ.get(key)


def _cookie(name: str) -> Look:
    return lambda request: request.cookies.get(name) if "HTTP_COOKIE" in request.environ else None


def _session(name: str) -> Look:
    def look(_request: Request) -> object:
        found = session._get_current_object()  # type: ignore[attr-defined]
        if isinstance(found, dict):
            return dict.get(found, name)  # which does not mark the session as accessed, as its own `get` does
        return found.get(name) if isinstance(found, Mapping) else None

    return look


def _path(name: str) -> Look:
    return lambda request: request.view_args.get(name) if request.view_args else None


_LOOKS: Final[dict[str, Callable[[str], Look]]] = {
    "json": _json,
    "form": _form,
    "query": _query,
    "header": _header,
    "cookie": _cookie,
    "session": _session,
    "path": _path,
}

ACTIVE: Final = Active()
"""The windows of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=ACTIVE.renew)
