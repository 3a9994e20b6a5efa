"""The stores of chats of langchain, langgraph and llama-index, RedisJSON and flask-caching, each driven in requests of a Flask app.

The app holds no line of telemetry. What was really said is kept by what stands outside: a listener of pymongo's, and Redis's MONITOR
over a socket of its own. Run as `opentelemetry-instrument python stores.py`; prints one line of JSON per store.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import langchain_redis.chat_message_history as langchain_json
import llama_index.storage.chat_store.mongo.base as llama_mongo
import redis
from bson import encode
from flask import Flask, request
from flask_caching import Cache
from langchain_community.chat_message_histories import RedisChatMessageHistory
from langchain_core.messages import AIMessage, HumanMessage
from langchain_mongodb import MongoDBChatMessageHistory
from langgraph.checkpoint.mongodb import MongoDBSaver
from langgraph.graph import START, MessagesState, StateGraph
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.storage.chat_store.redis import RedisChatStore
from pymongo import AsyncMongoClient, MongoClient, monitoring
from redisvl.index import SearchIndex

MONGO, REDIS = os.environ["MONGO"], os.environ["REDIS"]
DATABASE = f"stores{uuid.uuid4().hex[:8]}"
FIGURES = ("chatbot_conversations_created_total", "chatbot_messages_sent_total", "chatbot_messages_received_total",
           "chatbot_cache_hits_total", "chatbot_cache_misses_total")  # fmt: skip
SAID = re.compile(r"(?<![0-9A-Za-z])[QA]\d{4}(?![0-9A-Za-z])")
llama_mongo.version = lambda _name: "0"  # it asks for the version of a package of packages, which nobody needs to have
SearchIndex.create = lambda *_args, **_kwargs: (
    None
)  # the index is of a module that is not here; messages are written without it


class Truth(monitoring.CommandListener):
    """The texts in the commands that MongoDB and Redis have done."""

    def __init__(self) -> None:
        self._sent: dict[int, str] = {}
        self.said: set[str] = set()
        self._monitor = self._connect(b"MONITOR\r\n")
        assert self._monitor.readline() == b"+OK\r\n"

    @staticmethod
    def _connect(line: bytes) -> Any:
        with socket.create_connection(("127.0.0.1", int(REDIS.rpartition(":")[2].partition("/")[0])), 60) as client:
            client.sendall(line)
            return client.makefile("rb")

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """A command of MongoDB's."""
        self._sent[event.request_id] = encode(event.command).decode("latin-1")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """It is done."""
        self.said |= set(SAID.findall(self._sent.pop(event.request_id)))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """It is not."""
        del self._sent[event.request_id]

    def take(self) -> list[int]:
        """How many different texts of users and of assistants there were since the last time."""
        end = uuid.uuid4().hex
        self._connect(f"ECHO {end}\r\n".encode()).close()
        while end not in (line := self._monitor.readline().decode()):
            self.said |= set(SAID.findall(line))
        said, self.said = self.said, set()
        return [sum(text[0] == letter for text in said) for letter in "QA"]


truth = Truth()
mongo: MongoClient[dict[str, Any]] = MongoClient(MONGO, event_listeners=[truth])
Talk = Callable[[str, str, str], Any]
"""One turn of a chat: its id, the question and the answer."""


def langchain_mongodb(chat: str, question: str, answer: str) -> None:
    """langchain's history in MongoDB."""
    history = MongoDBChatMessageHistory(None, chat, DATABASE, client=mongo)
    assert len(history.messages) % 2 == 0
    history.add_user_message(question)
    history.add_ai_message(answer)


def langchain_mongodb_trimmed(chat: str, question: str, answer: str) -> None:
    """The same, cut to the last two messages before each turn, as langchain's guide has it."""
    history = MongoDBChatMessageHistory(None, chat, DATABASE, "trimmed", client=mongo)
    kept = history.messages[-2:]
    history.clear()
    history.add_messages(kept)
    history.add_messages([HumanMessage(question), AIMessage(answer)])


def langchain_redis_list(chat: str, question: str, answer: str) -> None:
    """langchain's history in a list of Redis."""
    history = RedisChatMessageHistory(chat, REDIS, ttl=600)
    assert len(history.messages) % 2 == 0
    history.add_messages([HumanMessage(question), AIMessage(answer)])


def langchain_redis_json(chat: str, question: str, answer: str) -> None:
    """langchain's history in documents of RedisJSON."""
    history = langchain_json.RedisChatMessageHistory(chat, REDIS)
    history.add_message(HumanMessage(question))
    history.add_messages([AIMessage(answer)])


def memory(store: Any, chat: str) -> ChatMemoryBuffer:
    """llama-index's memory over one of its stores."""
    return ChatMemoryBuffer.from_defaults(chat_store=store, chat_store_key=chat, tokenizer_fn=str.split)


def said(question: str, answer: str) -> list[ChatMessage]:
    """A turn as llama-index has it."""
    return [ChatMessage(role="user", content=question), ChatMessage(role="assistant", content=answer)]


def llama_mongodb(chat: str, question: str, answer: str) -> None:
    """llama-index's store in MongoDB, message by message."""
    kept = memory(llama_mongo.MongoChatStore(mongo_client=mongo, db_name=DATABASE), chat)
    for message in said(question, answer):
        assert kept.get() is not None
        kept.put(message)


def llama_mongodb_set(chat: str, question: str, answer: str) -> None:
    """The same, with the whole chat set at the end of each turn."""
    kept = memory(llama_mongo.MongoChatStore(mongo_client=mongo, db_name=DATABASE, collection_name="set"), chat)
    kept.set([*kept.get_all(), *said(question, answer)])


WHOLE: dict[str, list[ChatMessage]] = {}


def llama_mongodb_set_unread(chat: str, question: str, answer: str) -> None:
    """The whole chat is kept in the process and saved after each turn: nothing is ever read."""
    messages = WHOLE.setdefault(chat, [])
    messages += said(question, answer)
    llama_mongo.MongoChatStore(mongo_client=mongo, db_name=DATABASE, collection_name="saved").set_messages(chat, messages)


def llama_mongodb_async(chat: str, question: str, answer: str) -> None:
    """Both, asynchronously."""

    async def turn() -> None:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(MONGO, event_listeners=[truth])
        store = llama_mongo.MongoChatStore(mongo_client=mongo, amongo_client=client, db_name=DATABASE, collection_name="async")
        first, second = said(question, answer)
        await store.async_add_message(chat, first)
        await store.aset_messages(chat, [*await store.aget_messages(chat), second])
        await client.close()

    asyncio.run(turn())


def llama_redis(chat: str, question: str, answer: str) -> None:
    """llama-index's store in Redis, message by message."""
    kept = memory(RedisChatStore(REDIS, redis_client=redis.Redis.from_url(REDIS), ttl=600), chat)
    for message in said(question, answer):
        assert kept.get() is not None
        kept.put(message)


def llama_redis_set(chat: str, question: str, answer: str) -> None:
    """The same, with the whole chat set at the end of each turn."""
    kept = memory(RedisChatStore(REDIS, redis_client=redis.Redis.from_url(REDIS)), f"{chat}-set")
    kept.set([*kept.get_all(), *said(question, answer)])


def redis_json_append(chat: str, question: str, answer: str) -> None:
    """A document of RedisJSON per chat, to which messages are appended."""
    documents = redis.Redis.from_url(REDIS).json()
    documents.set(f"conversation:{chat}", "$", {"title": "t", "messages": []}, nx=True)
    for message in ({"role": "user", "content": question}, {"role": "assistant", "content": answer}):
        documents.arrappend(f"conversation:{chat}", "$.messages", message)


def redis_json_whole(chat: str, question: str, answer: str) -> None:
    """The same, read and written as a whole."""
    documents = redis.Redis.from_url(REDIS).json()
    found = documents.get(f"chat:{chat}") or {"messages": []}
    found["messages"] += [{"sender": "user", "text": question}, {"sender": "bot", "text": answer}]
    documents.set(f"chat:{chat}", "$", found)


def langgraph(chat: str, question: str, answer: str) -> None:
    """langgraph's checkpoints in MongoDB: states of a graph, in a form of their own."""
    graph = StateGraph(MessagesState)
    graph.add_node("answer", lambda _state: {"messages": [AIMessage(answer)]})
    graph.add_edge(START, "answer")
    ready = graph.compile(checkpointer=MongoDBSaver(mongo, db_name=DATABASE))
    state = ready.invoke({"messages": [HumanMessage(question)]}, {"configurable": {"thread_id": chat}})
    assert state["messages"][-1].content == answer


def memoized(_chat: str, question: str, answer: str) -> None:
    """flask-caching's memoize: a function's answer is asked for twice, and kept in Redis after the first time."""
    assert [recite(question, answer) for _ in range(2)] == [len(answer)] * 2


STORES: list[Talk] = [
    langchain_mongodb, langchain_mongodb_trimmed, langchain_redis_list, langchain_redis_json, llama_mongodb, llama_mongodb_set,
    llama_mongodb_set_unread, llama_mongodb_async, llama_redis, llama_redis_set, redis_json_append,
    redis_json_whole, langgraph, memoized,
]  # fmt: skip
app = Flask(__name__)
cache = Cache(app, config={"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": REDIS})


@cache.memoize(600)
def recite(_question: str, answer: str) -> int:
    """Something that takes long."""
    return len(answer)


@app.post("/<name>/<chat>")
def talk(name: str, chat: str) -> dict[str, str]:
    """One turn."""
    next(store for store in STORES if store.__name__ == name)(chat, request.form["question"], request.form["answer"])
    return {"answer": request.form["answer"]}


def figures() -> list[float]:
    """What the package has counted."""
    shown = app.test_client().get("/metrics/json").get_json()["metrics"]
    return [shown[name]["value"] for name in FIGURES]


def turns(count: int) -> Iterator[dict[str, str]]:
    """Texts that nobody has said before."""
    for number in range(count):
        turns.last += 1  # type: ignore[attr-defined]
        yield {"question": f"Q{turns.last:04}", "answer": f"A{turns.last:04}", "chat": f"c{number % 2}"}  # type: ignore[attr-defined]


if __name__ == "__main__":
    turns.last = 0  # type: ignore[attr-defined]
    client, before = app.test_client(), figures()
    for each in STORES:
        for turn in turns(int(sys.argv[1])):
            answer = client.post(f"/{each.__name__}/{turn.pop('chat')}", data=turn)
            assert answer.status_code == 200, answer.text
        after = figures()
        counted = [now - then for now, then in zip(after, before, strict=True)]
        print(json.dumps({"store": each.__name__, "counted": counted, "said": truth.take()}))
        before = after
