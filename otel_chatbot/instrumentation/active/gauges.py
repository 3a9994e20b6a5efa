"""Active users and conversations: takes their ids from requests, and gives their numbers to the two gauges.

Fed by `instrumentation.flask`: it asks `find` when a view has answered and calls `see` when the request has ended; feeds
the two gauges through `active.ids` and `active.redis_sets`. `active.places` says where in a request the ids are.
The ids of a request that ends with 400 or more do not count: a client may have made them up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from flask import Request, has_request_context
from flask import request as flask_request

from ... import config
from ..._clock import monotonic
from ..._fork import at_fork
from ...health import clients
from ...metrics import record
from ...metrics.shared.run import RUN
from ...semconv import metrics as m
from ..common import seen
from .ids import ActiveIds
from .places import Place, Sources, places
from .redis_sets import ActiveInRedis

USERS: Final = "users"
CONVERSATIONS: Final = "conversations"


class Found(NamedTuple):
    """The ids of one request, and the model that it names."""

    user: str | None = None
    conversation: str | None = None
    model: str | None = None


class ActiveWindows:
    """The two windows of this process."""

    def __init__(self, settings: config.Settings | None = None, folder: Callable[[], Path | None] | None = None) -> None:
        self._given = settings
        self._folder = folder or _run_folder
        self._noted: set[str] = set()

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
    def _user_places(self) -> tuple[Place, ...]:
        return places(self._settings.user_id_from)

    @cached_property
    def _conversation_places(self) -> tuple[Place, ...]:
        return places(self._settings.conversation_id_from)

    def install(self) -> None:
        """Register the two gauges. They are read when a view is built."""
        record.gauge_source(m.ACTIVE_USERS, lambda: {(): float(self.count(USERS))})
        record.gauge_source(m.ACTIVE_CONVERSATIONS, lambda: {(): float(self.count(CONVERSATIONS))})

    def conversation(self) -> str | None:
        """The conversation that the running request names; None outside of one."""
        if not has_request_context():
            return None
        return Sources(flask_request._get_current_object()).first(self._conversation_places)  # type: ignore[attr-defined]

    def user(self) -> str | None:
        """The user that the running request names; None outside of one."""
        if not has_request_context():
            return None
        return Sources(flask_request._get_current_object()).first(self._user_places)  # type: ignore[attr-defined]

    def find(self, request: Request) -> Found:
        """The ids in a request, after its view has run."""
        sources = Sources(request)
        return Found(sources.first(self._user_places), sources.first(self._conversation_places), sources.model())

    def see(self, found: Found) -> str | None:
        """Note the ids of a request that ended well. Returns the digest of its user's id, for spans."""
        now = monotonic()
        user: str | None = None
        for kind, text in zip((USERS, CONVERSATIONS), found[:2], strict=True):
            if text is not None:
                digest = self._ids[kind].see(text, now)
                user = digest.hex() if kind is USERS else user
                self._redis.offer(kind, text, now)
                if kind not in self._noted:
                    self._noted.add(kind)
                    seen.note(seen.ACTIVE, kind)
        return user

    def count(self, kind: str) -> int:
        """Distinct ids in the window, over the processes of this run and, where Redis answers, over all machines.

        Redis learns the ids of this run a moment later than the run itself, so the larger of the two numbers is returned.
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


ACTIVE: Final = ActiveWindows()
"""The windows of this process."""


def named_conversation() -> str | None:
    """The conversation that the running request of this process names."""
    return ACTIVE.conversation()


def named_user() -> str | None:
    """The user that the running request of this process names."""
    return ACTIVE.user()


at_fork(__name__, in_child=ACTIVE.renew)
