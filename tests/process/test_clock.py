"""A clock that is frozen, moved and set back while an application runs: no duration is negative or years long, anywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.distro import App
from support.servers import MongoServer, RedisServer

SOURCE = """
import os
import freezegun
import pymongo, redis
from flask import Flask, jsonify
from opentelemetry import trace
from otel_chatbot import Histogram, LogOperation, track_time

app = Flask(__name__)
cache = redis.Redis.from_url(os.environ["REDIS_URL"])
db = pymongo.MongoClient(os.environ["MONGODB_URI"]).chat
steps = Histogram("step.time", unit="s")
tracer = trace.get_tracer("app")
clock = freezegun.freeze_time("2012-01-01")

def jump():
    "A frozen clock of long ago starts in one call and ends in the next one."
    global frozen
    clock.stop() if frozen else clock.start()
    frozen = not frozen

frozen = False

class Jumping(pymongo.monitoring.CommandListener):
    def started(self, event): jump()
    def succeeded(self, event): pass
    def failed(self, event): pass

jumping = pymongo.MongoClient(os.environ["MONGODB_URI"], event_listeners=[Jumping()]).chat

@app.get("/jump")
def jumps():
    span = tracer.start_span("crosses")
    operation = LogOperation("crosses")
    operation.__enter__()
    track_time(steps)(jump)()
    operation.__exit__(None, None, None)
    span.end()
    cache.get("a")
    cache.set_response_callback("GET", lambda reply, **_: jump() or reply)
    cache.get("a")
    cache.set_response_callback("GET", lambda reply, **_: reply)
    db.messages.find_one()
    jumping.messages.find_one()
    return jsonify(frozen=frozen)

@app.get("/stream")
def stream():
    def parts():
        yield "a"
        jump()
        yield "b"
    return parts()

app.run(port=int(os.environ["PORT"]), threaded=False)
"""
MOST = 60.0
"""Seconds that nothing here takes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer, redis_server: RedisServer) -> Path:
    """Where an application of which the clock has jumped sixteen times has left its telemetry."""
    folder = tmp_path_factory.mktemp("jumping")
    env = {"MONGODB_URI": mongo_server.uri, "REDIS_URL": redis_server.url}
    with App(folder, env, SOURCE, path="/health/live") as app:
        for path in ("/jump", "/stream", "/jump", "/stream", "/jump", "/jump"):
            assert app.get(path)[0] == 200, app.stderr
        (folder / "metrics.txt").write_text(app.get("/metrics")[1])
        (folder / "metrics.json").write_text(app.get("/metrics/json")[1])
        (folder / "health.json").write_text(app.get("/health/detailed")[1])
        app.end()
        assert "Traceback" not in app.stderr, app.stderr
        assert "telemetry fault" not in app.stderr, app.stderr
    return folder


def test_no_histograms_sum_is_negative_or_of_years(folder: Path) -> None:
    sums = re.findall(r"^(\w+_(?:seconds|time)\w*_sum)\S* (\S+)$", (folder / "metrics.txt").read_text(), re.MULTILINE)
    assert {"chatbot_response_time_seconds_sum", "chatbot_db_query_time_seconds_sum", "step_time_seconds_sum"} <= {
        n for n, _ in sums
    }
    assert [(name, value) for name, value in sums if not 0 <= float(value) < MOST] == []


def test_each_span_ends_after_it_began_and_ours_last_as_long_as_they_did(folder: Path) -> None:
    spans = [
        span
        for line in (folder / "logs" / "traces.otlp.jsonl").read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    took = {name: [] for name in {span["name"] for span in spans}}
    for span in spans:
        took[span["name"]].append((int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e9)
    assert {"GET /jump", "GET /stream", "GET", "chat.find", "crosses"} <= took.keys()
    assert min(map(min, took.values())) >= 0
    for name in ("GET /jump", "GET /stream", "GET", "chat.find"):
        assert max(took[name]) < MOST, name


def test_no_logged_duration_is_negative_or_of_years(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "logs" / "chatbot.json.log").read_text().splitlines()]
    durations = [line["duration_ms"] for line in lines if "duration_ms" in line]
    assert len(durations) >= 10
    assert [each for each in durations if not 0 <= each < MOST * 1000] == []


def test_health_tells_no_negative_time(folder: Path) -> None:
    health = json.loads((folder / "health.json").read_text())
    times = re.findall(r'"(\w*(?:_ms|seconds|uptime)\w*)": (-?[\d.]+)', json.dumps(health))
    assert times
    assert [(name, value) for name, value in times if not 0 <= float(value) < MOST * 1000] == []
