"""Bad weather between a client and a server: a proxy that can stall, slow down and drop, holes, fake MongoDB members."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import bson

from .process import program


class Listener:
    """A loopback listener that gives every connection to `serve`, in a thread of its own; a context manager."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._open: list[socket.socket] = []
        self.accepted = 0

    def serve(self, connection: socket.socket) -> None:
        """Accept and never answer."""

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.accepted += 1
            self._open.append(connection)
            threading.Thread(target=self._guarded, args=(connection,), daemon=True).start()

    def _guarded(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.serve(connection)

    def keep(self, connection: socket.socket) -> socket.socket:
        """Close this connection at the end, too."""
        self._open.append(connection)
        return connection

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        self._server.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


class BlackHole(Listener):
    """Accepts and never answers."""


class Proxy(Listener):
    """Passes bytes to a loopback port, `delay` seconds late each way's chunk, and counts what the clients sent."""

    def __init__(self, target: int, delay: float = 0.0) -> None:
        super().__init__()
        self.target = target
        self.delay = delay
        self.sent = b""

    def serve(self, connection: socket.socket) -> None:
        upstream = self.keep(socket.create_connection(("127.0.0.1", self.target), timeout=30))
        threading.Thread(target=self._pump, args=(upstream, connection, False), daemon=True).start()
        self._pump(connection, upstream, True)

    def _pump(self, source: socket.socket, sink: socket.socket, note: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                if note:
                    self.sent += chunk
                time.sleep(self.delay)
                sink.sendall(chunk)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


class MongoMember(Listener):
    """A member of a replica set `rs` that answers `hello` as a secondary: the moment between two primaries."""

    def serve(self, connection: socket.socket) -> None:
        me = f"127.0.0.1:{self.port}"
        hello = {
            "isWritablePrimary": False, "ismaster": False, "secondary": True, "setName": "rs", "setVersion": 1, "hosts": [me],
            "me": me, "minWireVersion": 0, "maxWireVersion": 21, "maxBsonObjectSize": 16777216,
            "maxMessageSizeBytes": 48000000, "maxWriteBatchSize": 100000, "readOnly": False, "ok": 1.0,
        }  # fmt: skip
        while True:
            length, request, _, code = struct.unpack("<iiii", self._exactly(connection, 16))
            self._exactly(connection, length - 16)
            body = bson.encode(hello)
            if code == 2013:  # OP_MSG
                message, answer = struct.pack("<iB", 0, 0) + body, 2013
            else:  # OP_QUERY, the first hello of a connection
                message, answer = struct.pack("<iqii", 8, 0, 0, 1) + body, 1
            connection.sendall(struct.pack("<iiii", 16 + len(message), 1, request, answer) + message)

    @staticmethod
    def _exactly(connection: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = connection.recv(size - len(data))
            if not chunk:
                raise ConnectionResetError
            data += chunk
        return data


@contextlib.contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Processes that hang: SIGSTOP, and SIGCONT at the end."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for localhost that no authority has signed."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    openssl = program("openssl", "install Debian's openssl")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return key, certificate
