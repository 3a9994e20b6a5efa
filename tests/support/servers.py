"""Real servers for the tests, each a process of its own on a free loopback port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pymongo import MongoClient

from .process import Process, free_port, port_open, program


class RedisServer(Process):
    """A real redis-server without persistence."""

    def __init__(self, folder: Path, port: int = 0, *arguments: str) -> None:
        self.port = port or free_port()
        binary = program("redis-server", "install Debian's redis-server, or run `make setup`")
        super().__init__(
            [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *arguments],
            folder,
            name="redis",
        )
        self.wait(lambda: port_open(self.port), "redis-server")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


class MongoServer(Process):
    """A MongoDB wire-protocol server (SecantusDB), a process of its own; never imported."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.port = port or free_port()
        binary = program("secantusd-py", "run `make setup`, which installs it from the test requirements")
        data = folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        super().__init__(
            [binary, "--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(data), "--enable-test-commands"],
            folder,
            name="mongo",
        )
        self.wait(lambda: port_open(self.port), "secantusd-py")

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    def fail(self, *commands: str, times: int = 1, code: int = 2) -> None:
        """Make the next `times` of these commands (insert, find, update …) fail with an error code of MongoDB."""
        with MongoClient[dict[str, Any]](self.uri) as client:
            data = {"failCommands": list(commands), "errorCode": code}
            client.admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=data)
