"""MongoDB commands and pools: each counted once, timed, named by its error, and nothing of their content told."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from pathlib import Path

import pymongo
import pytest
from opentelemetry.instrumentation.pymongo import PymongoInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError, OperationFailure
from support.databases import TRACING, Figures, statement, unkept
from support.process import Process, free_port, port_open, program

from otel_chatbot.health import clients
from otel_chatbot.instrumentation.mongodb import hooks as instrumentation
from otel_chatbot.metrics import record
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m

pytestmark = pytest.mark.usefixtures("sampler")

COMMAND_METRICS = (m.DB_QUERIES, m.DB_QUERY_TIME, m.DB_CLIENT_DURATION)


class FailingMongo(Process):
    """A server of the test's own that fails commands when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        binary = program("secantusd-py", "run `make setup`")
        arguments = ["--port", str(self.port), "--storage-path", ":memory:", "--enable-test-commands"]
        super().__init__([binary, "--host", "127.0.0.1", *arguments], folder, name="mongo")
        self.wait(lambda: port_open(self.port), "secantusd-py")
        self.uri = f"mongodb://127.0.0.1:{self.port}/"


def counts(figures: Figures, *parts: object) -> list[float]:
    return [figures(spec, *parts) for spec in COMMAND_METRICS]


def test_every_command_is_counted_and_timed_with_its_operation_and_collection(client, db) -> None:
    figures = Figures()
    db.messages.insert_many([{"n": n} for n in range(5)])
    assert len(list(db.messages.find({}, batch_size=2))) == 5
    db.messages.aggregate([{"$match": {"n": 1}}]).close()
    db.messages.count_documents({})
    db.messages.delete_many({})
    client.admin.command("ping")
    host, port = client.address
    assert figures.series(m.DB_QUERIES) == {
        ("insert", "messages"): 1, ("find", "messages"): 1, ("getMore", "messages"): 2,
        ("aggregate", "messages"): 2, ("delete", "messages"): 1, ("ping",): 1,
    }  # fmt: skip
    assert figures.series(m.DB_QUERY_TIME) == figures.series(m.DB_QUERIES)
    assert figures.series(m.DB_CLIENT_DURATION) == {
        ("mongodb", operation, "messages", db.name, host, port): number
        for operation, number in (("insert", 1), ("find", 1), ("getMore", 2), ("aggregate", 2), ("delete", 1))
    } | {("mongodb", "ping", "admin", host, port): 1}


def test_what_the_driver_sends_for_itself_is_not_counted(mongo_server) -> None:
    figures = Figures()
    with MongoClient(mongo_server.uri, heartbeatFrequencyMS=500) as client:
        db = client[f"chat{uuid.uuid4().hex[:12]}"]
        db.messages.insert_many([{"n": n} for n in range(5)])
        cursor = db.messages.find({}, batch_size=2)
        next(cursor)
        cursor.close()  # killCursors
        client.admin.command("hello")
    assert figures.series(m.DB_QUERIES) == {("insert", "messages"): 1, ("find", "messages"): 1}


def test_a_failed_command_is_counted_with_the_name_and_the_code_of_its_error(client, db) -> None:
    figures = Figures()
    with pytest.raises(OperationFailure):
        db.command("no_such_command")
    assert figures.series(m.DB_QUERIES) == {("no_such_command", "CommandNotFound"): 1}
    assert counts(figures) == [1, 1, 1]
    assert figures(m.DB_CLIENT_DURATION, "CommandNotFound", "59") == 1


def test_a_refused_document_names_its_error_though_the_command_succeeds(client, db) -> None:
    db.messages.insert_one({"_id": 1})
    figures = Figures()
    with pytest.raises(DuplicateKeyError):
        db.messages.insert_one({"_id": 1})
    assert figures.series(m.DB_QUERIES) == {("insert", "messages", "DuplicateKey"): 1}
    assert figures(m.DB_CLIENT_DURATION, "DuplicateKey", "11000") == 1


def test_a_retried_write_is_two_commands_and_one_document(tmp_path) -> None:
    with FailingMongo(tmp_path) as server, MongoClient(server.uri, heartbeatFrequencyMS=500) as client:
        client.x.messages.insert_one({"role": "system"})
        figures = Figures()
        with record.own_traffic():
            client.admin.command(
                "configureFailPoint", "failCommand", mode={"times": 1},
                data={"failCommands": ["insert"], "closeConnection": True},
            )  # fmt: skip
        client.x.messages.insert_one({"role": "user"})
        assert figures.series(m.DB_QUERIES) == {("insert", "messages", "AutoReconnect"): 1, ("insert", "messages"): 1}
        assert figures(m.MESSAGES_SENT) == 1


def test_a_commit_that_fails_once_counts_its_documents_once(tmp_path) -> None:
    with (
        FailingMongo(tmp_path) as server,
        MongoClient(server.uri, heartbeatFrequencyMS=500) as client,
        client.start_session() as session,
    ):
        client.x.messages.insert_one({"role": "system"})
        figures = Figures()
        with record.own_traffic():
            client.admin.command(
                "configureFailPoint", "failCommand", mode={"times": 1},
                data={"failCommands": ["commitTransaction"], "errorCode": 91},
            )  # fmt: skip
        session.start_transaction()
        client.x.messages.insert_one({"role": "user"}, session=session)
        session.commit_transaction()
        assert figures(m.DB_QUERIES, "commitTransaction") == 2
        assert figures(m.MESSAGES_SENT) == 1


def test_what_the_package_sends_is_counted_nowhere_and_makes_no_span(client, db, mongo_server) -> None:
    db.messages.insert_one({})
    figures = Figures()
    TRACING.exporter.clear()
    with record.own_traffic():
        client.admin.command("ping")
        db.messages.insert_one({"role": "user"})
        with MongoClient(mongo_server.uri, appname=clients.OWN_APPNAME) as own:
            own.admin.command("ping")
    specs = (*COMMAND_METRICS, m.MESSAGES_SENT, m.DB_CONNECTIONS, m.CONNECTION_COUNT, m.CONNECTION_WAIT_TIME)
    specs += (m.CONNECTION_USE_TIME, m.CONNECTION_CREATE_TIME, m.CONNECTION_PENDING, m.CONNECTION_MAX)
    assert {spec.name: figures.series(spec) for spec in specs if figures.series(spec)} == {}
    assert TRACING.spans == ()


def test_threads_and_tasks_count_exactly(client, db, mongo_server, scale) -> None:
    figures = Figures()
    number = 50 * scale

    def work() -> None:
        for _ in range(number):
            db.messages.insert_one({"role": "user"})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    async def tasks() -> None:
        async with pymongo.AsyncMongoClient(mongo_server.uri) as other:
            await asyncio.gather(*(other[db.name].messages.insert_one({"role": "ai"}) for _ in range(number)))
            with pytest.raises(OperationFailure):
                await other[db.name].command("no_such_command")

    asyncio.run(tasks())
    assert figures(m.MESSAGES_SENT) == 4 * number
    assert figures(m.MESSAGES_RECEIVED) == number
    assert counts(figures, "insert") == [5 * number] * 3
    assert counts(figures, "no_such_command") == [1, 1, 1]


def test_a_cancelled_task_leaves_nothing_behind_that_spoils_the_next_command(mongo_server) -> None:
    async def chat() -> None:
        async with pymongo.AsyncMongoClient(mongo_server.uri) as client:
            await client.admin.command("ping")
            task = asyncio.create_task(client.x.command("ping"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await client.admin.command("ping")

    figures = Figures()
    asyncio.run(chat())
    assert figures(m.DB_QUERIES, "ping") == 2


def test_exemplars_name_the_request_in_which_the_command_ran(client, db, sampler) -> None:
    series = STORE.instrument(m.DB_QUERY_TIME).at(("find", "messages"))
    unkept(series)
    with TRACING.request() as span:
        db.messages.find_one({})
    cells = series._cells
    assert cells is not None
    trace_id = span.get_span_context().trace_id
    words = cells.cast("B").cast("Q").tolist()
    assert ([trace_id >> 64, trace_id & (2**64 - 1)] in [words[n : n + 2] for n in range(len(words))]) is (
        sampler == "always_on"
    )


def test_spans_are_upstreams_and_hold_no_value(client, db, sampler) -> None:
    secret = "s3cret-" + uuid.uuid4().hex
    with TRACING.request():
        db.messages.insert_one({"_id": secret, "text": secret})
        with pytest.raises(DuplicateKeyError):
            db.messages.insert_one({"_id": secret})
        db.messages.find_one({"text": secret})
        with pytest.raises(OperationFailure):
            db.messages.find_one({"$where": {secret: 1}})
        with pytest.raises(OperationFailure):
            db.command({"create": "messages", "capped": secret})
    if sampler == "always_off":
        assert TRACING.spans == ()
        return
    assert {span.name for span in TRACING.spans} == {
        "request", f"{db.name}.insert", f"{db.name}.find", f"{db.name}.create",
    }  # fmt: skip
    assert secret not in "".join(span.to_json() for span in TRACING.spans)
    failed = [span for span in TRACING.spans if not span.status.is_ok and span.name != "request"]
    assert len(failed) == 2
    assert all(span.status.description == span.attributes["error.type"] for span in failed)
    inserted = next(span for span in TRACING.spans if span.name.endswith(".insert"))
    assert statement(inserted) is None, "a text that is only the command's name says nothing"
    assert inserted.attributes["db.operation.name"] == "insert"
    assert inserted.attributes["db.namespace"] == db.name


def test_a_broken_tracer_reaches_neither_the_application_nor_the_figures(client, db, monkeypatch) -> None:
    from otel_chatbot import _guard

    monkeypatch.setattr(_guard.Guard, "strict", False)
    TRACING.broken = True
    figures = Figures()
    assert db.messages.find_one({}) is None
    TRACING.broken = False
    assert counts(figures, "find") == [1, 1, 1]


def test_a_client_older_than_the_instrumentation_is_named_in_one_line(mongo_server, caplog) -> None:
    instrumentation.uninstrument()
    with MongoClient(mongo_server.uri) as early:
        with caplog.at_level(logging.WARNING, logger="otel_chatbot"):
            instrumentation.instrument(TRACING)
            instrumentation.instrument(TRACING)
        assert [record.message.count("1 MongoDB client(s) were made before") for record in caplog.records] == [1]
        assert clients.mongo() is early
        figures = Figures()
        early.admin.command("ping")
        assert counts(figures) == [0, 0, 0]


def test_switched_off_nothing_is_counted_and_on_again_everything_once(client, db) -> None:
    figures = Figures()
    instrumentation.uninstrument()
    instrumentation.uninstrument()
    db.messages.insert_one({"role": "user"})
    assert counts(figures) == [0, 0, 0]
    instrumentation.instrument(TRACING)
    db.messages.insert_one({"role": "user"})
    assert counts(figures) == [1, 1, 1]
    assert figures(m.MESSAGES_SENT) == 1


def test_where_the_application_switches_upstreams_spans_on_there_is_one_set_of_spans(db, mongo_server, sampler) -> None:
    figures = Figures()
    PymongoInstrumentor().instrument(tracer_provider=TRACING)
    try:
        with TRACING.request(), MongoClient(mongo_server.uri) as theirs:
            theirs.admin.command("ping")
    finally:
        PymongoInstrumentor().uninstrument()
    db.command("ping")
    assert figures(m.DB_QUERIES, "ping") == 2
    pings = [span for span in TRACING.spans if span.name.endswith(".ping")]
    assert len(pings) == (2 if sampler == "always_on" else 0)


def test_what_is_not_to_be_instrumented_has_no_span(db) -> None:
    with TRACING.request(), suppress_instrumentation():
        db.command("ping")
    assert [span.name for span in TRACING.spans if span.name.endswith(".ping")] == []


def test_a_client_copied_from_another_is_counted_once(client, db) -> None:
    figures = Figures()
    with client._duplicate() as copy:
        copy.admin.command("ping")
        assert figures(m.DB_QUERIES) == 1
        assert figures.series(m.DB_CONNECTIONS) == {("idle",): 1}


def test_the_applications_own_listeners_still_hear_everything(mongo_server) -> None:
    class Theirs(pymongo.monitoring.CommandListener):
        heard: list[str] = []

        def started(self, event) -> None:
            self.heard.append(event.command_name)

        def succeeded(self, event) -> None: ...

        def failed(self, event) -> None: ...

    with MongoClient(mongo_server.uri, event_listeners=[Theirs()]) as client:
        client.admin.command("ping")
    assert Theirs.heard[0] == "ping"
    with pytest.raises(TypeError):
        MongoClient(mongo_server.uri, event_listeners="nonsense")
    Theirs.heard.clear()
