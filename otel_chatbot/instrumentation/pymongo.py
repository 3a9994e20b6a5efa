"""Instrumentation of MongoDB: spans by OpenTelemetry's own instrumentor, figures by our listeners.

Fed by the distribution, which calls `instrument` when the application imports pymongo; feeds every MongoClient and
AsyncMongoClient made from then on with `CommandFigures` and a `PoolFigures` of its own.
"""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Span, TracerProvider

from .._guard import never_raise, report
from ..health.clients import OWN_APPNAME, remember_mongo
from ..metrics import record
from ..semconv import attributes as a
from ..semconv import metrics as m
from .patching import Method, Patches, being_imported, imported_before
from .tracing import GuardedTracerProvider, mark_failed

if TYPE_CHECKING:
    from pymongo.monitoring import CommandFailedEvent

_logger = logging.getLogger("otel_chatbot")
_patches = Patches()


_UPSTREAM = "opentelemetry.instrumentation.pymongo"


class State:
    """Whether the instrumentation is on, and whether the spans are ours to switch off."""

    on = False
    spans = False


def instrument(tracer_provider: TracerProvider | None = None) -> None:
    """Switch MongoDB's figures and spans on; a second call does nothing. Imports pymongo."""
    if State.on:
        return
    earlier = imported_before("pymongo")
    from pymongo import AsyncMongoClient, MongoClient

    from .mongo_commands import CommandFigures
    from .mongo_pool import PoolFigures

    State.on = CommandFigures.enabled = PoolFigures.enabled = True
    record.activate(
        m.CONVERSATIONS_CREATED, m.MESSAGES_SENT, m.MESSAGES_RECEIVED, m.DB_QUERIES, m.DB_QUERY_TIME, m.DB_CONNECTIONS
    )
    for client in (MongoClient, AsyncMongoClient):
        _patches.wrap(client, "__init__", _with_listeners)
    if earlier:
        _greet(MongoClient, AsyncMongoClient)
    _trace(tracer_provider)


def uninstrument() -> None:
    """Switch them off again; clients made meanwhile keep listeners that do nothing."""
    if not State.on:
        return
    from opentelemetry.instrumentation.pymongo import PymongoInstrumentor

    from .mongo_commands import CommandFigures
    from .mongo_pool import PoolFigures

    State.on = CommandFigures.enabled = PoolFigures.enabled = False
    _patches.restore()
    if State.spans:
        State.spans = False
        PymongoInstrumentor().uninstrument()


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
    from .mongo_commands import CommandFigures
    from .mongo_pool import PoolFigures

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


def _trace(tracer_provider: TracerProvider | None) -> None:
    if being_imported(_UPSTREAM):
        return  # pymongo is imported by upstream's instrumentor itself: whoever imports that will use it
    try:
        from opentelemetry.instrumentation.pymongo import PymongoInstrumentor

        instrumentor = PymongoInstrumentor()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(
                tracer_provider=GuardedTracerProvider(tracer_provider), failed_hook=_on_failure, capture_statement=False
            )
            State.spans = instrumentor.is_instrumented_by_opentelemetry
    except Exception as error:
        report("instrumenting pymongo's spans", error)


def _on_failure(span: Span, event: CommandFailedEvent) -> None:
    # The server's message, which upstream has put on the span by now, may hold a document or a key's value.
    from .mongo_commands import error_of

    code, kind = error_of(event.failure)
    mark_failed(span, kind, {a.DB_STATUS: code} if code is not None else None)
