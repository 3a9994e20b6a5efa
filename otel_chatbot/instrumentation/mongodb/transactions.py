"""Counts of MongoDB transactions that have not been committed yet.

Fed by `instrumentation.mongodb.commands`: counted when the commit succeeds, forgotten when the transaction is aborted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from .documents import NOTHING, Counts

_LIMIT = 10_000
"""The most open transactions that are remembered. Beyond it the oldest is forgotten: a server aborts old transactions too."""


class Transactions:
    """Open transactions by session. A session has one transaction at a time; a new number ends the one before."""

    def __init__(self) -> None:
        self._open: OrderedDict[Any, tuple[Any, Counts]] = OrderedDict()

    def add(self, command: Mapping[str, Any], counts: Counts) -> None:
        """Keep what a command in a transaction has written."""
        session, number = _identity(command)
        known, before = self._open.pop(session, (number, NOTHING))
        self._open[session] = (number, before.plus(counts) if known == number else counts)
        if len(self._open) > _LIMIT:
            self._open.popitem(last=False)

    def commit(self, command: Mapping[str, Any]) -> Counts:
        """What the transaction has written; nothing if it was counted before (a commit may be retried)."""
        session, number = _identity(command)
        known, counts = self._open.pop(session, (number, NOTHING))
        return counts if known == number else NOTHING

    def abort(self, command: Mapping[str, Any]) -> None:
        """Forget the transaction."""
        self._open.pop(_identity(command)[0], None)

    def forget(self) -> None:
        """In a forked child: forget every transaction, they belong to the parent."""
        self._open.clear()


def in_transaction(command: Mapping[str, Any]) -> bool:
    """Whether a command is part of a transaction of the application (a retryable write is no such transaction)."""
    return command.get("autocommit") is False


def identity_of(command: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a command that names its transaction, without its documents."""
    return {name: command[name] for name in ("lsid", "txnNumber") if name in command}


def _identity(command: Mapping[str, Any]) -> tuple[Any, Any]:
    session = command.get("lsid") or {}
    return bytes(session.get("id") or b""), command.get("txnNumber")
