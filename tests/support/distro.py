"""Small real apps under `opentelemetry-instrument`, for the tests of the distribution."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .arbiter import all_listen, workers_asked_for
from .process import Process, free_port, get, program, wait_for

APP = """
import logging, os
from flask import Flask

app = Flask(__name__)
log = logging.getLogger("app")
log.setLevel("INFO")

@app.get("/")
def index():
    log.info("hello from the app")
    return "hello"

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), use_reloader=False)
"""


class App(Process):
    """A Flask app in a process of its own, answering on `port`."""

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str] | None = None,
        source: str = APP,
        command: Sequence[str] = (),
        *,
        path: str = "/",
        wait: bool = True,
    ) -> None:
        self.port = free_port()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "app.py").write_text(source)
        instrument = program("opentelemetry-instrument", "run `make setup`")
        words = [word.replace("{port}", str(self.port)) for word in command] or [instrument, sys.executable, "app.py"]
        super().__init__(words, folder, {"PORT": str(self.port), **(env or {})}, name="app")
        if wait:
            self.wait(lambda: self.get(path)[0] > 0, "the app")

    def get(self, path: str = "/") -> tuple[int, str]:
        return get(f"http://127.0.0.1:{self.port}{path}")

    def end(self, number: int = signal.SIGTERM, timeout: float = 15.0) -> int:
        """End it; gunicorn when all its workers listen, so that none forgets that it was told to end."""
        workers = workers_asked_for(self.popen.args)  # type: ignore[arg-type]
        if workers and number == signal.SIGTERM:
            with contextlib.suppress(AssertionError):  # then it ends as it can
                wait_for(
                    lambda: self.popen.poll() is not None or all_listen(self.pid, workers, self.stderr), "workers that listen"
                )
        return super().end(number, timeout)

    def log_lines(self) -> list[dict[str, Any]]:
        path = self.folder / "logs" / "chatbot.json.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def spans_on_disk(self) -> list[dict[str, Any]]:
        return [
            span
            for path in sorted((self.folder / "logs").glob("traces.otlp*.jsonl"))
            for line in path.read_text().splitlines()
            for group in json.loads(line)["resourceSpans"]
            for scope in group["scopeSpans"]
            for span in scope["spans"]
        ]


def instrumented(*command: str) -> list[str]:
    """A command under `opentelemetry-instrument`."""
    return [program("opentelemetry-instrument", "run `make setup`"), *command]


def plant(folder: Path, name: str, source: str, entry_points: Mapping[str, str]) -> Path:
    """A small installed distribution on a folder for PYTHONPATH: a module and its entry points, by group."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[{group}]\n{value}\n" for group, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder
