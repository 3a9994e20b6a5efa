"""Ratings through real workers and the real collector: exact whatever comes twice, late, changed, forged or after a restart."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.outage import gunicorn
from support.pipeline import Collector
from support.process import fetch, wait_for
from support.proofs import record_proof
from support.servers import RedisServer

from otel_chatbot.quality import token
from otel_chatbot.quality.token import Answer, SigningKey
from otel_chatbot.testing import OtlpSink, attributes

pytestmark = pytest.mark.timeout(1800)  # the first of these tests may have to build the collector

KEY = "a key that all machines of the app have"
APP = """
from flask import Flask, Response, jsonify
from otel_chatbot import answer_id, chat_completion, create_feedback_blueprint

app = Flask(__name__)
app.register_blueprint(create_feedback_blueprint(per_minute=0))

@app.post("/chat/<model>")
def chat(model):
    with chat_completion("openai", "an-embedder"):
        pass
    with chat_completion("openai", model) as call:
        call.usage(10, 20)
    return jsonify(answer_id=answer_id())

@app.post("/stream/<model>")
def stream(model):
    def pieces():
        with chat_completion("openai", model) as call:
            yield answer_id()
            call.chunk("word")
            yield " word"
    return Response(pieces())
"""
MODELS = ("model-a", "model-b")
SCORES: dict[str, dict[str, Any]] = {
    "up": {"score": True},
    "down": {"score": "down"},
    "4": {"stars": 4},
    "0.8-1.0": {"score": 1},
}


PLACES = ["sqlite", "redis"] if os.environ.get("OTEL_CHATBOT_PROOFS") else ["sqlite"]
"""`tests/unit/quality/test_ledger.py` has the same contract for both; the long way through Redis is for `make proof`."""


@pytest.fixture(params=PLACES)
def settings(request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path: Path) -> dict[str, str]:
    """The app's settings, with either place for the ledger."""
    env = {
        "CHATBOT_OTEL_FEEDBACK_KEY": KEY,
        "CHATBOT_OTEL_FEEDBACK_HEADER": "X-Answer-Id",
        "OTEL_SERVICE_NAME": f"rated-{tmp_path.name}",
        "OTEL_RESOURCE_ATTRIBUTES": "service.version=1.4.2",
    }
    return {**env, "REDIS_URL": f"redis://127.0.0.1:{redis_server.port}/14"} if request.param == "redis" else env


class Clients:
    """Clients of an app, several at a time."""

    def __init__(self, port: int) -> None:
        self._at = f"http://127.0.0.1:{port}"

    def post(self, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        data = json.dumps(body).encode()
        return fetch(Request(self._at + path, data, {"Content-Type": "application/json", **headers}), 60)

    def ask(self, number: int) -> str:
        model = MODELS[number % len(MODELS)]
        if number % 3:
            return str(json.loads(self.post(f"/chat/{model}")[1])["answer_id"])
        return self.post(f"/stream/{model}")[1].split()[0]

    def rate(self, rating: tuple[str, str, str]) -> tuple[int, str]:
        answer_id, user, name = rating
        given: list[tuple[int, str]] = []

        def taken() -> bool:  # clients are to send again what the ledger could not take, as on a machine that is very busy
            given[:] = [self.post("/feedback", {"answer_id": answer_id, **SCORES[name]}, **{"X-User-Id": user})]
            return given[0][0] != 503

        wait_for(taken, "a ledger that answers", 60, every=0.2)
        return given[0][0], json.loads(given[0][1])["result"]

    def shown(self) -> tuple[dict[tuple[str, str, str], float], dict[str, float]]:
        """What `/metrics` of some worker says: ratings by rating, model and release, and refusals by reason."""
        _, text = fetch(Request(self._at + "/metrics"))
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        names = ("chatbot_feedback_rating", "gen_ai_request_model", "chatbot_release")
        given = {tuple(s.labels[name] for name in names): s.value for s in samples if s.name == "chatbot_feedback" and s.value}
        refused = {s.labels["chatbot_feedback_reason"]: s.value for s in samples if s.name == "chatbot_feedback_refused_total"}
        return given, refused  # type: ignore[return-value]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[OtlpSink, Collector]]:
    """Where the collector sends spans and log records on to, and the collector."""
    with OtlpSink() as sink, Collector(tmp_path / "collector", sink.endpoint) as collector:
        yield sink, collector


def read(answer_id: str) -> Answer:
    found = token.read(answer_id, SigningKey(KEY.encode()), 2e9, 2e9)
    assert isinstance(found, Answer)
    return found


def test_ratings_are_exact_and_each_event_is_on_the_span_of_its_answer(
    settings: dict[str, str], store: tuple[OtlpSink, Collector], tmp_path: Path, scale: int
) -> None:
    sink, collector = store
    chance = random.Random(7)
    count = 60 if scale == 1 else 500 * scale
    said: dict[tuple[str, str], str] = {}
    results: Counter[str] = Counter()

    def go_on(clients: Clients, ratings: list[tuple[str, str, str]]) -> None:
        """Give ratings, several at a time; each user's of one answer in this order."""
        chance.shuffle(ratings)
        for rating in ratings:
            said[rating[:2]] = rating[2]
        with ThreadPoolExecutor(4) as pool:
            for status, result in pool.map(clients.rate, ratings):
                assert status == 200, result
                results[result] += 1

    def expected() -> Counter[tuple[str, str, str]]:
        return Counter((name, read(answer_id).model, "1.4.2") for (answer_id, _), name in said.items())

    with gunicorn(tmp_path / "app", collector.url("otlp_http"), workers=4, source=APP, **settings) as app:
        clients = Clients(app.port)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(clients.ask, range(count)))
        first = [(answer, f"user{n % 7}", chance.choice(list(SCORES))) for n, answer in enumerate(answers[: count // 2])]
        go_on(clients, first)
        go_on(clients, first)  # the same once more
        go_on(clients, [(answer, "another", "down") for answer, _, _ in first[::5]])
        assert clients.shown()[0] == expected()
        wait_for(
            lambda: len(events(sink)) == len(said) and len(answered(sink)) == count, "what is queued in memory to leave", 60
        )
        app.end(signal.SIGKILL)
    with gunicorn(tmp_path / "app", collector.url("otlp_http"), workers=4, source=APP, **settings) as app:
        clients = Clients(app.port)
        wait_for(lambda: clients.shown()[0] == expected(), "the figures from before the restart", 60)
        go_on(clients, [(answer, f"user{n}", "up") for n, answer in enumerate(answers[count // 2 :])])
        changed = [(answer, user, "4" if name != "4" else "up") for answer, user, name in first[::3]]
        go_on(clients, changed)
        forged = [answers[0][:-4] + ("AAAA" if answers[0][-4:] != "AAAA" else "BBBB"), answers[1] + "A", "", "é"]
        assert [clients.rate((answer, "x", "up")) for answer in forged] == [(400, "forged")] * 4
        foreign = token.sign(read(answers[0]), SigningKey(b"another app's key"))
        old = token.sign(read(answers[0])._replace(at=1_000_000_000), SigningKey(KEY.encode()))
        assert clients.rate((foreign, "x", "up")) == (403, "foreign")
        assert clients.rate((old, "x", "up")) == (410, "expired")
        wait_for(lambda: clients.shown()[0] == expected(), "exact figures", 60)
        refused = clients.shown()[1]
        refused.pop("unavailable", None)  # was sent again
        assert refused == {"forged": 4, "foreign": 1, "expired": 1}
        new, moved = len(said), len(changed)
        assert results == {"counted": new, "changed": moved, "unchanged": len(first)}
        wait_for(lambda: len(events(sink)) >= new + moved, "the events", 60)
    spans = {(span.trace_id, span.span_id): span for span in answered(sink)}
    told = Counter[tuple[bytes, bytes]]()
    for event in events(sink):
        span = spans[event.trace_id, event.span_id]
        given_by = attributes(event.attributes)
        assert span.name == f"chat {given_by['gen_ai.request.model']}"
        assert given_by["gen_ai.evaluation.name"] == "user_feedback"
        assert 0.0 <= given_by["gen_ai.evaluation.score.value"] <= 1.0
        told[event.trace_id, event.span_id] += 1
    rated = Counter((read(answer_id).trace_id, read(answer_id).span_id) for answer_id, _ in said)
    for answer_id, _, _ in changed:
        rated[read(answer_id).trace_id, read(answer_id).span_id] += 1
    assert told == rated, "an event is not where its answer is"
    place = "Redis" if "REDIS_URL" in settings else "SQLite"
    record_proof(f"Feedback over four workers and a restart, in {place}", answers=count, ratings=new, changed=moved, lost=0)


def answered(sink: OtlpSink) -> list[Any]:
    return [span for span in sink.spans() if span.name.removeprefix("chat ") in MODELS]


def events(sink: OtlpSink) -> list[Any]:
    return [record for record in sink.logs() if record.event_name == "gen_ai.evaluation.result"]
