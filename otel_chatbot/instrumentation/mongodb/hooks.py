"""Instrumentation of MongoDB: spans and figures, by listeners.

Fed by the distribution, which calls `instrument` when the application imports pymongo; feeds every MongoClient and
AsyncMongoClient made from then on with `CommandFigures` and a `PoolFigures` of its own.
"""

from __future__ import annotations

import logging
import weakref
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry.trace import TracerProvider

from ..._guard import never_raise
from ...health.clients import OWN_APPNAME, remember_mongo
from ...metrics import record
from ...semconv.spec import Source
from ..common.patching import Method, Patches, imported_before

_logger = logging.getLogger("otel_chatbot")
_patches = Patches()
_made: Final[ContextVar[Any]] = ContextVar("otel_chatbot_mongo_client", default=None)
"""The client that is being made."""


class State:
    """Whether the instrumentation is on."""

    on = False


def instrument(tracer_provider: TracerProvider | None = None) -> None:
    """Switch MongoDB's figures and spans on; a second call does nothing. Imports pymongo."""
    if State.on:
        return
    earlier = imported_before("pymongo")
    from pymongo import AsyncMongoClient, MongoClient
    from pymongo.monitoring import _EventListeners

    from .commands import SPANS, CommandFigures
    from .pool import PoolFigures

    State.on = CommandFigures.enabled = PoolFigures.enabled = True
    record.activate_source(Source.MONGODB)
    for client in (MongoClient, AsyncMongoClient):
        _patches.wrap(client, "__init__", _remembering)
    # We do not use the argument `event_listeners`: the app would see our listeners in `client.options`, in its text and in its
    # copies. Every client makes its own set (pymongo/client_options.py, _parse_pool_options), with an SRV name once more.
    _patches.wrap(_EventListeners, "__init__", _adding)
    _patches.wrap(_EventListeners, "event_listeners", _hiding)
    if earlier:
        _greet(MongoClient, AsyncMongoClient)
    SPANS.switch_on(tracer_provider)


def uninstrument() -> None:
    """Switch them off again. Clients that were made meanwhile keep their listeners, which do nothing from now on."""
    if not State.on:
        return
    from .commands import SPANS, CommandFigures
    from .pool import PoolFigures

    State.on = CommandFigures.enabled = PoolFigures.enabled = False
    SPANS.switch_off()
    _patches.restore()


def _remembering(original: Method) -> Method:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        token = _made.set(self)
        try:
            original(self, *args, **kwargs)
        finally:
            _made.reset(token)
        if State.on and not record.is_own_traffic():
            _remember(self)

    return init


def _adding(original: Method) -> Method:
    def init(self: Any, listeners: Any, *args: Any, **kwargs: Any) -> None:
        ours = _ours_for(self) if State.on and not record.is_own_traffic() else None
        original(self, [*(listeners or ()), *ours] if ours else listeners, *args, **kwargs)
        if ours:
            _tell_directly(self, *ours)

    return init


def _hiding(original: Method) -> Method:
    def event_listeners(self: Any) -> Any:
        found = original(self)
        theirs = _without_ours(found)
        return found if theirs is None else theirs

    return event_listeners


@never_raise
def _ours_for(set_of_listeners: Any) -> list[Any]:
    """Our listeners for one client. When the client is garbage-collected, its pools' figures are taken back."""
    from .commands import CommandFigures
    from .pool import PoolFigures

    pools = PoolFigures()
    # With an SRV name the set of listeners is made later, outside of the client's `__init__`. It lives a little longer.
    owner = _made.get()
    weakref.finalize(set_of_listeners if owner is None else owner, pools.give_back).atexit = False
    return [CommandFigures(), pools]


@never_raise
def _without_ours(listeners: list[Any]) -> list[Any]:
    from .commands import CommandFigures
    from .pool import PoolFigures

    return [listener for listener in listeners if not isinstance(listener, (CommandFigures, PoolFigures))]


@never_raise
def _tell_directly(set_of_listeners: Any, commands: Any, pools: Any) -> None:
    from .direct import tell_directly

    tell_directly(set_of_listeners, commands, pools)


_remember = never_raise(remember_mongo)


@never_raise
def _greet(*classes: Any) -> None:
    """Remember the clients that are older than the instrumentation, and say that their commands cannot be seen."""
    made = [client for cls in classes for client in list(getattr(cls, "_clients", {}).values())]
    earlier = [client for client in made if not getattr(client, "_closed", False) and not _is_own(client)]
    for client in earlier:
        remember_mongo(client)
    if earlier:
        _logger.warning(
            "%d MongoDB client(s) were made before otel-chatbot was set up and are not counted; start the application "
            "with opentelemetry-instrument, or call otel_chatbot.instrument() before making a client",
            len(earlier),
        )


def _is_own(client: Any) -> bool:
    return bool(getattr(client, "_init_kwargs", {}).get("appname") == OWN_APPNAME)
