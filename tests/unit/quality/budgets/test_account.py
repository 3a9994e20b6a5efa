"""The account of what was spent, in both kinds of ledger: exact over workers, and while the ledger goes away and comes back."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from support import ledgers
from support.databases import Figures
from support.process import free_port
from support.servers import RedisServer

from otel_chatbot.quality.budgets.account import Account
from otel_chatbot.quality.budgets.book import Book, Subject
from otel_chatbot.quality.budgets.rows import load
from otel_chatbot.quality.ledger import Ledger, LedgerUnavailable
from otel_chatbot.semconv import metrics as m

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.timezone.utc).timestamp()
CENT = Decimal("0.01")
NOBODY = Subject()


@pytest.fixture(params=ledgers.ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    if request.param == "sqlite":
        yield "sqlite", str(tmp_path / "ledger.sqlite")
        return
    with RedisServer(tmp_path) as server:
        yield "redis", server.url


def account(rows: str, ledger: Ledger) -> Account:
    return Account(Book(load(rows), dt.timezone.utc), ledger)


def spent(account: Account, subject: Subject = NOBODY, now: float = NOW) -> list[int]:
    return account.spent(account.book.entries(subject, now))


def test_what_several_workers_spend_at_once_adds_up_exactly(place: tuple[str, str]) -> None:
    workers = [account("app day 20 USD; user day 9 tokens", ledgers.ledger(*place)) for _ in range(4)]

    def work(one: Account) -> None:
        for number in range(25):
            one.charge(Subject(user=f"u{number % 2}"), CENT, 3, NOW)

    threads = [threading.Thread(target=work, args=(one,)) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    later_run = account("app day 20 USD; user day 9 tokens", ledgers.ledger(*place))
    assert spent(later_run, Subject(user="u0")) == [100 * 10**7, 4 * 13 * 3]
    assert spent(later_run, Subject(user="u1")) == [100 * 10**7, 4 * 12 * 3]
    assert spent(later_run, Subject(user="u0"), NOW + 86400) == [0, 0]


def test_of_many_users_the_highest_is_known_and_how_many_have_reached_a_level(place: tuple[str, str]) -> None:
    one, other = (account("user day 100 tokens", ledgers.ledger(*place)) for _ in range(2))
    for user, tokens, where in (("a", 79, one), ("b", 85, other), ("c", 70, one), ("c", 50, other), ("c", 1, one)):
        where.charge(Subject(user=user), None, tokens, NOW)
    [entry] = one.book.entries(Subject(user="anybody"), NOW)
    everybody = entry._replace(who="")
    assert one.of_all([everybody]) == [121]
    assert one.reached(everybody) == [2, 1]


def test_the_highest_of_many_is_exact_to_a_hundredth_and_exact_where_a_limit_is_reached(place: tuple[str, str]) -> None:
    one = account("user day 1000 tokens", ledgers.ledger(*place))
    [entry] = one.book.entries(Subject(user="ada"), NOW)
    shown = []
    for tokens in (990, 5, 5, 5):
        one.charge(Subject(user="ada"), None, tokens, NOW)
        shown += one.of_all([entry._replace(who="")])
    assert shown == [990, 990, 1000, 1000]


def test_amounts_wait_while_redis_is_away_and_are_added_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = ("--appendonly", "yes", "--appendfsync", "always", "--dir", str(tmp_path))
    port, figures = free_port(), Figures()
    one, other = (
        account("app day 20 USD", ledgers.ledger("redis", f"redis://127.0.0.1:{port}/0", pause=0.0)) for _ in range(2)
    )
    with RedisServer(tmp_path, port, *kept):
        one.charge(NOBODY, CENT, 1, NOW)
        other.charge(NOBODY, CENT, 1, NOW)
    one.charge(NOBODY, CENT, 1, NOW)
    one.charge(NOBODY, CENT, 1, NOW)
    with pytest.raises(LedgerUnavailable):
        spent(other)
    assert sorted(figures.named(m.LEDGER_UNAVAILABLE), key=str) == [
        ({"chatbot.ledger.use": "check"}, 1.0),
        ({"chatbot.ledger.use": "spend"}, 2.0),
    ]
    with RedisServer(tmp_path, port, *kept):
        assert spent(other) == [2 * 10**7]  # what another worker keeps is not known yet
        assert spent(one) == spent(other) == [4 * 10**7]
        one.charge(NOBODY, CENT, 1, NOW)
        assert spent(one) == [5 * 10**7]
    said = [message for message in caplog.messages if "spent" in message or "back" in message]
    assert len([message for message in said if message.startswith("nobody can tell what was spent")]) == 2  # once per worker
    assert len([message for message in said if message.startswith("the ledger is back")]) == 2


def test_a_child_of_a_fork_adds_nothing_that_its_parent_has_kept(tmp_path: Path) -> None:
    place = f"redis://127.0.0.1:{free_port()}/0"
    parent = account("app day 20 USD", ledgers.ledger("redis", place, pause=0.0))
    parent.charge(NOBODY, CENT, 1, NOW)
    parent.renew()
    parent._ledger = ledgers.ledger("sqlite", str(tmp_path / "ledger.sqlite"))
    assert spent(parent) == [0]
