"""Chats in Redis are counted as the chatbots that exist keep them, with no setting; what only looks like a chat is not."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator

import pytest
import redis
from redis import asyncio as aio
from support.databases import TRACING, Figures, undisturbed
from support.redis_shapes import NONE, SHAPES, Shape, a, grown, q, turn
from support.servers import RedisServer

from otel_chatbot import config
from otel_chatbot.instrumentation.chats.current import WARNED
from otel_chatbot.instrumentation.common import chat_turn
from otel_chatbot.instrumentation.redis import histories
from otel_chatbot.instrumentation.redis import hooks as instrumentation
from otel_chatbot.metrics import deduplication, record
from otel_chatbot.semconv import metrics as m


class Chat:
    """A client, what was counted of it, and the truth: what the server was told, as its MONITOR says."""

    def __init__(self, port: int) -> None:
        with record.own_traffic():
            self.client = redis.Redis(port=port, db=7)
            self.client.flushdb()
            self._other = redis.Redis(port=port, db=7)
            self._monitor = self._other.monitor()
            self._monitor.__enter__()
        self.figures = Figures()

    def said(self) -> tuple[int, int]:
        """Different texts of users and of assistants in all commands so far."""
        found: set[str] = set()
        with record.own_traffic():
            self.client.echo("the end")
        while "the end" not in (command := self._monitor.next_command()["command"]):
            found |= set(re.findall(r"\b[QA]\d+\b", command))
        return sum(word[0] == "Q" for word in found), sum(word[0] == "A" for word in found)

    def counted(self) -> tuple[int, ...]:
        specs = (m.CONVERSATIONS_CREATED, m.MESSAGES_SENT, m.MESSAGES_RECEIVED)
        return tuple(int(self.figures(spec)) for spec in specs)

    def reads(self) -> tuple[float, float]:
        return self.figures(m.CACHE_HITS), self.figures(m.CACHE_MISSES)

    def close(self) -> None:
        self._monitor.__exit__(None, None, None)
        self._other.close()
        self.client.close()


@pytest.fixture
def chat(redis_server: RedisServer) -> Iterator[Chat]:
    with undisturbed():
        instrumentation.instrument(TRACING)
        record.activate(m.CONVERSATIONS_CREATED, m.MESSAGES_SENT, m.MESSAGES_RECEIVED)
        histories.NAMES.clear()
        WARNED.clear()
        deduplication.current().keys = None  # what this thread has seen of the same keys in another test
        chat = Chat(redis_server.port)
        yield chat
        chat.close()
        instrumentation.uninstrument()


@pytest.mark.parametrize("shape", SHAPES, ids=[shape.name for shape in SHAPES])
def test_a_chat_counts_as_it_is_kept_and_is_no_cache(chat: Chat, shape: Shape) -> None:
    with deduplication.request_scope():
        shape.write(chat.client)
        met = chat_turn.conversation_id()
    said = chat.said()
    assert any(said)
    assert chat.counted() == (shape.conversations, *said)
    assert chat.reads() == (0, 0)
    assert shape.chat in (None, met)


@pytest.mark.parametrize("shape", NONE, ids=[shape.name for shape in NONE])
def test_what_only_looks_like_a_chat_counts_as_nothing(chat: Chat, shape: Shape) -> None:
    with deduplication.request_scope():
        shape.write(chat.client)
        assert chat_turn.conversation_id() is None
    assert chat.counted() == (0, 0, 0)


def test_a_failed_transaction_and_a_discarded_one_count_nothing_and_what_is_done_counts(chat: Chat) -> None:
    message = json.dumps({"role": "user", "content": "x"})
    with chat.client.pipeline() as pipe:
        pipe.watch("chat:1")
        pipe.multi()
        pipe.rpush("chat:1", message)
        with record.own_traffic():
            chat.client.set("chat:1", "changed")
            chat.client.delete("chat:1")
        with pytest.raises(redis.WatchError):
            pipe.execute()
        pipe.rpush("chat:1", message)
        pipe.reset()
    with chat.client.pipeline(transaction=True) as pipe:
        pipe.rpush("chat:1", message).lpush("chat:1", message).hget("chat:1", "x")
        with pytest.raises(redis.ResponseError):
            pipe.execute()
    assert chat.counted() == (1, 2, 0) == (1, chat.client.llen("chat:1"), 0)


def test_a_raw_transaction_counts_nothing_that_was_only_queued(chat: Chat) -> None:
    with redis.Redis(connection_pool=chat.client.connection_pool, single_connection_client=True) as one:
        one.execute_command("MULTI")
        one.execute_command("RPUSH", "chat:1", json.dumps({"role": "user", "content": "x"}))
        one.execute_command("SET", "chat:2", json.dumps([{"role": "user", "content": "x"}]))
        one.execute_command("XADD", "chat:3", "*", "role", "user", "content", "x")
        one.execute_command("DISCARD")
    assert chat.counted() == (0, 0, 0)


def test_a_refused_command_counts_nothing(chat: Chat) -> None:
    chat.client.set("chat:1", "text")
    with pytest.raises(redis.ResponseError):
        chat.client.rpush("chat:1", json.dumps({"role": "user", "content": "x"}))
    assert chat.counted() == (0, 0, 0)


def test_the_asyncio_client_counts_alike(chat: Chat, redis_server: RedisServer) -> None:
    async def talk() -> None:
        async with aio.Redis(port=redis_server.port, db=7) as client:
            await asyncio.gather(*(client.rpush(f"chat:{n}", *map(json.dumps, turn())) for n in range(3)))
            async with client.pipeline(transaction=True) as pipe:
                await pipe.lpush("chat:0", json.dumps(turn()[0])).expire("chat:0", 9).execute()

    asyncio.run(talk())
    assert chat.counted() == (3, *chat.said())


def test_a_chat_that_another_request_has_grown_counts_by_what_this_one_read(chat: Chat) -> None:
    for _ in range(3):
        with deduplication.request_scope():
            found = chat.client.get("chat:1")
            chat.client.set("chat:1", json.dumps([*json.loads(found or "[]"), *turn()]))
    assert chat.counted() == (1, *chat.said())
    assert chat.reads() == (0, 0)


@pytest.mark.parametrize("clear", [lambda r: r.set("chat:1", "[]"), lambda r: r.delete("chat:1")], ids=["emptied", "deleted"])
def test_a_cleared_chat_counts_nothing_and_begins_anew(chat: Chat, clear) -> None:
    for messages in grown(1) * 2:
        with deduplication.request_scope():
            chat.client.get("chat:1")
            chat.client.set("chat:1", json.dumps(messages))
        with deduplication.request_scope():
            clear(chat.client)
    assert chat.counted() == (2, 2, 2)


def test_a_whole_chat_without_a_read_is_not_guessed_and_said_once(chat: Chat, caplog: pytest.LogCaptureFixture) -> None:
    for messages in grown(3):
        with deduplication.request_scope():
            chat.client.set("chat:1", json.dumps(messages))
            chat.client.delete("chat:2")
            for message in messages:
                chat.client.rpush("chat:2", json.dumps(message))
            chat.client.delete("chat:3")
    assert chat.counted() == (1, 1, 1), "the list was empty at first"
    assert [record.message.count("as a whole") for record in caplog.records] == [1]


def test_a_key_that_is_missed_and_that_no_chat_takes_is_a_miss_when_the_request_ends(chat: Chat) -> None:
    with deduplication.request_scope():
        for key in ("chat:1", "chat:2", "9"):
            chat.client.get(key)
        chat.client.mget("chat:2", "9")
        chat.client.get("name"), chat.client.get("answer:1")
        assert chat.reads() == (0, 2), "what can be no chat's is a miss at once"
        chat.client.set("chat:1", json.dumps(turn()))
        chat.client.rpush("9", json.dumps(turn()[0]))
    assert chat.reads() == (0, 4)


def test_outside_of_a_request_a_miss_counts_at_once_unless_chats_are_known_to_lie_there(chat: Chat) -> None:
    chat.client.get("chat:1"), chat.client.set("chat:1", json.dumps(turn())), chat.client.get("chat:1")
    assert chat.reads() == (0, 1)
    chat.client.get("chat:2")
    assert chat.reads() == (0, 1)


def test_reads_of_other_values_are_hits_as_before(chat: Chat) -> None:
    with deduplication.request_scope():
        chat.client.mset(
            {"chat:5d41": json.dumps({"question": "q", "answer": "a"}), "b": "[1, 2]", "c": '{"items": [{"n": 1}]}'}
        )
        chat.client.hset("h", mapping={"x": "[]", "y": "{}"})
        chat.client.get("chat:5d41"), chat.client.mget("b", "c"), chat.client.hgetall("h"), chat.client.hmget("h", "x", "y")
    assert chat.reads() == (6, 0)


def test_settings_name_the_only_keys_that_count(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config.Settings(messages_collection="notes:of:")
    monkeypatch.setattr(config, "current", lambda: settings)
    for key in ("notes:of:1", "chat:1"):
        chat.client.rpush(key, json.dumps({"role": "user", "content": q()}), json.dumps({"role": "bot", "content": a()}))
    assert chat.counted() == (1, 1, 1)


def test_reads_of_libraries_keys_are_no_reads_of_the_cache(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ("session:1", "LIMITS:LIMITER/x", "celery-task-meta-1", "rq:job:1", "flask_cache_app.f_memver")
    chat.client.mget(keys), chat.client.get(keys[0]), chat.client.hgetall("rq:job:1")
    chat.client.set("session:1", "x"), chat.client.get("session:1")
    assert chat.reads() == (0, 0)
    monkeypatch.setattr(config, "current", lambda: config.Settings(cache_exclude=("own:",)))
    chat.client.get("own:1"), chat.client.get("key")
    assert chat.reads() == (0, 1)
