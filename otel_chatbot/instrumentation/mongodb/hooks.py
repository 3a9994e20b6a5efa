"""Instrumentation of MongoDB: spans and figures, by listeners.

Fed by the distribution, which calls `instrument` when the application imports pymongo; feeds every MongoClient and
AsyncMongoClient made from then on with `CommandFigures` and a `PoolFigures` of its own.
"""

from __future__ import annotations

import logging
import weakref
from typing import Any

from opentelemetry.trace import TracerProvider

from ..._guard import never_raise
from ...health.clients import OWN_APPNAME, remember_mongo
from ...metrics import record
from ...semconv import metrics as m
from ..common.patching import Method, Patches, imported_before

_logger = logging.getLogger("otel_chatbot")
_patches = Patches()


class State:
    """Whether the instrumentation is on."""

    on = False


def instrument(tracer_provider: TracerProvider | None = None) -> None:
    """Switch MongoDB's figures and spans on; a second call does nothing. Imports pymongo."""
    if State.on:
        return
    earlier = imported_before("pymongo")
    from pymongo import AsyncMongoClient, MongoClient

    from .commands import SPANS, CommandFigures
    from .pool import PoolFigures

    State.on = CommandFigures.enabled = PoolFigures.enabled = True
    record.activate(
        m.CONVERSATIONS_CREATED, m.MESSAGES_SENT, m.MESSAGES_RECEIVED, m.DB_QUERIES, m.DB_QUERY_TIME, m.DB_CONNECTIONS
    )
    for client in (MongoClient, AsyncMongoClient):
        _patches.wrap(client, "__init__", _with_listeners)
    if earlier:
        _greet(MongoClient, AsyncMongoClient)
    SPANS.switch_on(tracer_provider)


def uninstrument() -> None:
    """Switch them off again; clients made meanwhile keep listeners that do nothing."""
    if not State.on:
        return
    from .commands import SPANS, CommandFigures
    from .pool import PoolFigures

    State.on = CommandFigures.enabled = PoolFigures.enabled = False
    SPANS.switch_off()
    _patches.restore()


def _with_listeners(original: Method) -> Method:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if record.is_own_traffic():
            original(self, *args, **kwargs)
            return
        pools = _listen(kwargs)
        original(self, *args, **kwargs)
        if pools is not None:
            _remember(self, pools)

    return init


@never_raise
def _listen(kwargs: dict[str, Any]) -> Any:
    """Add our listeners to a client's own ones. A client that pymongo copies from another comes with the other's."""
    from .commands import CommandFigures
    from .pool import PoolFigures

    given = kwargs.get("event_listeners")
    if given is not None and not isinstance(given, (list, tuple)):
        return None  # pymongo will refuse it and say why
    pools = PoolFigures()
    theirs = [listener for listener in given or () if not isinstance(listener, (CommandFigures, PoolFigures))]
    kwargs["event_listeners"] = [*theirs, CommandFigures(), pools]
    return pools


@never_raise
def _remember(client: Any, pools: Any) -> None:
    remember_mongo(client)
    weakref.finalize(client, pools.give_back).atexit = False


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
