"""A client of a chatbot, as a browser is one: whole answers, streamed answers as they arrive, answers abandoned half-way."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any


@dataclass(frozen=True)
class Reply:
    """A whole HTTP answer, and how long it took in seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Event:
    """A server-sent event: its name, its data, and when it arrived, in seconds after the request was sent."""

    name: str
    data: dict[str, Any]
    seconds: float


class ChatClient:
    """Requests to an app on a loopback port, each on a connection of its own; safe to use from many threads."""

    def __init__(self, port: int, timeout: float = 60.0) -> None:
        self.port = port
        self.timeout = timeout

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Any request; every status is an answer. ConnectionError where nobody listens."""
        started = time.monotonic()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            connection.request(method, path, body, {"Connection": "close", **(headers or {})})
            with connection.getresponse() as response:
                content = response.read()
            return Reply(response.status, dict(response.getheaders()), content, time.monotonic() - started)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.request("GET", path, headers=headers)

    def delete(self, path: str, **headers: str) -> Reply:
        return self.request("DELETE", path, headers=headers)

    def post(self, path: str, data: Any, **headers: str) -> Reply:
        """A POST of JSON."""
        return self.request("POST", path, json.dumps(data).encode(), {"Content-Type": "application/json", **headers})

    def chat(self, message: str, **fields: Any) -> Reply:
        """`POST /chat`; `fields` are user_id, conversation_id, model."""
        return self.post("/chat", {"message": message, **fields})

    def stream(self, message: str, **fields: Any) -> list[Event]:
        """`POST /chat/stream`, read to its end; AssertionError when the answer is no stream."""
        with self.streaming(message, **fields) as events:
            return list(events)

    def abandon(self, message: str, after: int = 1, **fields: Any) -> list[Event]:
        """`POST /chat/stream`, left (the connection is closed) after `after` pieces of the answer; what had arrived."""
        arrived: list[Event] = []
        with self.streaming(message, **fields) as events:
            for event in events:
                arrived.append(event)
                if sum(one.name == "delta" for one in arrived) == after:
                    return arrived
        raise AssertionError(f"the answer ended before it could be left: {arrived}")

    @contextmanager
    def streaming(self, message: str, **fields: Any) -> Iterator[Iterator[Event]]:
        """The events of `POST /chat/stream` as they arrive; leaving the block closes the connection."""
        started = time.monotonic()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        body = json.dumps({"message": message, **fields})
        try:
            connection.request("POST", "/chat/stream", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            if response.status != 200:
                raise AssertionError(f"no stream: {response.status} {response.read().decode()}")
            yield self._events(response, started)
        finally:
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)  # at once, although the response still holds the socket
            connection.close()

    @staticmethod
    def _events(response: HTTPResponse, started: float) -> Iterator[Event]:
        name = ""
        for line in response:
            key, _, value = line.decode().rstrip("\n").partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                yield Event(name, json.loads(value), time.monotonic() - started)
