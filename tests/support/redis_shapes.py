"""How chatbots keep chats in Redis, and what looks like a chat and is none: the data of `test_histories.py`.

A shape is a function that writes with the names and the habits of a family of public chatbots and libraries. What users say
begins with `Q`, what the assistant says with `A`, each text is new: so somebody who knows nothing of keys can count them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from redis import Redis

from support.chat_shapes import a, langchain, q


class Shape(NamedTuple):
    """A way to keep chats."""

    name: str
    write: Callable[[Redis], Any]
    conversations: int = 1
    """How many the writing begins."""
    chat: str | None = None
    """The id of the conversation, where the shape is of one."""


def turn(who: str = "role", user: str = "user", bot: str = "assistant", text: str = "content") -> list[dict[str, Any]]:
    """A message of each."""
    return [{who: user, text: q(), "timestamp": 1.5}, {who: bot, text: a(), "timestamp": 2.5}]


def pushed(key: str, *messages: dict[str, Any], right: bool = True) -> Callable[[Redis], Any]:
    return lambda r: [(r.rpush if right else r.lpush)(key, json.dumps(message)) for message in messages]


def llama(role: str, text: str) -> str:
    return json.dumps({"role": role, "additional_kwargs": {}, "blocks": [{"block_type": "text", "text": text}]})


def langchain_list(r: Redis) -> None:
    """langchain's RedisChatMessageHistory of langchain-community: one list per session, the latest first."""
    key = "message_store:s-1"
    for _ in range(2):
        r.lrange(key, 0, -1)
        for kind, text in (("human", q()), ("ai", a())):
            r.lpush(key, langchain(kind, text))
            r.expire(key, 600)


def llama_store(r: Redis, key: str = "alice") -> None:
    """llama-index's RedisChatStore: messages are added, and the whole list is set again."""
    messages = [llama("user", q()), llama("assistant", a())]
    for message in messages:
        r.rpush(key, message)
    for _ in range(2):
        r.lrange(key, 0, -1)
        messages += [llama("user", q()), llama("assistant", a())]
        r.delete(key)
        for message in messages:
            r.rpush(key, message)


def llama_insert(r: Redis) -> None:
    """A message is put between others: the list is read, deleted twice and written anew."""
    llama_store(r, "bob")
    messages = r.lrange("bob", 0, -1)
    messages.insert(0, llama("user", q()).encode())
    r.delete("bob"), r.delete("bob")
    for message in messages:
        r.rpush("bob", message)


def window(r: Redis) -> None:
    """Pipelines that trim the list to the last four."""
    for _ in range(4):
        with r.pipeline() as pipe:
            pipe.rpush("chat:42:history", *map(json.dumps, turn()))
            pipe.ltrim("chat:42:history", -4, -1).expire("chat:42:history", 60)
            pipe.execute()


def rewritten(r: Redis) -> None:
    """The list is loaded, and written anew in one transaction."""
    for _ in range(3):
        messages = [json.loads(item) for item in r.lrange("conversation:77", 0, -1)] + turn()
        with r.pipeline(transaction=True) as pipe:
            pipe.delete("conversation:77")
            for message in messages:
                pipe.rpush("conversation:77", json.dumps(message))
            pipe.execute()


def setex(r: Redis, key: str, text: str) -> None:
    """The client's method of that name is deprecated, and apps use it."""
    r.execute_command("SETEX", key, 60, text)


def whole(key: str, save: Callable[[Redis, str, str], Any], keep: int = 100) -> Callable[[Redis], Any]:
    """The array is read, grown and set, three times."""

    def write(r: Redis) -> None:
        for _ in range(3):
            found = r.get(key)
            messages = [*(json.loads(found) if found else []), *turn()][-keep:]
            save(r, key, json.dumps(messages))

    return write


def whole_document(r: Redis) -> None:
    """A conversation with its messages and more."""
    r.set("conversation:c9", json.dumps({"id": "c9", "title": "new", "messages": []}))
    for _ in range(2):
        conversation = json.loads(r.get("conversation:c9"))
        conversation["messages"] += turn("sender", "user", "bot", "text")
        r.set("conversation:c9", json.dumps(conversation), ex=60)


def hash_of_arrays(r: Redis) -> None:
    """A session's hash, one field of which is the history."""
    r.hset("chat:session:h1", mapping={"user": "u", "started": "1"})
    for _ in range(3):
        found = r.hget("chat:session:h1", "history")
        r.hset("chat:session:h1", "history", json.dumps([*(json.loads(found) if found else []), *turn()]))


def hash_of_messages(r: Redis) -> None:
    """A hash with one field per message."""
    r.hgetall("conversation:h2")
    for message in turn() + turn():
        r.hset("conversation:h2", uuid.uuid4().hex, json.dumps(message))


def messages_of_their_own(r: Redis) -> None:
    """A hash per message, and a list of their ids."""
    for message in turn("sender", "user", "bot", "text"):
        name = uuid.uuid4().hex
        r.hset(f"message:{name}", mapping={**message, "conversation_id": "c1"})
        r.rpush("conversation:c1:messages", name)


def stream(r: Redis) -> None:
    r.xrange("chat:st1:messages")
    for message in turn():
        r.xadd("chat:st1:messages", {"role": message["role"], "content": message["content"]}, maxlen=100, approximate=True)
    r.xadd("chat:st1:messages", {"data": json.dumps(turn()[0])}, id="*", nomkstream=True)


def by_time(r: Redis) -> None:
    r.zcard("chat_history_z1")
    for number, message in enumerate(turn()):
        r.zadd("chat_history_z1", {json.dumps(message): number}, nx=True)


TOOLS = [
    {"role": "system", "content": "be kind"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "1", "content": "sunny"},
]

SHAPES = [
    Shape("langchain's list", langchain_list, chat="s-1"),
    Shape("langchain's list with ids that have colons", lambda r: r.lpush("message_store:7:x9", langchain("human", q()), langchain("ai", a())), chat="7:x9"),
    Shape("llama-index's store", llama_store),
    Shape("llama-index's store, a message between", llama_insert),
    Shape("a list per session", pushed("hist:5511", *turn()), chat="5511"),
    Shape("a list under the user's id alone", pushed("551199887766", *turn(), right=False), chat="551199887766"),
    Shape("a list under the user's name", pushed("history:alice", *turn(text="text")), chat="alice"),
    Shape("a list of both", pushed("chat:42:abc", *turn()), chat="42:abc"),
    Shape("a list of a user's chat", pushed("user:42:chat:abc", *turn()), chat="abc"),
    Shape("a list in the app's name", pushed("mybot:chat_messages_9", *turn("role", "user", "model", "parts")), chat="9"),
    Shape("a list of exchanges", pushed("chat:42", {"prompt": q(), "response": a()}, {"question": q(), "answer": a()}), chat="42"),
    Shape("a list of clear exchanges anywhere", pushed("log7", {"user_message": q(), "bot_response": a(), "intent": "i"})),
    Shape("a sender", pushed("chat_session:1", *turn("sender", "user", "bot", "message")), chat="1"),
    Shape("an author by type", pushed("conversation-9f3", *turn("type", "user", "bot", "text")), chat="9f3"),
    Shape("a list of all", pushed("chat_history", *turn("speaker", "human", "ai", "text")), chat="chat_history"),
    Shape("system, tools and calls beside", pushed("thread:t1", *TOOLS, *turn()), chat="t1"),
    Shape("two at once", lambda r: r.rpush("chat:1:2", *map(json.dumps, turn())), chat="1:2"),
    Shape("a trimmed list", window, chat="42"),
    Shape("a list that is rewritten", rewritten, chat="77"),
    Shape("only where it is", lambda r: (r.rpush("chat:1", json.dumps(turn()[1])), r.rpushx("chat:1", json.dumps(turn()[0]))), chat="1"),
    Shape("an array by SET", whole("5511@c.us", lambda r, key, text: r.set(key, text))),
    Shape("an array by SETEX", whole("conversation:1", setex), chat="1"),
    Shape("a window by PSETEX", whole("session:1:messages", lambda r, key, text: r.execute_command("PSETEX", key, 60_000, text), 4), chat="1"),
    Shape("an array by SET with GET", whole("dialog:1", lambda r, key, text: r.set(key, text, get=True)), chat="1"),
    Shape("an array by GETSET", lambda r: [r.execute_command("GETSET", "chat:g", json.dumps(messages)) for messages in grown(3)], chat="g"),
    Shape("an array by SET with NX", lambda r: [r.set("chat:n", json.dumps(turn()), nx=True)], chat="n"),
    Shape("a document with its messages", whole_document, chat="c9"),
    Shape("a field of a hash", hash_of_arrays, chat="h1"),
    Shape("a hash of messages", hash_of_messages, chat="h2"),
    Shape("a hash per message", messages_of_their_own, 0),
    Shape("a stream", stream, chat="st1"),
    Shape("a sorted set", by_time, chat="z1"),
    Shape("a list in a session", pushed("session:abc", *turn()), chat="abc"),
]  # fmt: skip


def grown(times: int) -> list[list[dict[str, Any]]]:
    """An array that grows by a turn each time."""
    messages: list[dict[str, Any]] = []
    return [(messages := [*messages, *turn()]) for _ in range(times)]


CELERY = {"body": "W10=", "content-type": "application/json", "headers": {"task": "chat"}, "properties": {"reply_to": "x"}}

NONE = [
    Shape("celery's queue", pushed("celery", CELERY, {"role": "user", "content": "x"}, right=False)),
    Shape("celery's result", lambda r: setex(r, "celery-task-meta-1", json.dumps({"result": [{"role": "user", "content": "x"}]}))),
    Shape("rq's jobs", lambda r: (r.hset("rq:job:1", mapping={"description": "chat", "data": "x"}), r.rpush("rq:queue:default", "1"))),
    Shape("an own queue", pushed("message_queue", {"role": "user", "content": "x"}, {"session_id": "s", "message": "x"})),
    Shape("jobs", pushed("jobs:pending", {"type": "user", "content": "x"}, {"prompt": "p", "response": None})),
    Shape("logs", pushed("app:logs", {"level": "INFO", "message": "x", "role": "user"}, {"type": "user", "message": "logged in"})),
    Shape("an audit log", lambda r: r.xadd("audit", {"role": "user", "message": "x", "action": "login"})),
    Shape("events", lambda r: r.xadd("chat:events:1", {"role": "user", "content": "typing"})),
    Shape("a session", lambda r: r.set("session:1", json.dumps({"user": "u", "cart": [{"sku": 1}], "role": "user"}))),
    Shape("a session's hash", lambda r: r.hset("session:2", mapping={"user": "u", "role": "user", "cart": '[{"sku": 1}]'})),
    Shape("a user", lambda r: r.set("user:1", json.dumps({"role": "user", "name": "n", "email": "e"}))),
    Shape("a cached answer", lambda r: setex(r, "answer:1", json.dumps({"role": "assistant", "content": "x"}))),
    Shape("an exchange that is cached", lambda r: setex(r, "chat:5d41402abc4b", json.dumps({"question": "q", "answer": "a"}))),
    Shape("a cached prompt", lambda r: r.set("llm_cache:1", json.dumps([{"role": "user", "content": "x"}]))),
    Shape("a cached list of things", lambda r: r.set("products:1", json.dumps([{"type": "user", "name": "n"}]))),
    Shape("people's talk", pushed("chat:room:1", {"username": "ann", "message": "x"}, {"sender": "bob", "text": "x"})),
    Shape("notifications", pushed("notifications:1", {"sender": "bot", "message": "x"}, right=False)),
    Shape("feedback", pushed("chat:1:feedback", {"user_message": "q", "bot_response": "a"})),
    Shape("frequent questions", lambda r: r.rpush("faq", *(json.dumps({"question": "q", "answer": n}) for n in "abc"))),
    Shape("knowledge of a chatbot", lambda r: r.rpush("chatbot", *(json.dumps({"question": "q", "answer": n}) for n in "abc"))),
    Shape("vectors", lambda r: r.set("vector:1", json.dumps([0.1, 0.2]))),
    Shape("names of chats", lambda r: (r.rpush("user:1:chats", "c1", "c2"), r.zadd("user:1:conversations", {"c1": 1}))),
    Shape("broken JSON", lambda r: (r.rpush("chat:1", '{"role": "user", "content"'), r.set("chat:2", "[{"), r.set("chat:3", "{"))),
    Shape("a list that is not there", lambda r: r.lpushx("chat:1", json.dumps({"role": "user", "content": "x"}))),
    Shape("a lost race", lambda r: r.set("chat:1", json.dumps([{"role": "user", "content": "x"}]), xx=True)),
]  # fmt: skip
