"""The example chatbot and its models: tokens, costs, errors and phases equal the model server's log, in each signal."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from support.model import Call
from support.process import wait_for
from support.servers import MongoServer
from support.stack import Span, Stack

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
INPUT, OUTPUT = 0.15e-6, 0.6e-6
"""US dollars for a token of gpt-4o-mini."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer) -> Iterator[Stack]:
    env = {"CHATBOT_OTEL_SERVER_TIMING": "true"}
    with Stack(tmp_path_factory.mktemp("observed"), mongo=mongo_server, env=env) as made:
        made.chat("indexes are there by now")
        yield made


def totals(stack: Stack, name: str, label: str = "") -> dict[str, float]:
    """A sample's values, summed by one of its labels."""
    found: dict[str, float] = {}
    for (sample, labels), value in stack.samples().items():
        if sample == name:
            key = dict(labels).get(label, "")
            found[key] = found.get(key, 0.0) + value
    return found


def since(stack: Stack, before: dict[str, float], name: str, label: str = "") -> dict[str, float]:
    now = totals(stack, name, label)
    return {key: value - before.get(key, 0.0) for key, value in now.items() if value != before.get(key, 0.0)}


FIGURES = {
    "calls": ("chatbot_ai_response_time_seconds_count", ""),
    "tokens": ("gen_ai_client_token_usage_sum", "gen_ai_token_type"),
    "cost": ("chatbot_ai_cost_total", ""),
    "first": ("gen_ai_client_operation_time_to_first_chunk_seconds_count", ""),
    "rest": ("gen_ai_client_operation_time_per_output_chunk_seconds_count", ""),
    "errors": ("chatbot_errors_total", "error_type"),
}


@pytest.mark.parametrize("sampler", ["always_on", "always_off"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_script_of_chats_counts_what_the_models_log_says(
    tmp_path: Path, mongo_server: MongoServer, sampler: str, workers: int
) -> None:
    served = {"server": "gunicorn", "workers": workers} if workers > 1 else {}
    with Stack(tmp_path, mongo=mongo_server, env={"OTEL_TRACES_SAMPLER": sampler}, **served) as stack:  # type: ignore[arg-type]
        for number in range(3):
            assert stack.chat(f"question {number}").status == 200
            assert stack.stream(f"/chunks {7 + number} streamed question {number}")[-1].name == "done"
        assert stack.chat("question 0").json["cached"]
        assert stack.stream("question 1")[0].name == "start"
        assert stack.chat("/fail 500").status == 502
        assert stack.chat("/fail 429").status == 502
        assert stack.stream("/cut /chunks 8")[-1].name == "error"
        stack.abandon("/chunks 200 /slow 20", after=3)
        calls = stack.model.calls(10)
        whole = [call for call in calls if not call.aborted and not call.failed]
        told = sum(call.prompt_tokens for call in whole)

        name = "chatbot_ai_response_time_seconds_count"
        wait_for(lambda: sum(totals(stack, name).values()) == len(calls), "all calls on /metrics")
        assert totals(stack, "chatbot_errors_total", "error_type") == {
            "": 0.0, "InternalServerError": 1.0, "RateLimitError": 1.0, "APIConnectionError": 1.0,
        }  # fmt: skip
        tokens = totals(stack, "gen_ai_client_token_usage_sum", "gen_ai_token_type")
        # The server may have sent one more token to the client that left than the client has read.
        assert 0 <= sum(call.completion_tokens for call in calls) - tokens["output"] <= 1
        assert tokens["input"] - told > 0, "what was asked for the two that did not end is estimated"
        assert sum(totals(stack, "gen_ai_client_token_usage_count").values()) == 2 * (len(whole) + 2)
        streamed = [call for call in calls if call.chunks]
        first = sum(totals(stack, FIGURES["first"][0]).values())
        rest = sum(totals(stack, FIGURES["rest"][0]).values())
        assert first == len(streamed) == 5
        assert 0 <= sum(call.chunks for call in streamed) - first - rest <= 1
        dollars = sum(totals(stack, "chatbot_ai_cost_total").values())
        assert dollars == pytest.approx(tokens["input"] * INPUT + tokens["output"] * OUTPUT)
        if sampler == "always_off":
            assert stack.spans() == []


def trace_of(stack: Stack, traceparent: str) -> tuple[Span, Span | None]:
    """The request's span and the model's, of the trace that an answer's Server-Timing header names."""
    trace_id = traceparent.split("-")[1]

    def found() -> list[Span]:
        return [span for span in stack.spans() if span.trace_id == trace_id]

    wait_for(lambda: any(span.kind == "SERVER" for span in found()), "the request's span")
    [server] = [span for span in found() if span.kind == "SERVER"]
    return server, next((span for span in found() if "gen_ai.request.model" in span.attributes), None)


def browser_trace(headers: dict[str, str]) -> str:
    found = re.fullmatch(r'traceparent;desc="(00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3])"', headers["Server-Timing"])
    assert found, headers
    return found[1]


def test_the_browser_is_told_the_trace_of_each_answer_where_the_setting_says_so(stack: Stack, tmp_path: Path) -> None:
    reply = stack.chat("tell me the trace")
    server, model = trace_of(stack, browser_trace(dict(reply.headers)))
    assert server.name == "POST /chat"
    assert model is not None
    assert browser_trace(dict(reply.headers)).split("-")[2] == server.span_id


def test_span_and_logs_of_a_turn_name_the_conversation(stack: Stack) -> None:
    first = stack.chat("which conversation is this")
    key = first.json["conversation_id"]
    second = stack.chat("and now", conversation_id=key)
    for reply in (first, second):
        server, model = trace_of(stack, browser_trace(dict(reply.headers)))
        assert model is not None
        assert server.attributes["gen_ai.conversation.id"] == model.attributes["gen_ai.conversation.id"] == key

        def records(trace: str = server.trace_id) -> list[dict[str, object]]:
            return [one for one in stack.log_records() if one.get("trace_id") == trace]

        wait_for(lambda: any(one["logger"] == "chatbot.access" for one in records()), "the access record")
        assert {one["message"] for one in records()} >= {"Answered"}
        assert {one["gen_ai.conversation.id"] for one in records()} == {key}


def phases(server: Span) -> dict[str, float]:
    return {name.rpartition(".")[2]: value for name, value in server.attributes.items() if name.startswith("chatbot.turn.")}


@pytest.mark.parametrize(("words", "slow"), [("/wait 2 /chunks 3", "first_chunk"), ("/chunks 20 /slow 3", "generation")])
def test_the_trace_of_a_slow_answer_tells_which_phase_was_slow(stack: Stack, words: str, slow: str) -> None:
    before = totals(stack, "chatbot_turn_time_seconds_sum", "chatbot_phase")
    asked = len(stack.model.calls())
    first = stack.chat(f"a conversation with a history of {slow}").json["conversation_id"]
    began = time.perf_counter()
    with stack.streaming(words, conversation_id=first) as events:
        kept = list(events)
    wall = time.perf_counter() - began
    assert kept[-1].name == "done"
    call = stack.model.calls(asked + 2)[-1]
    wait_for(lambda: [s for s in stack.spans() if s.name == "POST /chat/stream" and phases(s).get(slow, 0) > 1.5], "the span")
    server = max((s for s in stack.spans() if s.name == "POST /chat/stream"), key=lambda span: span.start)
    found = phases(server)
    assert set(found) == {"history", "cache", "first_chunk", "generation", "total"}
    assert call.first_chunk_seconds is not None
    # The model takes its time before it sends, so that no phase can be shorter; nothing can be longer than the whole.
    assert found["first_chunk"] >= (2.0 if slow == "first_chunk" else 3.0 / 20)
    assert found["first_chunk"] + found["generation"] >= (2.0 if slow == "first_chunk" else 3.0)
    assert sum(value for name, value in found.items() if name != "total") <= found["total"] <= wall
    assert found["total"] <= server.seconds + 0.01, "by another clock"
    assert max((name for name in found if name != "total"), key=found.get) == slow  # type: ignore[arg-type]
    grown = since(stack, before, "chatbot_turn_time_seconds_sum", "chatbot_phase")
    assert grown[slow] >= 1.5
    assert set(grown) == set(found)


def test_a_turn_that_the_cache_answers_has_no_model_in_it(stack: Stack) -> None:
    stack.chat("twice the same")
    before = totals(stack, "chatbot_turn_time_seconds_count", "chatbot_phase")
    reply = stack.chat("twice the same")
    assert reply.json["cached"]
    server, model = trace_of(stack, browser_trace(dict(reply.headers)))
    assert model is None
    assert set(phases(server)) == {"cache", "total"}
    assert since(stack, before, "chatbot_turn_time_seconds_count", "chatbot_phase") == {"cache": 1.0, "total": 1.0}


def test_requests_that_are_no_turn_have_no_phases(stack: Stack) -> None:
    before = totals(stack, "chatbot_turn_time_seconds_count", "chatbot_phase")
    assert stack.get("/conversations").status == 200
    imported = [{"role": role, "content": "hi"} for role in ("user", "assistant")]
    assert stack.post("/conversations", {"messages": imported}).status == 201
    assert since(stack, before, "chatbot_turn_time_seconds_count", "chatbot_phase") == {}


def test_the_cost_of_a_turn_is_on_its_span(stack: Stack) -> None:
    asked = len(stack.model.calls())
    server, model = trace_of(stack, browser_trace(dict(stack.chat("what does this cost").headers)))
    call: Call = stack.model.calls(asked + 1)[-1]
    assert model is not None
    dollars = call.prompt_tokens * INPUT + call.completion_tokens * OUTPUT
    assert server.attributes["chatbot.ai.cost"] == model.attributes["chatbot.ai.cost"] == pytest.approx(dollars)


def exemplars(stack: Stack, family: str) -> list[tuple[float, float, str, str]]:
    """Edge, value, trace and span of each exemplar of a histogram on /metrics."""
    text = stack.get("/metrics", Accept=OPENMETRICS).text
    return [
        (
            float(sample.labels["le"]),
            sample.exemplar.value,
            sample.exemplar.labels["trace_id"],
            sample.exemplar.labels["span_id"],
        )
        for found in text_string_to_metric_families(text)
        if found.name == family
        for sample in found.samples
        if sample.exemplar is not None
    ]


def test_the_exemplar_of_a_slow_answer_leads_from_its_bucket_to_its_trace(stack: Stack) -> None:
    reply = stack.chat("/wait 2.6 slowly, please")
    trace_id, span_id = browser_trace(dict(reply.headers)).split("-")[1:3]
    for family, least in (
        ("chatbot_ai_response_time_seconds", 2.5),
        ("gen_ai_client_operation_duration_seconds", 2.56),
        ("chatbot_turn_time_seconds", 2.5),
        ("chatbot_response_time_seconds", 2.5),
        ("http_server_request_duration_seconds", 2.5),
    ):
        found = next(one for one in exemplars(stack, family) if one[2] == trace_id and one[1] > least)
        assert found[0] > found[1] > least, f"{family}: not the bucket of the value"
    server, model = trace_of(stack, f"00-{trace_id}-{span_id}-01")
    assert model is not None
    assert model.seconds > 2.5
    assert phases(server)["generation"] > 2.5


def test_exemplars_name_sampled_traces_alone_and_survive_the_merge_of_workers(
    tmp_path: Path, mongo_server: MongoServer
) -> None:
    env = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with Stack(tmp_path, mongo=mongo_server, server="gunicorn", workers=2, env=env) as stack:
        for number in range(40):
            assert stack.chat(f"/wait 0.0{number % 3} question {number}").status == 200
        found = exemplars(stack, "chatbot_ai_response_time_seconds")
        assert found
        named = {(trace, span) for _, _, trace, span in found}  # a trace's spans may leave in several batches
        wait_for(lambda: named <= {(span.trace_id, span.span_id) for span in stack.spans()}, "each exemplar's span")
        spans = {(span.trace_id, span.span_id): span for span in stack.spans()}
        assert all("gen_ai.request.model" in spans[trace, span].attributes for _, _, trace, span in found)
        assert 5 <= len({span.trace_id for span in stack.spans() if span.kind == "SERVER"}) <= 35


@pytest.mark.parametrize("captured", [False, True])
def test_content_is_on_spans_only_on_request_and_redacted(tmp_path: Path, mongo_server: MongoServer, captured: bool) -> None:
    env = {"CHATBOT_OTEL_CAPTURE_CONTENT": "true"} if captured else {}
    with Stack(tmp_path, mongo=mongo_server, env=env) as stack:
        stack.chat("my mail is ada@example.org and my word is heliotrope")
        stack.stream("streamed heliotrope")
        wait_for(lambda: len([s for s in stack.spans() if s.kind == "SERVER"]) == 2, "the spans")
        everything = "".join(path.read_text(errors="replace") for path in stack.logs.rglob("*") if path.is_file())
        everything += stack.get("/metrics").text
        assert "ada@example.org" not in everything
        models = [span for span in stack.spans() if "gen_ai.request.model" in span.attributes]
        if not captured:
            assert "heliotrope" not in everything
            assert not any("gen_ai.input.messages" in span.attributes for span in models)
            return
        for span in models:
            asked = json.loads(span.attributes["gen_ai.input.messages"])
            answered = json.loads(span.attributes["gen_ai.output.messages"])
            assert "heliotrope" in asked[-1]["parts"][0]["content"]
            assert "heliotrope" in answered[0]["parts"][0]["content"]
