"""What no server will do on demand: transactions that are never ended, events that do not belong together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pymongo.monitoring import CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent
from support.databases import Figures, undisturbed

from otel_chatbot.instrumentation.mongodb import commands
from otel_chatbot.instrumentation.mongodb import transactions as mongo_transactions
from otel_chatbot.instrumentation.mongodb.commands import CommandFigures
from otel_chatbot.instrumentation.mongodb.documents import NOTHING, Counts
from otel_chatbot.instrumentation.mongodb.transactions import Transactions
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.semconv import metrics as m

ADDRESS = ("db.example", 27017)


def of(session: bytes, number: int) -> dict:
    return {"lsid": {"id": session}, "txnNumber": number, "autocommit": False}


def test_an_aborted_transaction_is_forgotten_at_once() -> None:
    transactions = Transactions()
    transactions.add(of(b"a", 1), Counts(1, 2, 3))
    transactions.abort(of(b"a", 1))
    assert transactions.commit(of(b"a", 1)) == NOTHING


def test_a_new_transaction_of_a_session_ends_the_one_before_and_leaves_other_sessions_alone() -> None:
    transactions = Transactions()
    transactions.add(of(b"a", 1), Counts(1))
    transactions.add(of(b"b", 1), Counts(5))
    transactions.add(of(b"a", 2), Counts(2))
    transactions.add(of(b"a", 2), Counts(2))
    assert transactions.commit(of(b"a", 1)) == NOTHING
    assert transactions.commit(of(b"b", 1)) == Counts(5)
    assert transactions.commit(of(b"b", 1)) == NOTHING


def test_transactions_that_never_end_do_not_pile_up(monkeypatch) -> None:
    monkeypatch.setattr(mongo_transactions, "_LIMIT", 10)
    transactions = Transactions()
    for number in range(100):
        transactions.add(of(b"%d" % number, 1), Counts(1))
    assert len(transactions._open) == 10
    assert transactions.commit(of(b"99", 1)) == Counts(1)
    assert transactions.commit(of(b"0", 1)) == NOTHING


def started(name: str, command: dict, number: int = 1) -> CommandStartedEvent:
    return CommandStartedEvent({name: "messages", **command}, "chat", number, ADDRESS, number)


def succeeded(name: str, reply: dict, number: int = 1) -> CommandSucceededEvent:
    return CommandSucceededEvent(dt.timedelta(seconds=1), reply, name, number, ADDRESS, number)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandFigures]:
    monkeypatch.setattr(CommandFigures, "enabled", True)
    with undisturbed(), deduplication.request_scope():
        record.activate(m.DB_QUERIES, m.DB_QUERY_TIME, m.MESSAGES_SENT)
        yield CommandFigures()


def test_the_end_of_a_command_whose_start_was_not_seen_is_not_taken_for_anothers(listener: CommandFigures) -> None:
    figures = Figures()
    listener.started(started("insert", {"documents": [{"role": "user"}]}, 1))
    listener.succeeded(succeeded("find", {"ok": 1}, 2))
    assert figures.series(m.DB_QUERIES) == {}
    listener.succeeded(succeeded("insert", {"ok": 1, "n": 1}, 1))
    listener.succeeded(succeeded("insert", {"ok": 1, "n": 1}, 1))
    assert figures.series(m.DB_QUERIES) == {("insert", "messages"): 1}
    assert figures(m.MESSAGES_SENT) == 1


def test_a_bulk_reply_that_goes_on_in_a_cursor_is_settled_by_its_totals(listener: CommandFigures) -> None:
    figures = Figures()
    ops = [{"insert": 0, "document": {"role": "user"}} for _ in range(5)]
    command = {"ops": ops, "nsInfo": [{"ns": "chat.messages"}], "ordered": False, "errorsOnly": False}
    listener.started(CommandStartedEvent({"bulkWrite": 1, **command}, "admin", 7, ADDRESS, 7))
    first = {"id": 99, "ns": "admin.$cmd.bulkWrite", "firstBatch": [{"ok": 0, "idx": 0, "code": 11000}]}
    reply = {"ok": 1, "cursor": first, "nErrors": 3, "nInserted": 2, "nUpserted": 0, "nModified": 0}
    listener.succeeded(succeeded("bulkWrite", reply, 7))
    assert figures(m.MESSAGES_SENT) == 2
    assert figures.series(m.DB_QUERIES) == {("bulkWrite", "messages"): 1}
    push = {"update": 0, "filter": {}, "updateMods": {"$push": {"messages": {"role": "user"}}}, "multi": False}
    command = {"ops": [push] * 3, "nsInfo": [{"ns": "chat.conversations"}], "errorsOnly": False}
    listener.started(CommandStartedEvent({"bulkWrite": 1, **command}, "admin", 8, ADDRESS, 8))
    first = {"id": 99, "ns": "admin.$cmd.bulkWrite", "firstBatch": [{"ok": 1, "idx": 0, "n": 1, "nModified": 1}]}
    listener.succeeded(succeeded("bulkWrite", {"ok": 1, "cursor": first, "nModified": 3}, 8))
    assert figures(m.MESSAGES_SENT) == 5


def test_a_commands_figures_have_each_value_under_its_own_name(listener: CommandFigures) -> None:
    figures = Figures()
    listener.started(CommandStartedEvent({"find": "messages"}, "chat", 3, ADDRESS, 3))
    failure = {"ok": 0, "code": 50, "codeName": "MaxTimeMSExpired", "errmsg": "late"}
    listener.failed(CommandFailedEvent(dt.timedelta(seconds=1), failure, "find", 3, ADDRESS, 3, database_name="chat"))
    command = {"db.operation.name": "find", "db.collection.name": "messages"}
    assert figures.named(m.DB_QUERIES) == [({**command, "error.type": "MaxTimeMSExpired"}, 1)]
    assert figures.named(m.DB_QUERY_TIME) == [(command, 1)]
    [(measured, count)] = figures.named(m.DB_CLIENT_DURATION)
    assert count == 1
    assert measured == {
        **command,
        "db.system.name": "mongodb",
        "db.namespace": "chat",
        "db.response.status_code": "50",
        "error.type": "MaxTimeMSExpired",
        "server.address": "db.example",
        "server.port": 27017,
    }


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (("db.example", 27017), {"server.address": "db.example", "server.port": 27017}),
        (("shard-00-01.abc.mongodb.net", 27018), {"server.address": "shard-00-01.abc.mongodb.net", "server.port": 27018}),
        (("2001:db8::1", 27017), {"server.address": "2001:db8::1", "server.port": 27017}),
        (("/tmp/mongodb-27017.sock", None), {"server.address": "/tmp/mongodb-27017.sock"}),
    ],
)
def test_a_span_says_the_command_the_database_and_the_server_that_took_it(
    address: tuple, told: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CommandFigures, "enabled", True)  # tests that switch MongoDB's figures off leave them so
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    kept = dict(vars(commands.SPANS))
    commands.SPANS.switch_on(provider)
    figures = CommandFigures()
    figures.started(CommandStartedEvent({"find": "messages"}, "chat", 7, address, 7))
    figures.succeeded(CommandSucceededEvent(dt.timedelta(seconds=1), {"ok": 1}, "find", 7, address, 7))
    vars(commands.SPANS).update(kept)
    [span] = exporter.get_finished_spans()
    assert span.attributes == {
        "db.system.name": "mongodb", "db.namespace": "chat", "db.operation.name": "find", "db.collection.name": "messages", **told,
    }  # fmt: skip
