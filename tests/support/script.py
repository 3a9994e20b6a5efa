"""The known script for the example chatbot: each step does one thing and enters into the ledger what that counts for.

Fed by a running `Stack` or `Demo`; feeds `ledger.Ledger`. What counts stands beside what is done, so that a reader can check both.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

from .chat import ChatClient, Reply
from .ledger import Ledger
from .process import wait_for
from .stack import Stack

ERRORS_OF_CALLS = {429: "RateLimitError", 500: "InternalServerError", 503: "InternalServerError", 0: "APIConnectionError"}
"""What the openai client raises for an answer's status; 0: the connection broke in mid-stream."""


class Asking:
    """Requests to an app, each entered into the ledger under its route and status."""

    def __init__(self, stack: ChatClient) -> None:
        self.stack = stack
        self.ledger = Ledger()

    def request(
        self,
        method: str,
        path: str,
        route: str | None,
        status: int,
        body: Any = None,
        *,
        error: str | None = None,
        counts: bool = True,
        name: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Any request. A 5xx is an error, `error` another kind of one; `counts` says that nothing in it was one already.

        `name` is the method as the figures have it, `headers` go beside a JSON body's.
        """
        given = dict(headers or {})
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            given["Content-Type"] = "application/json"
        reply = self.stack.request(method, path, content, given)
        assert reply.status == status, f"{method} {path}: {reply.status} {reply.body[:300]!r}"
        kind = error or (str(status) if status >= 500 else None)
        self.ledger.request(name or method, route, status, reply.seconds, error=kind, counts=counts)
        return reply


class Talking(Asking):
    """What anybody can do who reaches the app. Each step is exact about what it expects: a wrong answer is the test's error."""

    def __init__(self, stack: ChatClient) -> None:
        super().__init__(stack)
        self._asked: set[str] = set()

    # steps

    def talk(self, number: int) -> None:
        """Chats and streamed chats, asked for the first time and again, alone and in a conversation; an import; a deletion."""
        user = f"user-{number % 5}"
        first = self.chat(f"what is a trace, round {number}?", user)
        self.chat(f"what is a trace, round {number}?", user)
        self.chat(f"and a span, round {number}?", user, conversation=first)
        self.stream(f"what is a metric, round {number}?", user)
        self.stream(f"what is a metric, round {number}?", user)
        self.stream(f"and now streamed, round {number}: /chunks 12 /slow 0.1", user, conversation=first)
        self.request("GET", "/conversations?user_id=" + user, "/conversations", 200)
        self.read(first)
        self.add_many(user, pairs=10 + number)
        self.delete(first)
        self.request("GET", f"/conversations/{first}", "/conversations/<conversation_id>", 404)

    def fail_calls(self, number: int) -> None:
        """Failures of the model before an answer and in the middle of one."""
        for status, path in ((429, "/chat"), (500, "/chat"), (503, "/chat/stream")):
            self.refused(f"/fail {status} {number}", status, path)
        self.cut(f"/cut /chunks 8 {number}", "unlucky")

    def refused(self, message: str, status: int, path: str = "/chat") -> str:
        """A question that the model refuses with a status; the conversation's id."""
        reply = self.request("POST", path, path, 502, {"message": message, "user_id": "unlucky"}, counts=False)
        self.ledger.failed_call(ERRORS_OF_CALLS[status])  # the 502 that it causes is not a second error
        self._kept(reply.json["conversation_id"], sent=1, new=True, user=None)
        self._missed()
        return str(reply.json["conversation_id"])

    def leave(self, number: int) -> None:
        """A reader who leaves in the middle of an answer: no error, and what had arrived is kept."""
        sent = time.monotonic()
        arrived = self.stack.abandon(f"/chunks 100 /slow 10 {number}", after=3, user_id="restless")
        conversation = arrived[0].data["conversation_id"]
        kept = f"/conversations/{conversation}"
        wait_for(lambda: len(self.read(conversation).json["messages"]) == 2, f"what had arrived is kept at {kept}")
        self.ledger.request("POST", "/chat/stream", 200, time.monotonic() - sent)
        self._kept(conversation, sent=1, received=1, new=True, user="restless")
        self._missed()

    def look_around(self, number: int) -> None:
        """What people and strangers ask besides: pages, files, wrong input, wrong methods, paths that are not there."""
        self.request("GET", "/", "/", 200)
        self.request("HEAD", "/", "/", 200)
        self.request("GET", "/static/chat.css", "/static/<path:filename>", 200)
        self.request("GET", "/static/none.css", "/static/<path:filename>", 404)
        self.request("GET", f"/nowhere/{number}?q={number}", None, 404)
        self.request("OPTIONS", "/chat", "/chat", 200)
        self.request("PUT", "/chat", None, 405, {"message": "hello"})
        self.request("POST", "/chat", "/chat", 400, {"message": ""})
        self.request("POST", "/chat", "/chat", 413, {"message": "x" * 300_000})
        self.request("GET", "/conversations/seven", "/conversations/<conversation_id>", 400)  # refused: it makes nothing active
        self.request("BREW", "/chat", None, 405, name="_OTHER")

    def chat(self, message: str, user: str, conversation: str | None = None) -> str:
        """A whole answer, from the model or from the cache; the conversation's id."""
        body = {"message": message, "user_id": user, **({"conversation_id": conversation} if conversation else {})}
        reply = self.request("POST", "/chat", "/chat", 200, body).json
        assert reply["response"]
        self._asked_for(message, conversation, cached=reply["cached"])
        self._kept(reply["conversation_id"], sent=1, received=1, new=conversation is None, user=user, named=conversation)
        return str(reply["conversation_id"])

    def stream(self, message: str, user: str, conversation: str | None = None) -> str:
        """A streamed answer, read to its end; the conversation's id."""
        with self._timed("/chat/stream"):
            events = self.stack.stream(message, user_id=user, **({"conversation_id": conversation} if conversation else {}))
        assert events[-1].name == "done"
        done = events[-1].data
        self._asked_for(message, conversation, cached=done["cached"])
        self._kept(done["conversation_id"], sent=1, received=1, new=conversation is None, user=user, named=conversation)
        return str(done["conversation_id"])

    def cut(self, message: str, user: str) -> None:
        """A streamed answer that the model breaks off: the answer to our client is a 200 that ends with an error event."""
        with self._timed("/chat/stream"):
            events = self.stack.stream(message, user_id=user)
        assert events[-1].name == "error"
        self.ledger.failed_call(ERRORS_OF_CALLS[0])
        self._kept(events[0].data["conversation_id"], sent=1, received=1, new=True, user=user)
        self._missed()

    def add_many(self, user: str, pairs: int) -> None:
        """A conversation that took place elsewhere: one insert of many messages."""
        messages = [{"role": role, "content": f"{role} {n}"} for n in range(pairs) for role in ("user", "assistant")]
        reply = self.request("POST", "/conversations", "/conversations", 201, {"user_id": user, "messages": messages})
        self._kept(reply.json["conversation_id"], sent=pairs, received=pairs, new=True, user=user)

    def read(self, conversation: str) -> Reply:
        self.ledger.active.add(conversation)
        return self.request("GET", f"/conversations/{conversation}", "/conversations/<conversation_id>", 200)

    def delete(self, conversation: str) -> None:
        self.ledger.active.add(conversation)
        self.request("DELETE", f"/conversations/{conversation}", "/conversations/<conversation_id>", 204)

    # the books

    @contextmanager
    def _timed(self, route: str) -> Iterator[None]:
        sent = time.monotonic()
        yield
        self.ledger.request("POST", route, 200, time.monotonic() - sent)

    def _kept(
        self, conversation: str, *, sent: int, received: int = 0, new: bool, user: str | None, named: str | None = None
    ) -> None:
        """What a request has left in the database, and whose it was: nobody's where it was refused, which makes nothing active.

        `named`: the request itself named its conversation. Else the one counts that it wrote to.
        """
        assert conversation
        self.ledger.conversations += new
        self.ledger.sent += sent
        self.ledger.received += received
        if user is not None:
            self.ledger.users.add(user)
            self.ledger.active.add(named or conversation)

    def _asked_for(self, message: str, conversation: str | None, *, cached: bool) -> None:
        """One read of the cache. A question of its own is kept there by its text; one in a conversation is new each time."""
        assert cached == (conversation is None and message in self._asked), message
        self._asked.add(message)
        self.ledger.hits += cached
        self.ledger.misses += not cached

    def _missed(self) -> None:
        self.ledger.misses += 1


class Script(Talking):
    """All steps, with those that need a hand on the servers."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self._mongo = stack.mongo

    def run(self, rounds: int) -> None:
        """All steps, several times over."""
        for number in range(rounds):
            self.talk(number)
            self.fail_calls(number)
            self.database_fails_at_the_question(number)
            self.database_fails_at_the_answer(number)
            self.leave(number)
            self.look_around(number)

    def database_fails_at_the_question(self, number: int) -> None:
        self._mongo.fail("insert")
        self.request("POST", "/chat", "/chat", 503, {"message": f"lost {number}", "user_id": "unlucky"})

    def database_fails_at_the_answer(self, number: int) -> None:
        sent = time.monotonic()
        with self.stack.streaming(f"/chunks 6 /slow 0.3 not saved {number}", user_id="unlucky") as events:
            first = next(events)
            self._mongo.fail("insert")
            assert [event.name for event in events][-1] == "error"
        self.ledger.request("POST", "/chat/stream", 200, time.monotonic() - sent)
        self._kept(first.data["conversation_id"], sent=1, new=True, user="unlucky")
        self._missed()


def probe(stack: Stack, times: int) -> None:
    """Probes and scrapes, over one connection that stays open."""
    paths = ("/health", "/health/live", "/health/ready", "/health/detailed", "/metrics", "/metrics/json")
    connection = HTTPConnection("127.0.0.1", stack.port, timeout=30)
    try:
        for number in range(times):
            connection.request("GET", paths[number % len(paths)])
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, f"{paths[number % len(paths)]}: {answer.status}"
    finally:
        connection.close()
