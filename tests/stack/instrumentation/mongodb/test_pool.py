"""Pools of connections to MongoDB: each connection counted where it is, whatever becomes of the client."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import uuid

import pymongo
import pytest
from pymongo import MongoClient
from pymongo.errors import ServerSelectionTimeoutError, WaitQueueTimeoutError
from support.databases import Figures, until
from support.process import free_port

from otel_chatbot.semconv import metrics as m

pytestmark = pytest.mark.usefixtures("sampler")


def test_pools_show_idle_and_used_connections_and_return_to_zero(mongo_server) -> None:
    figures = Figures()
    name = f"127.0.0.1:{mongo_server.port}"
    with MongoClient(mongo_server.uri, maxPoolSize=7) as client:
        db = client[f"chat{uuid.uuid4().hex[:12]}"]
        db.messages.insert_many([{"n": n} for n in range(9)])
        assert figures.series(m.DB_CONNECTIONS) == {("idle",): 1}
        assert figures.series(m.CONNECTION_COUNT) == {("mongodb", name, "idle"): 1}
        with client._get_topology().select_server(lambda s: s, "test").pool.checkout():
            assert figures.series(m.DB_CONNECTIONS) == {("used",): 1}
            db.messages.find_one({})
            assert figures.series(m.DB_CONNECTIONS) == {("used",): 1, ("idle",): 1}
        assert figures.series(m.DB_CONNECTIONS) == {("idle",): 2}
        assert figures.series(m.CONNECTION_MAX) == figures.series(m.CONNECTION_IDLE_MAX) == {("mongodb", name): 7}
        assert figures(m.CONNECTION_CREATE_TIME) == 2
        assert figures(m.CONNECTION_WAIT_TIME) == figures(m.CONNECTION_USE_TIME) == 3
    for spec in (m.DB_CONNECTIONS, m.CONNECTION_COUNT, m.CONNECTION_MAX, m.CONNECTION_PENDING, m.CONNECTION_IDLE_MAX):
        assert figures.series(spec) == {}


def test_two_clients_of_one_server_do_not_disturb_each_others_pools(mongo_server) -> None:
    figures = Figures()
    with MongoClient(mongo_server.uri) as one, MongoClient(mongo_server.uri) as two:
        for client in (one, two):
            client.admin.command("ping")
        assert figures.series(m.DB_CONNECTIONS) == {("idle",): 2}
        one.close()
        assert figures.series(m.DB_CONNECTIONS) == {("idle",): 1}
    assert figures.series(m.DB_CONNECTIONS) == {}


def test_waiting_too_long_for_a_connection_is_a_timeout_and_leaves_nothing_pending(mongo_server) -> None:
    figures = Figures()
    with MongoClient(mongo_server.uri, maxPoolSize=1, waitQueueTimeoutMS=100) as client:

        def wait_in_vain() -> None:
            with pytest.raises(WaitQueueTimeoutError):
                client.admin.command("ping")

        client.admin.command("ping")
        with client._get_topology().select_server(lambda s: s, "test").pool.checkout():
            waiter = threading.Thread(target=wait_in_vain)
            waiter.start()
            until(lambda: figures(m.CONNECTION_PENDING) == 1, "one pending request")
            waiter.join(10)
        assert figures(m.CONNECTION_TIMEOUTS) == 1
        assert figures(m.CONNECTION_PENDING) == 0


def test_a_server_that_is_not_there_is_no_timeout_of_the_pool() -> None:
    figures = Figures()
    with MongoClient(port=free_port(), serverSelectionTimeoutMS=100) as client, pytest.raises(ServerSelectionTimeoutError):
        client.admin.command("ping")
    assert figures.series(m.CONNECTION_TIMEOUTS) == figures.series(m.DB_CONNECTIONS) == {}


@pytest.mark.filterwarnings("ignore:Unclosed MongoClient:ResourceWarning")
def test_a_client_thrown_away_takes_its_connections_along(mongo_server) -> None:
    figures = Figures()
    client = MongoClient(mongo_server.uri)
    client.admin.command("ping")
    assert figures.series(m.DB_CONNECTIONS) == {("idle",): 1}
    del client
    gc.collect()
    assert figures.series(m.DB_CONNECTIONS) == figures.series(m.CONNECTION_MAX) == {}


def test_pools_of_an_async_client_return_to_zero(mongo_server) -> None:
    figures = Figures()

    async def chat() -> None:
        async with pymongo.AsyncMongoClient(mongo_server.uri) as client:
            await asyncio.gather(*(client.admin.command("ping") for _ in range(3)))
            assert figures(m.DB_CONNECTIONS, "idle") >= 1
            assert figures(m.DB_CONNECTIONS, "used") == 0
        await asyncio.sleep(0.05)

    asyncio.run(chat())
    assert figures.series(m.DB_CONNECTIONS) == figures.series(m.CONNECTION_MAX) == {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_forked_child_shows_its_own_pools_and_its_own_counts(client, db) -> None:
    db.messages.insert_one({"role": "user"})
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            empty = Figures._snapshot()
            db.messages.insert_one({"role": "user"})
            with MongoClient(*client.address) as own:
                own[db.name].messages.insert_one({"role": "user"})
                shown = Figures._snapshot()
            text = repr((
                sum(v for (name, _), v in empty.items() if name == m.DB_CONNECTIONS.name),
                shown[m.DB_CONNECTIONS.name, ("idle",)], shown[m.MESSAGES_SENT.name, ()],
                Figures._snapshot()[m.DB_CONNECTIONS.name, ("idle",)],
                sum(value for (name, _), value in shown.items() if name == m.CONNECTION_MAX.name),
            ))  # fmt: skip
        except BaseException as error:
            text = repr(error)
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    assert told == "(0.0, 2.0, 2.0, 1.0, 200.0)"
