"""What the six apps share: the requests that a script sends, the app's own books, and the report of both at the end.

The apps hold no line of telemetry. The books are kept by what stands outside of the package: a WSGI middleware, a listener of
pymongo's, the script. Run as `opentelemetry-instrument python <app>.py`; prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from typing import Any

from flask import Flask
from pymongo import MongoClient, monitoring

MODEL = os.environ["MODEL_URL"]
TURNS = int(os.environ.get("TURNS", "12"))
UNCOUNTED = {"hello", "ismaster", "endSessions", "killCursors"}


class Commands(monitoring.CommandListener):
    """Counts the commands of a client, as they end."""

    def __init__(self) -> None:
        self.ended = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Only ends are counted."""

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self.ended += event.command_name not in UNCOUNTED

    failed = succeeded  # type: ignore[assignment]


class Books:
    """The truth, by the names of the figures without `chatbot_`."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.commands = Commands()
        self.truth: Counter[str] = Counter()
        self.running = 0
        inner = app.wsgi_app

        def counting(environ: dict[str, Any], start_response: Any) -> Any:
            probe = environ["PATH_INFO"].startswith(("/health", "/metrics"))
            self.truth["api_requests"] += not probe
            self.running += 1
            try:
                return inner(environ, start_response)
            finally:
                self.running -= 1

        app.wsgi_app = counting  # type: ignore[method-assign]

    def database(self) -> Any:
        """A database of this app's own."""
        client: MongoClient[dict[str, Any]] = MongoClient(os.environ["MONGO"], event_listeners=[self.commands])
        database = client[f"app{os.getpid()}"]
        client.drop_database(database.name)
        return database

    def report(self) -> None:
        """Print what the figures say and what is true."""
        client = self.app.test_client()
        deadline = time.monotonic() + 60
        while self.running and time.monotonic() < deadline:
            time.sleep(0.02)
        empty = client.get("/health/detailed").get_json()["system"]["empty_figures"]
        shown = client.get("/metrics/json").get_json()
        self.truth["db_queries"] = self.commands.ended
        print(json.dumps({"truth": dict(self.truth), "shown": shown, "empty": empty}))


def ask_openai(text: str) -> str:
    """A model call as many write it: by requests."""
    import requests

    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}
    answer = requests.post(f"{MODEL}/v1/chat/completions", json=body, headers={"Authorization": "Bearer k"}, timeout=60)
    answer.raise_for_status()
    return str(answer.json()["choices"][0]["message"]["content"])
