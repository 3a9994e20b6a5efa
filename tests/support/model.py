"""The local model server as a process, and its log of calls: what figures about the model are compared with."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .process import Process, wait_for

SERVER = Path(__file__).resolve().parents[2] / "examples" / "model_server" / "server.py"


@dataclass(frozen=True)
class Call:
    """One line of the model server's log; its `Call` says what the fields mean."""

    model: str | None
    streamed: bool
    status: int
    prompt_tokens: int
    completion_tokens: int
    chunks: int
    usage_sent: bool
    aborted: bool
    cut: bool
    started: float
    first_chunk_seconds: float | None
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether the client got an error: a refusal, or an answer that the server cut off."""
        return self.status >= 400 or self.cut


def calls_in(log: Path) -> list[Call]:
    """The calls in a model server's log."""
    return [Call(**json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []


class ModelServer(Process):
    """examples/model_server on a free loopback port; `delay` is the wait before each answer, in seconds."""

    def __init__(self, folder: Path, delay: float = 0.0, port: int = 0) -> None:
        self.log = folder / "model-calls.jsonl"
        super().__init__(
            [sys.executable, str(SERVER), "--port", str(port), "--log", str(self.log), "--delay", str(delay)],
            folder,
            name="model",
        )
        self.wait(lambda: self.stdout.endswith("\n"), "the model server")
        self.url = self.stdout.strip().splitlines()[-1]
        """For OPENAI_BASE_URL."""
        self.port = urlsplit(self.url).port

    def calls(self, count: int | None = None) -> list[Call]:
        """The calls that have ended; with `count`, waits until there are so many, and fails if there are more."""
        if count is not None:
            wait_for(lambda: len(calls_in(self.log)) >= count, f"{count} calls in the model server's log")
        found = calls_in(self.log)
        assert count is None or len(found) == count, f"{len(found)} calls, not {count}: {found}"
        return found
