"""Lets pymongo tell our listeners of commands and connections without an object for each event, where only ours would get it.

Fed by `hooks` with the set of listeners of each new client; feeds `commands` and `pool`. A command has five events, and making
them takes as long as all that we count of it. pymongo publishes an event by a method of the set of listeners
(pymongo/monitoring.py, `_EventListeners`). We replace these methods on the one set. Where the application listens too, or
where pymongo's methods are others than those we know, nothing is replaced: our listeners then get events as any listener does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from pymongo.monitoring import CommandListener, ConnectionPoolListener, _EventListeners

from .commands import Address, CommandFigures
from .pool import PoolFigures

_begin: Final = CommandFigures.begin
_succeed: Final = CommandFigures.succeed


def _command_start(
    command: Mapping[str, Any],
    database_name: str,
    request_id: int,
    connection_id: Address,
    server_connection_id: int | None,  # noqa: ARG001 - the parameters are the driver's
    op_id: int | None = None,  # noqa: ARG001
    service_id: object = None,  # noqa: ARG001
) -> None:
    _begin(next(iter(command)), command, database_name, request_id, connection_id)


def _command_success(
    duration: object,  # noqa: ARG001
    reply: Mapping[str, Any],
    command_name: str,
    request_id: int,
    connection_id: Address,
    server_connection_id: int | None,  # noqa: ARG001
    op_id: int | None = None,  # noqa: ARG001
    service_id: object = None,  # noqa: ARG001
    speculative_hello: bool = False,  # noqa: ARG001
    database_name: str = "",
) -> None:
    _succeed(reply, command_name, request_id, connection_id, database_name)


def tell_directly(listeners: Any, commands: CommandFigures, pools: PoolFigures) -> None:
    """Replace the methods of a client's set of listeners that would only call ours."""
    everybody: list[Any] = _EventListeners.event_listeners(listeners)
    told: tuple[tuple[Any, Any, Mapping[str, Callable[..., None]]], ...] = (
        (CommandListener, commands, {"publish_command_start": _command_start, "publish_command_success": _command_success}),
        (
            ConnectionPoolListener,
            pools,
            {
                "publish_connection_check_out_started": pools.asked,
                "publish_connection_checked_out": pools.taken,
                "publish_connection_checked_in": pools.returned,
            },
        ),
    )
    for kind, ours, methods in told:
        alone = all(each is ours for each in everybody if isinstance(each, kind))
        if alone and all(_fits(listeners, name, method) for name, method in methods.items()):
            vars(listeners).update(methods)


_theirs: Final = {name: method for name, method in vars(_EventListeners).items() if name.startswith("publish_")}
"""pymongo's methods. Where another tool has replaced one since, that tool listens too."""


def _fits(listeners: Any, name: str, method: Callable[..., None]) -> bool:
    """Whether pymongo's method is its own, and has the parameters that ours has."""
    theirs = getattr(listeners, name, None)
    if theirs is None or getattr(theirs, "__func__", None) is not _theirs.get(name):
        return False
    return list(inspect.signature(theirs).parameters) == list(inspect.signature(method).parameters)
