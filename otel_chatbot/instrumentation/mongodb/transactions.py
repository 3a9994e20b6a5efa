"""Counts of MongoDB transactions that have not been committed yet.

Fed by `instrumentation.mongodb.commands`: counted when the commit succeeds, forgotten when the transaction is aborted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from .documents import NOTHING, Counts

_LIMIT = 10_000
"""Open transactions that are remembered; beyond it the oldest is given up, as a server would (transactionLifetimeLimit)."""


class Transactions:
    """Open transactions by session: a session has one at a time, and a new number on it ends the one before."""

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
        """What the transaction has written; nothing when it was counted before (a retried commit)."""
        session, number = _identity(command)
        known, counts = self._open.pop(session, (number, NOTHING))
        return counts if known == number else NOTHING

    def abort(self, command: Mapping[str, Any]) -> None:
        """Forget the transaction."""
        self._open.pop(_identity(command)[0], None)

    def forget(self) -> None:
        """Forget every transaction: in a forked child they are the parent's."""
        self._open.clear()


def in_transaction(command: Mapping[str, Any]) -> bool:
    """Whether a command is part of a transaction with more than itself in it."""
    return command.get("autocommit") is False


def identity_of(command: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a command that names its transaction, without its documents."""
    return {name: command[name] for name in ("lsid", "txnNumber") if name in command}


def _identity(command: Mapping[str, Any]) -> tuple[Any, Any]:
    session = command.get("lsid") or {}
    return bytes(session.get("id") or b""), command.get("txnNumber")
