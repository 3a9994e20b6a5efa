"""Each model call goes on the account of those whose budgets it counts for: the one subscription to what a call has cost.

Fed by `genai.call` through `_wiring.CALL_COST`, with the price and the tokens that the metrics show; feeds `budgets.account`. An app
that names no budget does not import this module, unless it asks `over_budget`.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from decimal import Decimal
from functools import cached_property
from typing import Final, NamedTuple

from ... import _wiring, config
from ..._fork import at_fork
from ..._guard import never_raise
from ...metrics import deduplication
from ..ledger import LEDGER, PATIENT
from .account import Account
from .book import Book, Subject
from .periods import zone_of
from .rows import load


class Budgets:
    """The budgets of this process, as the settings name them."""

    clock = staticmethod(time.time)
    """It says which period runs: by the calendar, so the wall's clock."""

    @cached_property
    def account(self) -> Account | None:
        """What they are held against; None if there are none."""
        settings = config.current()
        budgets = load(settings.budgets) if settings.budgets else ()
        if not budgets:
            return None
        # Workers write a file in turn: on a busy machine the turn may be long in coming. A Redis answers at once, or it is away.
        return Account(Book(budgets, zone_of(settings.budget_zone)), LEDGER if settings.redis_url else PATIENT)

    def renew(self) -> None:
        """In a forked child."""
        made = self.__dict__.get("account")
        if made is not None:
            made.renew()


BUDGETS: Final = Budgets()
"""The budgets of this process."""


class _Named(NamedTuple):
    """Whose calls those of a scope are, as the application has said."""

    scope: deduplication.Scope
    user: str | None
    conversation: str | None


_named: ContextVar[_Named | None] = ContextVar("otel_chatbot_budget_subject", default=None)


def named(user: str | None, conversation: str | None, model: str | None) -> Subject:
    """Who asks now. What is given counts for the calls that follow in this request, else in this thread or task."""
    scope = deduplication.current()
    before = _named_in(scope) if scope.ends else None
    if before is not None:
        user, conversation = user or before.user, conversation or before.conversation
    if user or conversation or not scope.ends:
        _named.set(_Named(scope, user, conversation))
    return _subject(user, conversation, () if model is None else (model,))


def _named_in(scope: deduplication.Scope) -> _Named | None:
    """What was said in a scope: that of a request, or any outside of requests. A thread that serves requests keeps what it was."""
    found = _named.get()
    if found is None or (found.scope is not scope and (found.scope.owner is None or scope.owner is None)):
        return None
    return found


def _subject(user: str | None, conversation: str | None, models: tuple[str, ...]) -> Subject:
    account = BUDGETS.account
    if account is None:
        return Subject()
    if not user and account.book.of_users:
        user = _wiring.NAMED_USER()
    if not conversation and account.book.of_conversations:
        # What the request names goes first: the next one of this conversation names it too.
        conversation = _wiring.NAMED_CONVERSATION() or _wiring.CONVERSATION()
    return Subject(user, conversation, models)


@never_raise
def spend(models: tuple[str, ...], dollars: Decimal | None, tokens: int) -> None:
    """A model call has ended, and has cost so much. It runs in the context in which the call began."""
    account = BUDGETS.account
    if account is not None:
        said = _named_in(deduplication.current())
        subject = _subject(said.user if said else None, said.conversation if said else None, models)
        account.charge(subject, dollars, tokens, BUDGETS.clock())


at_fork(__name__, in_child=BUDGETS.renew)
