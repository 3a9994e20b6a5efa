"""What the cache saves counts itself: the last known cost of the model that would have been asked, over all workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, request
from support.ai import AiWatch, watched
from support.flask_hooks import hooked
from support.servers import MongoServer
from support.stack import Stack

from otel_chatbot import cache_hits, cached_answer, chat_completion, messages_received
from otel_chatbot.metrics import record
from otel_chatbot.semconv import metrics as m

INPUT, OUTPUT = 0.15e-6, 0.6e-6
"""US dollars for a token of gpt-4o-mini."""
MINI, LARGE = ("openai", "gpt-4o-mini"), ("openai", "gpt-4o")


@pytest.fixture
def ai() -> Iterator[AiWatch]:
    record.activate(m.CACHE_HITS, m.MESSAGES_RECEIVED)
    with hooked(), watched() as found:
        yield found


def make_app(prefix: str) -> Flask:
    """`/ask` asks a model for as many tokens as it is told; `/cached` and `/ask?cached=1` find the answer in the cache."""
    app = Flask("savings")

    def ask() -> str:
        if request.args.get("cached"):
            cache_hits.inc()
        else:
            with chat_completion("openai", request.args.get("model", "gpt-4o-mini")) as call:
                if request.args.get("fails"):
                    call.fail("timeout")
                else:
                    call.usage(int(request.args["tokens"]), 0)
        if request.args.get("said"):
            cached_answer("openai", "gpt-4o-mini", 7, 0)
        if not request.args.get("unkept"):
            messages_received.inc()
        return "answer"

    app.add_url_rule(f"/{prefix}/ask", "ask", ask)
    app.add_url_rule(f"/{prefix}/other", "other", ask)
    return app


def get(app: Flask, *paths: str) -> None:
    client = app.test_client()
    for path in paths:
        assert client.get(f"/{path}").status_code == 200


def test_an_answer_from_the_cache_saves_the_last_cost_of_the_model_that_its_route_asks(ai: AiWatch) -> None:
    app = make_app("last")
    get(app, "last/ask?tokens=1000", "last/ask?tokens=3000", "last/ask?cached=1", "last/ask?cached=1")
    assert ai.counted(m.AI_COST_SAVED) == {MINI: pytest.approx(2 * 3000 * INPUT)}
    get(app, "last/ask?tokens=500", "last/ask?cached=1")
    assert ai.counted(m.AI_COST_SAVED) == {MINI: pytest.approx((2 * 3000 + 500) * INPUT)}


def test_the_model_that_a_request_names_is_the_one_that_it_saves(ai: AiWatch) -> None:
    app = make_app("named")
    get(app, "named/ask?tokens=1000&model=gpt-4o", "named/ask?tokens=1000&model=gpt-4o-mini")
    get(app, "named/ask?cached=1&model=gpt-4o")
    assert ai.counted(m.AI_COST_SAVED) == {LARGE: pytest.approx(1000 * 2.5e-6)}
    get(app, "named/ask?cached=1&model=gpt-4o-mini", "named/ask?cached=1&model=never-asked")
    assert ai.counted(m.AI_COST_SAVED) == {LARGE: pytest.approx(1000 * 2.5e-6), MINI: pytest.approx(1000 * INPUT)}


@pytest.mark.parametrize(
    "paths",
    [
        ("none/ask?cached=1",),
        ("no-turn/ask?tokens=1000", "no-turn/ask?cached=1&unkept=1"),
        ("elsewhere/ask?tokens=1000", "elsewhere/other?cached=1"),
        ("failed/ask?fails=1", "failed/ask?cached=1"),
        ("asked/ask?tokens=1000", "asked/ask?tokens=1000"),
    ],
    ids=["nothing asked before", "nothing stored", "a route that asks no model", "only failed calls", "no cache"],
)
def test_what_would_not_have_asked_a_model_of_known_cost_saves_nothing(ai: AiWatch, paths: tuple[str, ...]) -> None:
    # A model of its own for the failing call: the cost of the usual one is known from elsewhere.
    app = make_app(paths[0].partition("/")[0])
    get(
        app,
        *(
            path.replace("fails=1", "fails=1&model=o3-mini").replace("failed/ask?cached=1", "failed/ask?cached=1&model=o3-mini")
            for path in paths
        ),
    )
    assert ai.counted(m.AI_COST_SAVED) == {}


def test_what_the_application_says_itself_wins_and_is_not_doubled(ai: AiWatch) -> None:
    app = make_app("said")
    get(app, "said/ask?tokens=1000", "said/ask?cached=1&said=1")
    assert ai.counted(m.AI_COST_SAVED) == {MINI: pytest.approx(7 * INPUT)}


def test_a_switched_off_saving_is_not_counted(ai: AiWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app("off")
    monkeypatch.setattr(record, "switched_off", lambda spec: spec is m.AI_COST_SAVED)
    get(app, "off/ask?tokens=1000", "off/ask?cached=1")
    assert ai.counted(m.AI_COST_SAVED) == {}


def test_the_example_saves_what_its_last_call_cost_whichever_worker_answers(
    tmp_path: Path, mongo_server: MongoServer, scale: int
) -> None:
    answers = 12 * scale
    with Stack(tmp_path, mongo=mongo_server, server="gunicorn", workers=3, arguments=("--threads", "1")) as stack:
        assert stack.chat("what is the weather?").json["cached"] is False
        cost = stack.total("chatbot_ai_cost_total")
        assert cost > 0
        replies = [stack.chat("what is the weather?") for _ in range(answers)]
        assert all(reply.json["cached"] for reply in replies)
        saved = stack.total("chatbot_ai_cost_saved_total", gen_ai_request_model="gpt-4o-mini")
        assert saved == pytest.approx(answers * cost)
        assert stack.total("chatbot_ai_cost_total") == cost
