"""What really went over the wire to MongoDB and Redis, seen from outside of the app: the truth that its figures are compared with.

`MongoTap` is a proxy in front of a MongoDB server that reads the wire protocol (OP_MSG) of both directions; `RedisTap` reads
what Redis tells a client that sends MONITOR. Neither knows anything of the drivers' events or of telemetry. Feeds `ledger`.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import bson
from redis import Redis

from .process import wait_for
from .servers import MongoServer, RedisServer

OWN = "otel_chatbot"
"""What the package's own application names and Redis keys begin with."""

_HEADER = struct.Struct("<iiii")
_OP_MSG, _OP_QUERY = 2013, 2004
_MORE_TO_COME = 2
# Commands that drivers send for themselves; telemetry leaves them out by rule (hello, isMaster, sasl*, ...).
_DRIVERS = re.compile(r"hello|ismaster|saslStart|saslContinue|authenticate|endSessions|killCursors", re.IGNORECASE)


@dataclass
class Sent:
    """A command on its way to MongoDB, and how it was answered; `error` is the name or number of its code, None for none."""

    name: str
    collection: str | None
    database: str
    connection: int
    began: float
    documents: int = 0
    answered: bool = False
    error: str | None = None
    code: str | None = None
    seconds: float = 0.0


@dataclass
class Connection:
    """A TCP connection to MongoDB: whose it is, what it carried, whether it is open."""

    number: int
    application: str = ""
    carried: int = 0
    open: bool = True


class MongoTap:
    """A MongoDB server of its own port in front of another one; takes the place of a `MongoServer` in a `Stack`."""

    def __init__(self, server: MongoServer) -> None:
        self.server = server
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        # The server tells its clients its own address, to which they would go past the tap: it gets the tap's instead.
        self._address = f"127.0.0.1:{server.port}".encode(), f"127.0.0.1:{self.port}".encode()
        assert len(self._address[0]) == len(self._address[1]), "two ports of as many digits are needed"
        self._lock = threading.Lock()
        self._sent: list[Sent] = []
        self._connections: list[Connection] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    def fail(self, *commands: str, times: int = 1, code: int = 2) -> None:
        """See `MongoServer.fail`; goes past the tap."""
        self.server.fail(*commands, times=times, code=code)

    def __enter__(self) -> MongoTap:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for one in (self._listener, *self._sockets):
            _shut_down(one)
            one.close()
        for thread in self._threads:
            thread.join(5)

    @property
    def connections(self) -> list[Connection]:
        """The connections that carried a command of the app: not those that a driver keeps to watch the server."""
        return [one for one in self._connections if one.carried and not one.application.startswith(OWN)]

    def commands(self, timeout: float = 5.0) -> list[Sent]:
        """The app's commands, all answered; the package's own and those that drivers send for themselves are left out."""
        foreign = {one.number for one in self._connections if not one.application.startswith(OWN)}

        def apps() -> list[Sent]:
            return [sent for sent in list(self._sent) if sent.connection in foreign and not _DRIVERS.fullmatch(sent.name)]

        wait_for(lambda: all(sent.answered for sent in apps()), "an answer to every command", timeout)
        return apps()

    def _start(self, run: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=run, args=arguments, name="mongo-tap", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.server.port))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                connection = Connection(len(self._connections))
                self._connections.append(connection)
                self._sockets += [client, server]
            waiting: dict[int, Sent] = {}
            for source, sink, read in ((client, server, self._asked), (server, client, self._answered)):
                self._start(self._pump, source, sink, read, connection, waiting)

    def _pump(
        self, source: socket.socket, sink: socket.socket, read: Any, connection: Connection, waiting: dict[int, Sent]
    ) -> None:
        try:
            with source.makefile("rb") as stream:
                while header := stream.read(_HEADER.size):
                    length, request_id, answers_to, kind = _HEADER.unpack(header)
                    body = stream.read(length - _HEADER.size)
                    read(connection, waiting, request_id, answers_to, kind, body)
                    sink.sendall(header + body.replace(*self._address))
        except (OSError, ValueError, struct.error):
            pass  # one side is gone, in the middle of a message or not
        finally:
            connection.open = False
            _shut_down(source)
            _shut_down(sink)

    def _asked(
        self, connection: Connection, waiting: dict[int, Sent], request_id: int, _to: int, kind: int, body: bytes
    ) -> None:
        if kind == _OP_QUERY:  # the first hello of a connection
            name_end = body.index(b"\0", 4)
            self._note_application(connection, bson.decode(body[name_end + 9 :]))
            return
        assert kind == _OP_MSG, f"a message of kind {kind}"
        command, documents = _message(body)
        name = next(iter(command))
        self._note_application(connection, command)
        target = command.get("collection") if name == "getMore" else command[name]
        sent = Sent(
            name=name,
            collection=target if isinstance(target, str) else None,
            database=str(command.get("$db", "")),
            connection=connection.number,
            began=time.perf_counter(),
            documents=documents,
        )
        if not _DRIVERS.fullmatch(name):
            connection.carried += 1
        if struct.unpack_from("<I", body)[0] & _MORE_TO_COME:
            sent.answered = True  # an unacknowledged write
        else:
            waiting[request_id] = sent
        with self._lock:
            self._sent.append(sent)

    @staticmethod
    def _note_application(connection: Connection, command: dict[str, Any]) -> None:
        client = command.get("client")
        if isinstance(client, dict):
            connection.application = str(client.get("application", {}).get("name", ""))

    def _answered(
        self, _connection: Connection, waiting: dict[int, Sent], _id: int, answers_to: int, kind: int, body: bytes
    ) -> None:
        sent = waiting.pop(answers_to, None)
        if sent is None or kind != _OP_MSG:
            return
        reply, _ = _message(body)
        sent.seconds = time.perf_counter() - sent.began
        if not reply.get("ok"):
            sent.code = str(reply["code"])
            sent.error = str(reply.get("codeName") or reply["code"])
        elif reply.get("writeErrors"):
            sent.code = str(reply["writeErrors"][0]["code"])
            sent.error = {"11000": "DuplicateKey"}.get(sent.code, sent.code)
        sent.answered = True


def _shut_down(one: socket.socket) -> None:
    with suppress(OSError):  # it is closed, or was never connected
        one.shutdown(socket.SHUT_RDWR)


def _message(body: bytes) -> tuple[dict[str, Any], int]:
    """The command or the reply of an OP_MSG, and how many documents stand beside it in sequences."""
    place, documents, command = 4, 0, {}
    end = len(body) - (4 if struct.unpack_from("<I", body)[0] & 1 else 0)  # a checksum may follow
    while place < end:
        kind = body[place]
        size = struct.unpack_from("<i", body, place + 1)[0]
        section = body[place + 1 : place + 1 + size]
        if kind == 0:
            command = bson.decode(section)
        else:
            inner = section.index(b"\0", 4) + 1
            while inner < len(section):
                inner += struct.unpack_from("<i", section, inner)[0]
                documents += 1
        place += 1 + size
    return command, documents


_LINE = re.compile(r'^\d+\.\d+ \[(?P<db>\d+) (?P<client>[^\]]+)\] (?P<words>".*)$')
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ASKED_BY_US = frozenset({"DBSIZE", "SCAN"})
"""How the package asks for the size of a cache, on a connection of its own; no app here sends these."""
_SET_UP = frozenset({"HELLO", "AUTH", "SELECT", "CLIENT", "MONITOR"})


@dataclass
class RedisTap:
    """Every command that reaches a Redis server, by client."""

    server: RedisServer
    _lines: list[str] = field(default_factory=list)

    def __enter__(self) -> RedisTap:  # noqa: PYI034
        self._socket = socket.create_connection(("127.0.0.1", self.server.port))
        self._socket.sendall(b"MONITOR\r\n")
        self._stream = self._socket.makefile("r", encoding="utf-8", errors="replace")
        assert self._stream.readline().startswith("+OK")
        self._thread = threading.Thread(target=self._read, name="redis-tap", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _read(self) -> None:
        try:
            for line in self._stream:
                self._lines.append(line.removeprefix("+").rstrip("\r\n"))
        except (OSError, ValueError):
            return

    def commands(self) -> dict[str, list[list[str]]]:
        """The commands of each client that is not the package's own, in order; a connection's set-up is left out."""
        marker = f"tap:{time.monotonic_ns()}"
        with socket.create_connection(("127.0.0.1", self.server.port)) as probe:
            probe.sendall(f"ECHO {marker}\r\n".encode())
            probe.recv(100)
        wait_for(lambda: any(marker in line for line in self._lines), "Redis telling of all commands")
        found: dict[str, list[list[str]]] = {}
        for match in map(_LINE.match, list(self._lines)):
            if match is not None:
                found.setdefault(match["client"], []).append(_WORD.findall(match["words"]))
        return {
            client: kept
            for client, commands in found.items()
            if not any(word.startswith((OWN, "tap:")) for command in commands for word in command)
            and commands[-1][0].upper() not in _ASKED_BY_US
            and (kept := [command for command in commands if command[0].upper() not in _SET_UP])
        }

    def keys(self) -> int:
        """How many keys there are that are not the package's own."""
        with Redis(port=self.server.port, client_name="tap:keys", decode_responses=True) as client:
            return sum(not str(key).startswith(OWN) for key in client.scan_iter())

    def operations(self) -> Counter[str]:
        """The app's operations by name; what runs between MULTI and EXEC is one, MULTI."""
        found: Counter[str] = Counter()
        for commands in self.commands().values():
            inside = False
            for name in (command[0].upper() for command in commands):
                if not inside:
                    found[name] += 1
                inside = name == "MULTI" or (inside and name not in ("EXEC", "DISCARD"))
        return found
