"""Budgets over the workers of a gunicorn: what many streams at once may spend beyond a limit, and what a kill takes away.

The truth is the model server's: its log has the tokens of each call.
"""

from __future__ import annotations

import http.client
import os
import signal
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from support.arbiter import children
from support.distro import App, instrumented
from support.model import ModelServer
from support.process import BIN, wait_for
from support.proofs import record_proof
from support.servers import RedisServer

APP = """
import json, os
import urllib3
import otel_chatbot
from flask import Flask, Response, request

app = Flask(__name__)
pool = urllib3.PoolManager(maxsize=16)

@app.post("/chat")
@otel_chatbot.budget_guard(user=lambda: request.headers.get("X-Who"))
def chat():
    asked = {"model": "gpt-4o", "stream": True, "stream_options": {"include_usage": True},
             "messages": [{"role": "user", "content": "What is a span?"}]}

    def stream():
        answer = pool.request("POST", os.environ["OPENAI_BASE_URL"] + "/chat/completions", body=json.dumps(asked),
                              headers={"Content-Type": "application/json"}, preload_content=False)
        try:
            yield from answer.stream(512)
        finally:
            answer.release_conn()

    return Response(stream(), headers={"X-Pid": str(os.getpid())})

@app.get("/")
def index():
    return "ready"
"""


class Budgeted(App):
    """The app on gunicorn, with budgets."""

    def __init__(self, folder: Path, model: ModelServer, budgets: str, workers: int = 2, **env: str) -> None:
        command = instrumented(
            str(BIN / "gunicorn"), "-b", "127.0.0.1:{port}", "-w", str(workers), "-k", "gthread", "--threads", "8", "app:app"
        )
        super().__init__(folder, {"OPENAI_BASE_URL": model.url, "CHATBOT_OTEL_BUDGETS": budgets, **env}, APP, command)

    def chat(self, who: str = "ada") -> int:
        """The status of one stream that was read to its end; 0 if it broke off."""
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
                connection.request("POST", "/chat", headers={"Connection": "close", "X-Who": who})
                answer = connection.getresponse()
                answer.read()
                return answer.status
        except (OSError, http.client.HTTPException):
            return 0

    def many(self, streams: int, most: int) -> Counter[int]:
        """So many clients at once, each until it is refused, at most so often; the answers by status."""

        def one(_: int) -> list[int]:
            found: list[int] = []
            while len(found) < most and 429 not in found:
                found.append(self.chat())
            return found

        with ThreadPoolExecutor(streams) as threads:
            return Counter(status for found in threads.map(one, range(streams)) for status in found)


TOKENS = 69
"""What the model server's answer to the app's question takes."""


def spent(model: ModelServer) -> int:
    found = [call.prompt_tokens + call.completion_tokens for call in model.calls() if not call.aborted]
    assert set(found) == {TOKENS}
    return sum(found)


def in_ledger(app: App) -> int:
    """What the whole app has spent, as the file has it."""
    with closing(sqlite3.connect(app.folder / "logs" / "ledger.sqlite")) as file:
        [[value]] = file.execute("SELECT value FROM figures WHERE key LIKE 'budget:app%'")
        return int(value)


@pytest.mark.parametrize("ledger", ["file", "redis"])
def test_many_streams_on_several_workers_spend_at_most_the_calls_under_way_beyond_a_limit(
    ledger: str, tmp_path: Path, scale: int, redis_server: RedisServer
) -> None:
    streams, workers = (16, 2) if scale == 1 else (64, 8)
    limit = 3 * streams * TOKENS
    env = {"OTEL_SERVICE_NAME": f"budgets-{tmp_path}", "REDIS_URL": redis_server.url} if ledger == "redis" else {}
    with ModelServer(tmp_path, delay=0.02) as model:
        with Budgeted(tmp_path, model, f"app month {limit} tokens", workers, **env) as app:
            answers = app.many(streams, 10)
            assert answers == {200: answers[200], 429: streams}, app.stderr
        total = spent(model)
        assert limit <= total < limit + streams * TOKENS
        assert ledger == "redis" or in_ledger(app) == total
    record_proof(
        f"{streams} streams on {workers} workers against a budget in {'Redis' if ledger == 'redis' else 'a file'}",
        **{
            "limit, tokens": limit,
            "spent by the model's own ledger": total,
            "calls beyond the limit": (total - limit) // TOKENS,
        },
    )


def test_a_killed_worker_takes_no_completed_call_with_it_and_a_restart_none_at_all(tmp_path: Path) -> None:
    streams, limit = 8, 40 * TOKENS
    with ModelServer(tmp_path, delay=0.02) as model:
        with Budgeted(tmp_path, model, f"app month {limit} tokens") as app, ThreadPoolExecutor(1) as beside:
            running = beside.submit(app.many, streams, 100)
            wait_for(lambda: model.log.exists() and model.log.read_text().count("\n") >= 12, "a dozen calls", timeout=60)
            os.kill(children(app.pid)[0], signal.SIGKILL)
            answers = running.result(timeout=120)
        before = in_ledger(app)
        assert answers[429] == streams, app.stderr
        assert answers[200] * TOKENS <= before <= spent(model)
        assert limit <= before < limit + streams * TOKENS
        with Budgeted(tmp_path, model, f"app month {limit} tokens") as again:
            assert again.chat() == 429
            assert in_ledger(again) == before
