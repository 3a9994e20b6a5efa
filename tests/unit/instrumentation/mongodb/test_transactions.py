"""What transactions have written counts when they commit, once, and not at all when they are aborted or given up."""

from __future__ import annotations

from typing import Any

import pytest

from otel_chatbot.instrumentation.chats.counts import NOTHING, RECEIVED, SENT, Counts
from otel_chatbot.instrumentation.mongodb import transactions
from otel_chatbot.instrumentation.mongodb.transactions import Transactions, identity_of, in_transaction


def command(session: bytes = b"s", number: int = 1, **more: Any) -> dict[str, Any]:
    return {"lsid": {"id": session}, "txnNumber": number, **more}


def test_what_was_written_counts_with_the_commit_and_a_retried_commit_counts_nothing() -> None:
    kept = Transactions()
    kept.add(command(), SENT)
    kept.add(command(), RECEIVED)
    assert kept.commit(command()) == Counts(0, 1, 1)
    assert kept.commit(command()) is NOTHING


def test_an_aborted_transaction_counts_nothing() -> None:
    kept = Transactions()
    kept.add(command(), SENT)
    kept.abort(command())
    assert kept.commit(command()) is NOTHING


def test_a_new_number_on_a_session_ends_the_transaction_before() -> None:
    kept = Transactions()
    kept.add(command(number=1), SENT)
    kept.add(command(number=2), RECEIVED)
    assert kept.commit(command(number=2)) == RECEIVED
    kept.add(command(number=3), SENT)
    assert kept.commit(command(number=4)) is NOTHING


def test_sessions_are_apart() -> None:
    kept = Transactions()
    kept.add(command(b"one"), SENT)
    kept.add(command(b"two"), RECEIVED)
    assert kept.commit(command(b"one")) == SENT
    assert kept.commit(command(b"two")) == RECEIVED


def test_in_a_forked_child_the_parents_transactions_are_forgotten() -> None:
    kept = Transactions()
    kept.add(command(), SENT)
    kept.forget()
    assert kept.commit(command()) is NOTHING


def test_transactions_that_never_end_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "_LIMIT", 2)
    kept = Transactions()
    for session in (b"one", b"two", b"three"):
        kept.add(command(session), SENT)
    assert [kept.commit(command(session)) for session in (b"one", b"two", b"three")] == [NOTHING, SENT, SENT]


def test_a_command_of_a_transaction_is_told_by_its_autocommit_and_kept_without_its_documents() -> None:
    assert [in_transaction(command(**more)) for more in ({"autocommit": False}, {"autocommit": True}, {})] == [
        True,
        False,
        False,
    ]
    assert identity_of(command(documents=[1])) == command()
