"""Two workers of a chatbot that stores what nobody recognises: the model tells of its messages, and empty figures say why."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest
from support.process import BIN, Process, clean_env, fetch, free_port, get, wait_for
from support.servers import MongoServer
from support.wires.server import WiresServer

APP = """
import os
import pymongo
import requests
from flask import Flask, request

app = Flask(__name__)
app.db = None


def ask(text, path="/v1/chat/completions"):
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}
    answer = requests.post(os.environ["MODEL_URL"] + path, json=body, headers={"Authorization": "Bearer k"}, timeout=60)
    answer.raise_for_status()


def store():
    if app.db is None:  # after the fork
        app.db = pymongo.MongoClient(os.environ["MONGO"]).stray
    app.db.frames.insert_one({"said": "a secret", "heard": "another"})


@app.post("/agent")
def agent():
    for step in range(3):
        ask(f"step {step}")
    store()
    return "done"


@app.post("/elsewhere")
def elsewhere():
    requests.post(os.environ["MODEL_URL"] + "/predict", json={"question": "a secret", "session_id": "s1"}, timeout=60)
    return "done"
"""


class Workers(Process):
    """The app under gunicorn; nothing of it is sampled."""

    def __init__(self, folder: Path, model: WiresServer, mongo: MongoServer) -> None:
        self.port = free_port()
        self.folder = folder
        (folder / "stray.py").write_text(APP)
        env = {
            "MODEL_URL": model.url, "MONGO": mongo.uri, "OTEL_TRACES_SAMPLER": "always_off",
            "CHATBOT_OTEL_LOG_DIR": str(folder / "logs"),
        }  # fmt: skip
        command = [str(BIN / "opentelemetry-instrument"), str(BIN / "gunicorn"), "-w", "2", "--threads", "4"]
        super().__init__([*command, "-b", f"127.0.0.1:{self.port}", "stray:app"], folder, env, name="gunicorn")
        self.wait(lambda: get(f"{self.url}/health/live")[0] == 200, "the app", 60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, path: str, times: int) -> None:
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda _: fetch(Request(self.url + path, b"", method="POST"), 60)[0], range(times))
            assert set(answers) == {200}

    def figures(self) -> dict[str, Any]:
        return json.loads(get(f"{self.url}/metrics/json")[1])["metrics"]

    def empty(self) -> dict[str, str]:
        system = json.loads(get(f"{self.url}/health/detailed")[1])["system"]
        return {each["figure"]: each["why"] for each in system["empty_figures"]}

    def log(self) -> str:
        return (self.folder / "logs" / "chatbot.json.log").read_text()


@pytest.fixture(scope="module")
def model() -> Iterator[WiresServer]:
    server = WiresServer().start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory, model: WiresServer, mongo_server: MongoServer) -> Iterator[Workers]:
    with Workers(tmp_path_factory.mktemp("stray"), model, mongo_server) as running:
        yield running


def test_two_workers_count_each_turn_once_and_say_which_figures_are_empty(workers: Workers, scale: int) -> None:
    workers.post("/elsewhere", 1)
    turns = 24 * scale
    assert "posts to 127.0.0.1:" in workers.empty()["chatbot_ai_response_time_seconds"]
    workers.post("/agent", turns)
    shown = workers.figures()
    assert [shown[f"chatbot_messages_{way}_total"]["value"] for way in ("sent", "received")] == [turns, turns]
    assert shown["chatbot_ai_response_time_seconds"]["count"] == 3 * turns
    assert shown["chatbot_conversations_created_total"]["value"] == 0
    for _ in range(6):  # whichever worker answers
        empty = workers.empty()
        assert empty["chatbot_conversations_created_total"].startswith("inserts into `frames` (fields said, heard, _id)")
        assert "chatbot_messages_sent_total" not in empty
    wait_for(lambda: "figures are empty" in workers.log(), "the line", 60)
    assert workers.log().count("figures are empty") == 1
    assert "secret" not in workers.log()
    command = [str(BIN / "otel-chatbot"), "doctor", workers.url]
    doctor = subprocess.run(
        command, env=clean_env(), cwd=workers.folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert "empty: chatbot_conversations_created_total: inserts into `frames`" in " ".join(doctor.stdout.split())
    assert "CHATBOT_OTEL_CONVERSATIONS_COLLECTION" in doctor.stdout
    assert "secret" not in doctor.stdout
