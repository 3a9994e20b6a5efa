"""The built-in check `database`: a MongoDB ping over a connection of its own.

Fed by the app's latest client, or by MONGODB_URI; feeds the checker. The app's own pool is not used: when it is
exhausted or hung the answer would not be MongoDB's, and its pool figures would move with every probe.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

import pymongo
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from .. import config
from .._clock import monotonic
from ..logs.errors import safe_exception_message
from . import clients
from .results import HealthResult, HealthStatus

_LEFT_OUT = frozenset({"event_listeners", "auto_encryption_opts", "document_class", "type_registry", "driver"})
_PAUSE = 0.002
_ONE_ANSWER = 0.9
"""Part of the budget that one connection or answer may take, so that its own error comes before the deadline."""


def check_database(budget: float) -> HealthResult:
    """Ping MongoDB; raises what pymongo raises, within `budget` seconds."""
    app_client = clients.mongo()
    uri = config.current().mongodb_uri
    if app_client is None and not uri:
        return HealthResult(HealthStatus.HEALTHY, "not configured")
    deadline = monotonic() + budget
    try:
        with contextlib.closing(own_client(app_client, uri, budget * _ONE_ANSWER)) as client:
            _ping(client, deadline)
    except OperationFailure as error:
        return HealthResult(HealthStatus.UNHEALTHY, _told(error))
    return HealthResult(HealthStatus.HEALTHY, "MongoDB connected")


def own_client(app_client: Any, uri: str, budget: float) -> pymongo.MongoClient[dict[str, Any]]:
    """A client of the package's own: address, credentials, TLS and read preference of the app's client, or of `uri`.

    `budget` is in seconds, for each answer. Whoever makes one closes it.
    """
    # `_init_kwargs` is what pymongo itself copies a client from (MongoClient._duplicate), asyncio clients too.
    given: Mapping[str, Any] = app_client._init_kwargs if app_client is not None else {"host": uri}
    milliseconds = max(1, int(budget * 1000))
    limits: dict[str, Any] = {
        "serverSelectionTimeoutMS": milliseconds,
        "connectTimeoutMS": milliseconds,
        "socketTimeoutMS": milliseconds,
        "waitQueueTimeoutMS": milliseconds,
        "timeoutMS": milliseconds,
        "maxPoolSize": 1,
        "minPoolSize": 0,
        "retryReads": False,
        "serverMonitoringMode": "poll",  # no second monitoring connection and thread per server
        "connect": True,
        "appname": clients.OWN_APPNAME,
    }
    overridden = {name.lower() for name in limits} | _LEFT_OUT
    kept = {name: value for name, value in given.items() if name.lower() not in overridden and value is not None}
    return pymongo.MongoClient(**kept, **limits)


def _ping(client: pymongo.MongoClient[dict[str, Any]], deadline: float) -> None:
    """Ping a server that the client's read preference allows; fail at once when every server has refused."""
    # Not left to pymongo's server selection, which waits in steps of half a second, beyond its own time-out.
    preference = client.read_preference
    while not client.topology_description.has_readable_server(preference):
        servers = client.topology_description.server_descriptions().values()
        errors = [server.error for server in servers if server.error]
        if errors and len(errors) == len(servers):
            raise errors[0]
        if monotonic() >= deadline:
            known = any(server.is_server_type_known for server in servers)
            raise ServerSelectionTimeoutError(
                f"no server for read preference {preference.name}" if known else "no server answered in time"
            )
        time.sleep(_PAUSE)
    with pymongo.timeout(max(_PAUSE, deadline - monotonic())):
        client.admin.command("ping", read_preference=preference)


def _told(error: OperationFailure) -> str:
    """The error's class, name and code: MongoDB's own words, but none of the message, which may repeat what was sent."""
    name = str((error.details or {}).get("codeName", ""))
    return f"{type(error).__name__}: {name} (code {error.code})" if name.isidentifier() else safe_exception_message(error)
