"""Conversations and messages are counted from what MongoDB acknowledges, by a real server's replies."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterator

import bson
import pymongo
import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, MongoClient, ReplaceOne, UpdateMany, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError, ClientBulkWriteException, DuplicateKeyError
from support.databases import TRACING, Figures, undisturbed
from support.servers import MongoServer

from otel_chatbot.instrumentation.chats.current import WARNED
from otel_chatbot.instrumentation.mongodb import hooks as instrumentation
from otel_chatbot.metrics import deduplication
from otel_chatbot.semconv import metrics as m

USER = {"role": "user", "text": "hello"}
BOT = {"role": "assistant", "text": "hi"}
OTHER = {"role": "system", "text": "be kind"}


class Counted:
    """The three business counters since the test began, as a tuple: conversations, sent, received."""

    def __init__(self) -> None:
        self.figures = Figures()

    def __call__(self) -> tuple[float, float, float]:
        return tuple(map(self.figures, (m.CONVERSATIONS_CREATED, m.MESSAGES_SENT, m.MESSAGES_RECEIVED)))


@pytest.fixture(autouse=True, params=["always_on", "always_off"])
def sampled(request: pytest.FixtureRequest) -> Iterator[None]:
    with undisturbed(), deduplication.request_scope():
        TRACING.sampler = request.param
        instrumentation.instrument(TRACING)
        WARNED.clear()
        yield
        instrumentation.uninstrument()
        TRACING.sampler = "always_on"


@pytest.fixture
def client(sampled: None, mongo_server: MongoServer, capfd: pytest.CaptureFixture) -> Iterator[MongoClient]:
    with MongoClient(mongo_server.uri) as client:
        yield client
    assert "Traceback" not in capfd.readouterr().err, "pymongo prints what a listener raises"


@pytest.fixture
def db(client: MongoClient) -> pymongo.database.Database:
    return client[f"chat{uuid.uuid4().hex[:12]}"]


@pytest.fixture
def counted(db: pymongo.database.Database) -> Counted:
    return Counted()


def test_each_inserted_conversation_counts_and_so_do_its_first_messages_by_role(db, counted) -> None:
    db.conversations.insert_one({"title": "empty"})
    db.conversations.insert_one({"messages": [USER, BOT, BOT, OTHER]})
    db.conversations.insert_many([{"messages": [USER]}, {"messages": None}, {"messages": "not a list"}])
    assert counted() == (5, 2, 2)


def test_each_inserted_message_counts_by_its_role_and_other_roles_do_not(db, counted) -> None:
    db.messages.insert_one(dict(USER))
    db.messages.insert_many([{"role": role} for role in ("human", "ai", "bot", "model", "assistant", "tool", None, 7)])
    db.messages.insert_one({"text": "no role"})
    assert counted() == (0, 2, 4)


def test_other_collections_count_as_no_message(db, counted) -> None:
    db.notes.insert_many([dict(USER), {"messages": [USER]}])
    db.notes.update_one({"_id": 1}, {"$push": {"messages": USER}}, upsert=True)
    assert counted() == (0, 0, 0)


def test_an_ordered_batch_counts_up_to_its_first_error(db, counted) -> None:
    with pytest.raises(BulkWriteError):
        db.messages.insert_many([{"_id": 1, **USER}, {"_id": 2, **BOT}, {"_id": 1, **USER}, {"_id": 3, **USER}])
    assert counted() == (0, 1, 1)


def test_an_unordered_batch_counts_all_but_its_errors(db, counted) -> None:
    documents = [{"_id": 1, **USER}, {"_id": 1, **USER}, {"_id": 2, **BOT}, {"_id": 1, **BOT}, {"_id": 3, **USER}]
    with pytest.raises(BulkWriteError):
        db.messages.insert_many(documents, ordered=False)
    assert counted() == (0, 2, 1)


def test_a_refused_document_does_not_count(db, counted) -> None:
    db.messages.insert_one({"_id": 1, **USER})
    with pytest.raises(DuplicateKeyError):
        db.messages.insert_one({"_id": 1, **USER})
    assert counted() == (0, 1, 0)


def test_an_unacknowledged_write_counts_what_was_sent(db, counted) -> None:
    unacknowledged = db.get_collection("messages", write_concern=WriteConcern(w=0))
    unacknowledged.insert_one({"_id": 1, **USER})
    unacknowledged.insert_one({"_id": 1, **USER})
    unacknowledged.insert_many([dict(USER), dict(BOT)], ordered=False)
    assert counted() == (0, 3, 1)


def test_unacknowledged_updates_upserts_and_replacements_count_nothing_for_nobody_says_what_they_changed(db, counted) -> None:
    db.conversations.insert_one({"_id": 1})
    unacknowledged = db.get_collection("conversations", write_concern=WriteConcern(w=0))
    unacknowledged.update_one({"_id": 1}, {"$push": {"messages": USER}})
    unacknowledged.update_one({"_id": 2}, {"$set": {"messages": [BOT]}}, upsert=True)
    unacknowledged.replace_one({"_id": 1}, {"messages": [USER]})
    unacknowledged.bulk_write([UpdateOne({"_id": 1}, {"$push": {"messages": USER}})], ordered=False)
    assert counted() == (1, 0, 0)


def test_raw_bson_documents_count_as_others_do(db, counted) -> None:
    db.messages.insert_many([RawBSONDocument(bson.encode(USER)), RawBSONDocument(bson.encode(BOT))])
    db.conversations.insert_one(RawBSONDocument(bson.encode({"messages": [USER, BOT]})))
    assert counted() == (1, 2, 2)


def test_pushed_messages_count_by_role_when_a_document_changed(db, counted) -> None:
    db.conversations.insert_one({"_id": 1})
    db.conversations.update_one({"_id": 1}, {"$push": {"messages": USER}})
    db.conversations.update_one({"_id": 1}, {"$push": {"messages": {"$each": [BOT, USER, OTHER], "$slice": -2}}})
    db.conversations.update_one({"_id": 1}, {"$push": {"tags": USER}, "$set": {"title": "x"}})
    db.conversations.update_one({"_id": "none"}, {"$push": {"messages": USER}})
    assert counted() == (1, 2, 1)


def test_a_push_to_many_conversations_counts_for_each_that_changed(db, counted) -> None:
    db.conversations.insert_many([{"kind": "a"}, {"kind": "a"}, {"kind": "b"}])
    db.conversations.update_many({"kind": "a"}, {"$push": {"messages": {"$each": [USER, BOT]}}})
    assert counted() == (3, 2, 2)


def test_an_upsert_that_creates_a_conversation_counts_it_with_its_messages(db, counted) -> None:
    change = {"$push": {"messages": USER}, "$setOnInsert": {"title": "new"}}
    db.conversations.update_one({"_id": 1}, change, upsert=True)
    assert counted() == (1, 1, 0)
    db.conversations.update_one({"_id": 1}, change, upsert=True)
    assert counted() == (1, 2, 0)
    db.conversations.update_one({"_id": 2}, {"$setOnInsert": {"messages": [USER, BOT]}}, upsert=True)
    db.conversations.replace_one({"_id": 3}, {"messages": [BOT]}, upsert=True)
    db.conversations.update_many({"_id": 4}, [{"$set": {"messages": [USER]}}], upsert=True)
    assert counted() == (4, 4, 2)


def test_an_upserted_message_counts_by_the_role_that_it_is_given(db, counted) -> None:
    db.messages.update_one({"_id": 1}, {"$set": USER}, upsert=True)
    db.messages.update_one({"_id": 1}, {"$set": USER}, upsert=True)
    db.messages.update_one({"_id": 2}, {"$setOnInsert": BOT}, upsert=True)
    db.messages.update_one({"_id": 3, "role": "user"}, {"$set": {"text": "x"}}, upsert=True)
    db.messages.replace_one({"_id": 4}, BOT, upsert=True)
    assert counted() == (0, 2, 2)


def test_find_and_modify_counts_upserts_and_pushes(db, counted) -> None:
    db.conversations.find_one_and_update({"_id": 1}, {"$push": {"messages": USER}}, upsert=True)
    db.conversations.find_one_and_update({"_id": 1}, {"$push": {"messages": BOT}}, upsert=True)
    db.conversations.find_one_and_update({"_id": "none"}, {"$push": {"messages": BOT}})
    db.conversations.find_one_and_replace({"_id": 2}, {"messages": [USER, USER]}, upsert=True)
    db.conversations.find_one_and_delete({"_id": 2})
    db.messages.find_one_and_update({"_id": 1}, {"$set": BOT}, upsert=True)
    assert counted() == (2, 3, 2)


def test_a_bulk_of_updates_counts_upserts_by_their_place_and_pushes_when_all_changed(db, counted) -> None:
    db.conversations.insert_many([{"_id": 1}, {"_id": 2}])
    db.conversations.bulk_write([
        UpdateOne({"_id": 1}, {"$push": {"messages": USER}}),
        UpdateOne({"_id": 2}, {"$push": {"messages": {"$each": [USER, BOT]}}}),
        UpdateOne({"_id": 3}, {"$push": {"messages": BOT}}, upsert=True),
        InsertOne({"_id": 4, "messages": [BOT]}),
    ])  # fmt: skip
    assert counted() == (4, 2, 3)


def test_a_bulk_of_equal_updates_counts_as_many_as_changed(db, counted) -> None:
    db.conversations.insert_one({"_id": 1})
    db.conversations.bulk_write([UpdateOne({"_id": n}, {"$push": {"messages": USER}}) for n in (1, 5, 1, 6)])
    assert counted() == (1, 2, 0)


def test_a_reply_that_does_not_tell_which_update_changed_counts_nothing_and_says_so_once(db, counted, caplog) -> None:
    db.conversations.insert_one({"_id": 1})
    mixed = [
        UpdateOne({"_id": 1}, {"$push": {"messages": USER}}),
        UpdateOne({"_id": "none"}, {"$push": {"messages": BOT}}),
    ]
    with caplog.at_level(logging.WARNING):
        db.conversations.bulk_write(mixed)
        db.conversations.bulk_write(mixed)
        db.conversations.bulk_write([UpdateMany({"_id": 1}, {"$push": {"messages": USER}}), UpdateOne({}, {"$set": {"a": 1}})])
    assert counted() == (1, 0, 0)
    assert [record.message.count("does not say which") for record in caplog.records] == [1]


def test_replacing_a_whole_array_that_nobody_read_counts_nothing_and_warns_once(db, counted, caplog) -> None:
    db.conversations.insert_many([{"_id": n, "messages": [USER]} for n in range(20)])
    with caplog.at_level(logging.WARNING), deduplication.request_scope():
        db.conversations.update_one({"_id": 1}, {"$set": {"messages": [USER, BOT]}})
        db.conversations.replace_one({"_id": 2}, {"messages": [USER, BOT, USER]})
        db.conversations.update_one({"_id": 3}, [{"$set": {"messages": {"$slice": ["$messages", 1]}, "n": 1}}])
    assert counted() == (20, 20, 0)
    assert [record.message.count("whole array") for record in caplog.records] == [1]


def test_a_committed_transaction_counts_at_its_commit_and_an_aborted_one_never(client, db, counted) -> None:
    with client.start_session() as session:
        with session.start_transaction():
            db.messages.insert_one(dict(USER), session=session)
            db.conversations.update_one({"_id": 1}, {"$push": {"messages": BOT}}, upsert=True, session=session)
            assert counted() == (0, 0, 0)
        assert counted() == (1, 1, 1)
        session.start_transaction()
        db.messages.insert_one(dict(USER), session=session)
        session.abort_transaction()
        with session.start_transaction():
            db.messages.insert_one(dict(BOT), session=session)
    assert counted() == (1, 1, 2)


def test_a_commit_that_is_repeated_counts_once(client, db, counted) -> None:
    with client.start_session() as session:
        session.start_transaction()
        db.messages.insert_one(dict(USER), session=session)
        session.commit_transaction()
        session.commit_transaction()
    assert counted() == (0, 1, 0)


@pytest.mark.parametrize("verbose", [False, True])
def test_a_client_bulk_write_counts_over_collections(client, db, counted, verbose: bool) -> None:
    messages, conversations = f"{db.name}.messages", f"{db.name}.conversations"
    db.conversations.insert_one({"_id": 1})
    client.bulk_write(
        [
            InsertOne(dict(USER), namespace=messages),
            InsertOne(dict(USER), namespace=f"{db.name}.notes"),
            UpdateOne({"_id": 1}, {"$push": {"messages": BOT}}, namespace=conversations),
            UpdateOne({"_id": 2}, {"$push": {"messages": USER}}, upsert=True, namespace=conversations),
            ReplaceOne({"_id": 3}, {"messages": [BOT, BOT]}, upsert=True, namespace=conversations),
            pymongo.DeleteOne({"_id": 1}, namespace=conversations),
        ],
        verbose_results=verbose,
    )
    assert counted() == (3, 2, 3)


def test_verbose_results_tell_which_of_several_updates_changed(client, db, counted) -> None:
    conversations = f"{db.name}.conversations"
    db.conversations.insert_one({"_id": 1})
    client.bulk_write(
        [
            UpdateOne({"_id": 1}, {"$push": {"messages": BOT}}, namespace=conversations),
            UpdateOne({"_id": "none"}, {"$push": {"messages": USER}}, namespace=conversations),
        ],
        verbose_results=True,
    )
    assert counted() == (1, 0, 1)


@pytest.mark.parametrize(("ordered", "expected"), [(True, (0, 1, 0)), (False, (0, 1, 1))])
def test_a_client_bulk_write_with_errors_counts_what_was_written(client, db, counted, ordered: bool, expected) -> None:
    messages = f"{db.name}.messages"
    models = [InsertOne({"_id": n, **doc}, namespace=messages) for n, doc in ((1, USER), (1, USER), (2, BOT))]
    with pytest.raises(ClientBulkWriteException):
        client.bulk_write(models, ordered=ordered)
    assert counted() == expected


def test_an_unacknowledged_client_bulk_write_counts_what_was_sent(client, db, counted) -> None:
    models = [InsertOne(dict(USER), namespace=f"{db.name}.messages") for _ in range(3)]
    client.bulk_write(models, ordered=False, write_concern=WriteConcern(w=0))
    assert counted() == (0, 3, 0)


def test_the_names_of_collections_fields_and_roles_are_settings(db, counted, monkeypatch) -> None:
    from otel_chatbot import config

    settings = config.Settings(
        conversations_collection="chats", messages_collection="lines", messages_field="log.lines",
        role_field="author.kind", user_roles=("guest",), assistant_roles=("clerk",),
    )  # fmt: skip
    monkeypatch.setattr(config, "current", lambda: settings)
    guest, clerk = {"author": {"kind": "guest"}}, {"author": {"kind": "clerk"}}
    db.lines.insert_many([dict(guest), dict(clerk), dict(clerk), dict(USER)])
    db.chats.insert_one({"_id": 1, "log": {"lines": [guest]}})
    db.chats.update_one({"_id": 1}, {"$push": {"log.lines": clerk}})
    db.chats.update_one({"_id": 2}, {"$set": {"log.lines": [guest]}}, upsert=True)
    db.conversations.insert_one({"messages": [USER]})
    assert counted() == (2, 3, 3)


def test_the_async_client_counts_alike(mongo_server, sampled, capfd) -> None:
    async def chat() -> None:
        async with pymongo.AsyncMongoClient(mongo_server.uri) as client:
            db = client[f"chat{uuid.uuid4().hex[:12]}"]
            await db.conversations.insert_one({"_id": 1, "messages": [USER]})
            await db.conversations.update_one({"_id": 1}, {"$push": {"messages": BOT}})
            await asyncio.gather(*(db.messages.insert_many([dict(USER), dict(BOT)]) for _ in range(5)))
            async with client.start_session() as session:
                async with await session.start_transaction():
                    await db.messages.insert_one(dict(USER), session=session)
                await session.start_transaction()
                await db.messages.insert_one(dict(USER), session=session)
                await session.abort_transaction()

    counted = Counted()
    asyncio.run(chat())
    assert counted() == (1, 7, 6)
    assert "Traceback" not in capfd.readouterr().err
