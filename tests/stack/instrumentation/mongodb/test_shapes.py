"""Chats are counted as the chatbots that exist store them, with no setting; what only looks like a chat is not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from bson import encode
from bson.raw_bson import RawBSONDocument
from opentelemetry.trace import INVALID_SPAN_CONTEXT
from pymongo import MongoClient, monitoring
from pymongo.database import Database
from support.chat_shapes import NONE, SHAPES, Shape, a, q
from support.databases import TRACING, Figures, undisturbed
from support.servers import MongoServer

from otel_chatbot import _wiring
from otel_chatbot.instrumentation.chats.current import WARNED
from otel_chatbot.instrumentation.common import chat_turn
from otel_chatbot.instrumentation.mongodb import hooks as instrumentation
from otel_chatbot.instrumentation.mongodb import unrecognised
from otel_chatbot.metrics import deduplication
from otel_chatbot.semconv import metrics as m


class Truth(monitoring.CommandListener):
    """What was said in commands that the server has done: knows no field, only texts that begin with Q or A."""

    def __init__(self) -> None:
        self._sent: dict[int, Any] = {}
        self.said: set[str] = set()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self._sent[event.request_id] = encode(event.command).decode("latin-1")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        words = self._sent.pop(event.request_id).replace('"', "\0").split("\0")
        self.said |= {word for word in words if word[:1] in {"Q", "A"} and word[1:].isdigit()}

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        del self._sent[event.request_id]

    def count(self) -> tuple[int, int]:
        return sum(word[0] == "Q" for word in self.said), sum(word[0] == "A" for word in self.said)


class Chat:
    """A database, what was counted in it, and the truth."""

    def __init__(self, uri: str) -> None:
        self.truth = Truth()
        self.client: MongoClient = MongoClient(uri, event_listeners=[self.truth])
        self.db: Database = self.client[f"chat{uuid.uuid4().hex[:12]}"]
        self.figures = Figures()

    def counted(self) -> tuple[int, ...]:
        specs = (m.CONVERSATIONS_CREATED, m.MESSAGES_SENT, m.MESSAGES_RECEIVED)
        return tuple(int(self.figures(spec)) for spec in specs)


@pytest.fixture
def chat(mongo_server: MongoServer, capfd: pytest.CaptureFixture) -> Iterator[Chat]:
    with undisturbed(), deduplication.request_scope():
        instrumentation.instrument(TRACING)
        WARNED.clear()
        chat = Chat(mongo_server.uri)
        yield chat
        chat.client.close()
        instrumentation.uninstrument()
    assert "Traceback" not in capfd.readouterr().err, "pymongo prints what a listener raises"


@pytest.mark.parametrize("shape", SHAPES, ids=[shape.name for shape in SHAPES])
def test_a_chat_counts_as_it_is_stored(chat: Chat, shape: Shape) -> None:
    shape.write(chat.db)
    said = chat.truth.count()
    assert any(said)
    assert chat.counted() == (shape.conversations, *said)


@pytest.mark.parametrize("shape", NONE, ids=[shape.name for shape in NONE])
def test_what_only_looks_like_a_chat_counts_as_nothing(chat: Chat, shape: Shape) -> None:
    shape.write(chat.db)
    assert chat.counted() == (0, 0, 0)


def test_raw_documents_are_recognised_as_others_are(chat: Chat) -> None:
    chat.db.history.insert_one(RawBSONDocument(encode({"chat_id": 1, "question": q(), "answer": a()})))
    chat.db.chats.insert_one(RawBSONDocument(encode({"messages": [{"sender": "bot", "text": a()}]})))
    assert chat.counted() == (1, *chat.truth.count())


def test_failed_writes_of_any_shape_count_nothing(chat: Chat, mongo_server: MongoServer) -> None:
    mongo_server.fail("insert")
    with pytest.raises(pymongo.errors.OperationFailure):
        chat.db.chats.insert_one({"question": q(), "answer": a()})
    assert chat.counted() == (0, 0, 0) == (0, *chat.truth.count())


def test_the_whole_array_without_a_read_is_not_guessed_and_said_once(chat: Chat, caplog: pytest.LogCaptureFixture) -> None:
    chat.db.chats.insert_one({"_id": 1, "messages": []})
    with deduplication.request_scope():
        for _ in range(2):
            chat.db.chats.update_one({"title": {"$exists": False}}, {"$set": {"messages": [{"role": "user", "content": q()}]}})
    assert chat.counted() == (1, 0, 0)
    assert [record.message.count("whole array") for record in caplog.records] == [1]


def test_an_array_that_another_request_has_grown_meanwhile_counts_by_what_this_one_read(chat: Chat) -> None:
    chat.db.chats.insert_one({"_id": 1, "messages": []})
    for _ in range(2):
        with deduplication.request_scope():
            messages = chat.db.chats.find_one({"_id": 1})["messages"]
            messages += [{"role": "user", "content": q()}, {"role": "assistant", "content": a()}]
            chat.db.chats.update_one({"_id": 1}, {"$set": {"messages": messages}})
    assert chat.counted() == (1, 2, 2)


def test_a_cleared_chat_counts_nothing(chat: Chat) -> None:
    chat.db.chats.insert_one({"_id": 1, "messages": [{"role": "user", "content": q()}]})
    chat.db.chats.find_one({"_id": 1})
    chat.db.chats.update_one({"_id": 1}, {"$set": {"messages": []}})
    assert chat.counted() == (1, 1, 0)


NAMING = [
    ("messages", {"conversation_id": "c", "role": "user", "content": "x"}),
    ("message_store", {"SessionId": "c", "History": "{}", "type": "human", "content": "x"}),
    ("chats", {"_id": "c", "messages": []}),
    ("chats", {"chatId": "c", "question": "x", "answer": "y", "session_id": "other"}),
]


@pytest.mark.parametrize(("collection", "document"), NAMING)
def test_a_write_tells_the_requests_conversation(chat: Chat, collection: str, document: dict[str, Any]) -> None:
    chat.db[collection].insert_one(dict(document))
    assert chat_turn.conversation_id() == "c"


def test_an_id_that_the_server_makes_is_the_requests_conversation(chat: Chat) -> None:
    made = chat.db.chats.update_one({"owner": 1}, {"$push": {"messages": {"role": "user", "content": "x"}}}, upsert=True)
    assert chat_turn.conversation_id() == str(made.upserted_id)


def test_a_push_by_id_tells_the_requests_conversation(chat: Chat) -> None:
    chat.db.threads.update_one({"_id": "t"}, {"$push": {"messages": {"role": "user", "content": "x"}}})
    assert chat_turn.conversation_id() == "t"


def test_nothing_but_a_chat_tells_a_conversation(chat: Chat) -> None:
    chat.db.surveys.insert_one({"session_id": "s", "question": "x", "answer": "y"})
    chat.db.users.update_one({"_id": 1}, {"$set": {"seen": True}})
    assert chat_turn.conversation_id() is None


def chat_turn_that_writes(chat: Chat, *writes: tuple[str, dict[str, Any]], asks: bool = True) -> None:
    with deduplication.request_scope() as scope:
        for collection, document in writes:
            chat.db[collection].insert_one(document)
        running = chat_turn.running()
        assert running is not None
        running.calls += asks
        chat_turn.finish(scope, 0.1, INVALID_SPAN_CONTEXT, {})


@pytest.fixture
def unread() -> Iterator[None]:
    unrecognised.forget()
    yield
    unrecognised.forget()


@pytest.mark.usefixtures("unread")
def test_a_turn_that_stored_no_message_leaves_the_names_of_the_fields_that_it_wrote(chat: Chat) -> None:
    chat_turn_that_writes(chat, ("frames", {"said": "secret", "heard": "secret"}), ("audit_log", {"who": "secret"}))
    chat_turn_that_writes(chat, ("others", {"said": "secret"}), ("messages", {"role": "user", "content": "x"}))
    chat_turn_that_writes(chat, ("pages_seen", {"said": "secret"}), asks=False)
    assert unrecognised.unrecognised() == [("frames", ("said", "heard", "_id"))]


@pytest.mark.usefixtures("unread")
def test_collections_without_an_end_are_not_all_remembered(chat: Chat) -> None:
    for number in range(unrecognised.MOST + 10):
        chat_turn_that_writes(chat, (f"frames{number}", {"said": "x"}))
    assert len(unrecognised.unrecognised()) == unrecognised.MOST


def test_a_name_of_the_requests_own_goes_before_the_id_of_the_conversation_that_it_began(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = chat.db.chats.insert_one({"name": "c1", "messages": []})
    assert chat_turn.conversation_id() == str(made.inserted_id)
    with deduplication.request_scope():
        monkeypatch.setattr(_wiring.NAMED_CONVERSATION, "_found", lambda: "c1")
        chat.db.chats.insert_one({"name": "c1", "messages": []})
        assert chat_turn.conversation_id() == "c1"
        chat.db.messages.insert_one({"conversation_id": "c2", "role": "user", "content": "x"})
        assert chat_turn.conversation_id() == "c2"


@pytest.mark.parametrize("name", ["number", "room", "roomId", "slug"])
def test_a_conversation_that_is_found_by_a_name_of_the_apps_own_is_known_by_it(chat: Chat, name: str) -> None:
    for _ in range(2):
        with deduplication.request_scope():
            chat.db.conversations.update_one(
                {name: "seven"}, {"$push": {"messages": {"role": "user", "content": "x"}}}, upsert=True
            )
            assert chat_turn.conversation_id() == "seven", "when it is made, and when it goes on"
    with deduplication.request_scope():
        chat.db.conversations.insert_one({name: 8, "messages": []})
        assert chat_turn.conversation_id() == "8"


@pytest.mark.parametrize("name", ["email", "user_id", "username", "status"])
def test_a_field_that_may_name_a_person_never_becomes_the_id_of_a_conversation(chat: Chat, name: str) -> None:
    with deduplication.request_scope():
        chat.db.conversations.update_one({name: "ann"}, {"$push": {"messages": {"role": "user", "content": "x"}}}, upsert=True)
        assert chat_turn.conversation_id() == str(chat.db.conversations.find_one({name: "ann"})["_id"])
