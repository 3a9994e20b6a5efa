"""One event counts once: what fills itself, what an app counts by hand, and both give the same figures, for each of the 16.

And what is not the app's own (probes, scrapes, everything that the package sends) counts nowhere.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.ledger import Samples
from support.process import wait_for
from support.proofs import record_proof
from support.script import probe
from support.servers import MongoServer
from support.stack import Stack

from otel_chatbot.semconv import metrics as m
from otel_chatbot.semconv.spec import Kind

APP = Path(__file__).parent / "apps" / "byhand.py"

# apps/byhand.py is asked three questions twice over, one that the model fails, one that crashes, and for work in a thread.
QUESTIONS = 3
TURNS = 2 * QUESTIONS + 1
EXPECTED = {
    "conversations_created": QUESTIONS + 1,
    "messages_sent": TURNS + 2,
    "messages_received": 2 * QUESTIONS,
    "cache_hits": QUESTIONS,
    "cache_misses": QUESTIONS + 1,
    "db_queries": (3 + 1) * QUESTIONS + 3 * QUESTIONS + 3 + 1,
    "errors_total": 2,
    "api_requests": TURNS + 2,
    "active_conversations": QUESTIONS + 1,
    "active_users": 2,
    "cache_size": QUESTIONS,
    "db_connections": 1,
    "response_time": TURNS + 2,
    "db_query_time": (3 + 1) * QUESTIONS + 3 * QUESTIONS + 3 + 1,
    "ai_response_time": QUESTIONS + 1,
    "cache_operation_time": QUESTIONS + 1 + QUESTIONS + QUESTIONS,
}
AUTOMATIC = {**EXPECTED, "active_conversations": QUESTIONS, "active_users": 1}
"""By itself the package takes the refused question for no sign of a user or a conversation; the app by hand does."""
EVERY_NAME = ",".join(EXPECTED)


def totals(samples: Samples) -> dict[str, float]:
    """The sixteen by their Python names, summed over their series; histograms by their counts."""
    found = {}
    for spec in m.CHATBOT:
        name = f"{spec.prometheus}_count" if spec.kind is Kind.HISTOGRAM else spec.prometheus
        found[spec.python] = sum(value for (sample, _), value in samples.items() if sample == name)
    return found


def ask(stack: Stack) -> None:
    for _ in range(2):
        for number in range(QUESTIONS):
            question = {"user_id": "ada", "conversation_id": f"c{number}", "text": f"question {number}"}
            assert stack.post("/turns", question).status == 200
    failing = {"user_id": "bob", "conversation_id": "c-failing", "text": "/fail 500"}
    assert stack.post("/turns", failing).status == 502
    assert stack.post("/broken", {}).status == 500
    assert stack.post("/later", {}).status == 204


@pytest.mark.parametrize(
    ("instrumented", "env"),
    [
        pytest.param(True, {}, id="automatic only"),
        pytest.param(False, {"HANDS": "1"}, id="by hand only"),
        pytest.param(True, {"HANDS": "1", "CHATBOT_OTEL_AUTO_OFF": EVERY_NAME}, id="by hand, automatic sources off"),
        pytest.param(True, {"HANDS": "1"}, id="both"),
        pytest.param(True, {"HANDS": "1", "OTEL_TRACES_SAMPLER": "always_off"}, id="both, nothing sampled"),
    ],
)
def test_each_of_the_sixteen_counts_once(
    tmp_path: Path, mongo_server: MongoServer, instrumented: bool, env: dict[str, str]
) -> None:
    with Stack(tmp_path, app=APP, instrumented=instrumented, mongo=mongo_server, ready="/health/live", env=env) as stack:
        ask(stack)
        expected = EXPECTED if "HANDS" in env else AUTOMATIC
        wait_for(lambda: totals(stack.samples()) == expected, f"{totals(stack.samples())} to be {expected}", 30)


def test_probes_and_scrapes_between_two_chats_change_no_figure_of_the_app(
    tmp_path: Path, mongo_server: MongoServer, scale: int
) -> None:
    number = 500 * scale

    def apps(samples: Samples) -> Samples:
        """What is the app's: the 16 and the conventions' metrics; not those that tell of health and telemetry."""
        own = ("chatbot_health", "chatbot_telemetry")
        named = ("chatbot_", "http_server_", "db_client_", "gen_ai_")
        return {key: value for key, value in samples.items() if key[0].startswith(named) and not key[0].startswith(own)}

    with Stack(tmp_path, mongo=mongo_server) as stack:
        first = {"user_id": "ada"}
        chat = stack.chat("before the probes", **first)
        wait_for(lambda: stack.total("chatbot_cache_size") == 1, "the size of the cache")
        before = apps(stack.samples())
        probe(stack, number)
        after = apps(stack.samples())
        assert {key: (before.get(key), value) for key, value in after.items() if before.get(key) != value} == {}
        assert len(before) > 100

        checks = stack.total("chatbot_health_check_duration_seconds_count")
        assert checks >= number / 6, "and they were not idle"
        stack.chat("after the probes", **first, conversation_id=chat.json["conversation_id"])
        assert stack.total("chatbot_api_requests_total") == 2
        assert stack.total("chatbot_messages_sent_total") == 2
        record_proof("Probes and scrapes between two chats", probes_and_scrapes=number, series=len(before), changed=0)


def test_an_answer_that_streams_for_three_seconds_shows_three_seconds_everywhere(
    tmp_path: Path, mongo_server: MongoServer
) -> None:
    question = "/chunks 30 /slow 3"
    with Stack(tmp_path, mongo=mongo_server) as stack:
        stack.chat("the indexes are there by now")
        asked = "chatbot_ai_response_time_seconds_sum"
        before = stack.total(asked)
        events = stack.stream(question, user_id="ada")
        waited = events[-1].seconds
        [call] = stack.model.calls(2)[1:]
        wait_for(lambda: any(one.get("route") == "/chat/stream" for one in stack.log_records()), "the access record")
        [access] = [one for one in stack.log_records() if one.get("route") == "/chat/stream"]
        spans = {span.name: span for span in stack.spans("POST /chat/stream", "chat gpt-4o-mini") if span.seconds > 1}
        route = {"http_route": "/chat/stream"}
        shown = {
            "server span": spans["POST /chat/stream"].seconds,
            "span of the model's call": spans["chat gpt-4o-mini"].seconds,
            "chatbot.response.time": stack.total("chatbot_response_time_seconds_sum", **route),
            "http.server.request.duration": stack.total("http_server_request_duration_seconds_sum", **route),
            "chatbot.ai.response.time": stack.total(asked) - before,
            "access record": access["duration_ms"] / 1000,
        }
        slow = {"le": "2.5", **route}
        assert stack.total("chatbot_response_time_seconds_bucket", **slow) == 0
        assert stack.total("http_server_request_duration_seconds_bucket", **slow) == 0
        assert call.seconds >= 3
        for place, seconds in shown.items():
            assert 3 <= seconds < 1.5 * waited, f"{place}: {seconds} s, of which the client waited {waited}"
        record_proof("A streamed answer of 3 s", client_waited=waited, **shown)
