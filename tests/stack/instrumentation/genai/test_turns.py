"""AI calls inside requests and beside them: async views, several apps, gevent, the reloader; calls told by hand; savings."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, stream_with_context
from openai import AsyncOpenAI, InternalServerError, OpenAI
from opentelemetry import context as otel_context
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client.parser import text_string_to_metric_families
from support.ai import AiWatch, watched
from support.flask_hooks import Watch, hooked
from support.model import ModelServer
from support.process import Process, wait_for
from support.servers import MongoServer
from support.stack import INSTRUMENT, Stack

from otel_chatbot import chat_completion
from otel_chatbot.semconv import metrics as m

MODEL = "gpt-4o-mini"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    with ModelServer(tmp_path_factory.mktemp("model")) as server:
        yield server  # type: ignore[misc]


@pytest.fixture
def requests() -> Iterator[Watch]:
    with hooked() as made:
        yield made


@pytest.fixture
def ai() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


def ask(client: Any, text: str, **more: Any) -> Any:
    return client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}], **more)


def chatbot(model: ModelServer, name: str = "chatbot") -> Flask:
    app = Flask(name)
    client = OpenAI(base_url=model.url, api_key="k", max_retries=0)

    @app.get("/whole/<text>")
    def whole(text: str) -> str:
        return ask(client, text.replace("_", " /")).choices[0].message.content or ""

    @app.get("/stream/<text>")
    def stream(text: str) -> Response:
        def pieces() -> Iterator[str]:
            for chunk in ask(client, text.replace("_", " /"), stream=True):
                yield chunk.choices[0].delta.content or ""

        return Response(stream_with_context(pieces()))

    @app.get("/async")
    async def with_async_clients() -> str:
        async with AsyncOpenAI(base_url=model.url, api_key="k", max_retries=0) as one:
            answers = await asyncio.gather(ask(one, "one"), ask(one, "two"))
            pieces = [chunk async for chunk in await ask(one, "/chunks 4", stream=True)]
        return f"{len(answers)} {len(pieces)}"

    @app.get("/leave")
    def leave() -> str:
        return next(ask(client, "/chunks 200 /slow 20", stream=True)).id

    @app.get("/fallback")
    def fallback() -> tuple[str, int]:
        try:
            ask(client, "/fail 500")
        except InternalServerError:
            return ask(client, "then this").choices[0].message.content or "", 200
        return "", 500

    @app.get("/crash")
    def crash() -> str:
        ask(client, "/fail 500")
        return ""

    @app.get("/threads")
    def threads() -> str:
        with ThreadPoolExecutor(4) as pool:
            return str(len([*pool.map(lambda number: ask(client, f"thread {number}"), range(4))]))

    return app


def phases(watch: Watch, name: str) -> dict[str, float]:
    attributes = dict(watch.span(name).attributes or {})
    return {key.rpartition(".")[2]: float(value) for key, value in attributes.items() if key.startswith("chatbot.turn.")}  # type: ignore[arg-type]


def test_async_views_are_turns_whose_calls_are_below_them(model: ModelServer, requests: Watch, ai: AiWatch) -> None:
    assert chatbot(model).test_client().get("/async").text.startswith("2 ")
    assert ai.counted(m.AI_RESPONSE_TIME) == {("openai", MODEL, None): 3.0}
    assert set(phases(requests, "GET /async")) == {"first_chunk", "generation", "total"}
    server = requests.span("GET /async")
    assert server.context
    assert {span.parent.span_id for span in ai.spans if span.parent} == {server.context.span_id}


def test_several_apps_of_one_process_have_their_own_turns(model: ModelServer, requests: Watch, ai: AiWatch) -> None:
    one, two = chatbot(model, "one"), chatbot(model, "two")

    @one.get("/outer")
    def outer() -> str:
        return two.test_client().get("/whole/inner").text

    one.test_client().get("/whole/hello")
    two.test_client().get("/whole/hello_wait 0.3")
    assert one.test_client().get("/outer").status_code == 200
    turns = [dict(span.attributes or {}) for span in requests.spans if span.name == "GET /whole/<text>"]
    assert max(turn["chatbot.turn.generation"] for turn in turns) >= 0.3
    assert len(turns) == 3
    assert all(turn["chatbot.turn.generation"] <= turn["chatbot.turn.total"] for turn in turns), "another turn's time is in it"
    assert phases(requests, "GET /outer") == {}
    assert ai.total(m.AI_RESPONSE_TIME) == 3


def test_a_failed_call_and_the_answer_that_it_causes_are_one_error(model: ModelServer, requests: Watch, ai: AiWatch) -> None:
    assert chatbot(model).test_client().get("/crash").status_code == 500
    assert ai.counted(m.ERRORS) == {("InternalServerError",): 1.0}


def test_a_failed_call_that_the_app_gets_over_is_an_error_of_a_good_request(
    model: ModelServer, requests: Watch, ai: AiWatch
) -> None:
    assert chatbot(model).test_client().get("/fallback").status_code == 200
    assert ai.counted(m.ERRORS) == {("InternalServerError",): 1.0}
    assert requests.span("GET /fallback").status.status_code is StatusCode.UNSET
    assert ai.total(m.AI_RESPONSE_TIME) == 2


def test_a_stream_that_a_view_forgets_ends_with_its_request(model: ModelServer, requests: Watch, ai: AiWatch) -> None:
    assert chatbot(model).test_client().get("/leave").status_code == 200
    server = requests.span("GET /leave")
    call = ai.span
    assert call.end_time
    assert server.end_time
    assert call.end_time <= server.end_time
    assert ai.total(m.ERRORS) == 0


def test_an_answer_that_streams_after_the_view_belongs_to_its_turn(model: ModelServer, requests: Watch, ai: AiWatch) -> None:
    began = time.perf_counter()
    reply = chatbot(model).test_client().get("/stream/now_chunks 4 _slow 0.5")
    assert reply.text
    wall = time.perf_counter() - began
    found = phases(requests, "GET /stream/<text>")
    assert set(found) == {"first_chunk", "generation", "total"}
    assert found["first_chunk"] >= 0.125, "the model waits before each of four chunks"
    assert 0.5 <= found["first_chunk"] + found["generation"] <= found["total"] <= wall
    assert ai.counted(m.TURN_TIME) == {("first_chunk",): 1.0, ("generation",): 1.0, ("total",): 1.0}
    assert "chatbot.ai.cost" in (requests.span("GET /stream/<text>").attributes or {})


def test_calls_in_threads_that_know_nothing_of_the_request_count(model: ModelServer, requests: Watch, ai: AiWatch) -> None:
    assert chatbot(model).test_client().get("/threads").text == "4"
    assert ai.total(m.AI_RESPONSE_TIME) == 4


# told by hand


def told_in_pieces(name: str = "llama") -> Iterator[str]:
    with chat_completion("own", name) as call:
        for word in ("a", "b", "c"):
            call.chunk(word)
            yield word


def close_in_a_thread(pieces: Any) -> None:
    closing = threading.Thread(target=pieces.close)
    closing.start()
    closing.join()


def test_what_runs_after_a_block_that_was_left_in_another_thread_is_no_part_of_it(
    model: ModelServer, requests: Watch, ai: AiWatch
) -> None:
    before = otel_context.get_current()
    for ask_again in (lambda: chatbot(model).test_client().get("/whole/hello"), lambda: next(told_in_pieces("other"))):
        running = told_in_pieces()
        next(running)
        close_in_a_thread(running)
        ask_again()
    assert ai.counted(m.AI_RESPONSE_TIME) == {
        ("own", "llama", None): 2.0,
        ("openai", MODEL, None): 1.0,
        ("own", "other", None): 1.0,
    }
    server = requests.span("GET /whole/<text>")
    assert (server.kind, server.parent) == (SpanKind.SERVER, None)
    assert set(phases(requests, "GET /whole/<text>")) == {"generation", "total"}
    assert len({span.context.trace_id for span in [*ai.spans, server] if span.context}) == 4
    assert otel_context.get_current() is before


def test_blocks_of_generators_that_take_turns_are_apart(model: ModelServer, ai: AiWatch) -> None:
    before = otel_context.get_current()
    one, two = told_in_pieces("one"), told_in_pieces("two")
    assert [*zip(one, two, strict=True)]
    with OpenAI(base_url=model.url, api_key="k", max_retries=0) as client:
        ask(client, "hello")
    assert ai.counted(m.AI_RESPONSE_TIME) == {
        ("own", "one", None): 1.0,
        ("own", "two", None): 1.0,
        ("openai", MODEL, None): 1.0,
    }
    assert otel_context.get_current() is before


def test_an_instrumented_call_inside_of_a_block_is_a_part_of_it(model: ModelServer, ai: AiWatch) -> None:
    with OpenAI(base_url=model.url, api_key="k", max_retries=0) as client, chat_completion("gateway", "router") as call:
        answer = ask(client, "hello")
        call.usage(answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert ai.counted(m.AI_RESPONSE_TIME) == {("gateway", "router", None): 1.0}
    assert ai.span.name == "chat router"


# other ways to serve


def totals(stack: Stack, name: str) -> float:
    return sum(value for (sample, _), value in stack.samples().items() if sample == name)


def test_under_gevent_streams_side_by_side_count_exactly(tmp_path: Path, mongo_server: MongoServer) -> None:
    with Stack(tmp_path, mongo=mongo_server, server="gunicorn", arguments=["-k", "gevent"]) as stack:
        with ThreadPoolExecutor(6) as pool:
            streamed = [*pool.map(lambda number: stack.stream(f"/chunks {4 + number} /slow 0.5 {number}"), range(6))]
        assert [events[-1].name for events in streamed] == ["done"] * 6
        stack.abandon("/chunks 100 /slow 10", after=2)
        calls = stack.model.calls(7)
        wait_for(lambda: totals(stack, "chatbot_ai_response_time_seconds_count") == 7, "the figures of all calls")
        sent = sum(call.completion_tokens for call in calls)
        counted = sum(
            value
            for (sample, labels), value in stack.samples().items()
            if sample == "gen_ai_client_token_usage_sum" and ("gen_ai_token_type", "output") in labels
        )
        assert 0 <= sent - counted <= 1
        assert totals(stack, "chatbot_errors_total") == 0
        turns = {s.span_id for s in stack.spans() if s.name == "POST /chat/stream"}
        models = [s for s in stack.spans() if "gen_ai.request.model" in s.attributes]
        wait_for(lambda: len([s for s in stack.spans() if s.name == "POST /chat/stream"]) == 7, "the spans")
        turns = {s.span_id for s in stack.spans() if s.name == "POST /chat/stream"}
        models = [s for s in stack.spans() if "gen_ai.request.model" in s.attributes]
        assert sorted(s.parent_id for s in models) == sorted(turns), "each call below its own request"


class Reloading(Stack):
    """The example under `flask run --debug`, whose parent watches and whose child serves."""

    def command(self) -> list[str]:
        return [INSTRUMENT, "flask", "--app", str(self.app_path), "run", "--debug", "--port", str(self.port)]


def test_flasks_debug_reloader_keeps_the_figures_and_spans(tmp_path: Path, mongo_server: MongoServer) -> None:
    with Reloading(tmp_path, mongo=mongo_server) as stack:
        assert stack.chat("hello").status == 200
        assert stack.stream("/chunks 5")[-1].name == "done"
        assert totals(stack, "chatbot_ai_response_time_seconds_count") == 2
        wait_for(lambda: len([s for s in stack.spans() if "gen_ai.request.model" in s.attributes]) == 2, "the calls' spans")


def test_a_disabled_sdk_leaves_figures_and_no_spans(tmp_path: Path, mongo_server: MongoServer) -> None:
    with Stack(tmp_path, mongo=mongo_server, env={"OTEL_SDK_DISABLED": "true"}) as stack:
        assert stack.chat("hello").status == 200
        assert stack.stream("/chunks 5")[-1].name == "done"
        stack.model.calls(2)
        assert stack.spans() == []


WITHOUT = """
import sys
sys.modules["opentelemetry.util.genai"] = sys.modules["opentelemetry.instrumentation.genai"] = sys.modules["genai_prices"] = None
import otel_chatbot; otel_chatbot.instrument()
import openai
client = openai.OpenAI(max_retries=0)
def ask(text, **more):
    return client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": text}], **more)
ask("hello"); [chunk for chunk in ask("/chunks 4", stream=True)]
try: ask("/fail 500")
except openai.InternalServerError: pass
print(otel_chatbot.get_prometheus_metrics())
"""


def test_without_the_extra_times_tokens_and_failures_are_counted_and_calls_are_unpriced(
    model: ModelServer, tmp_path: Path
) -> None:
    env = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "k", "CHATBOT_OTEL_LOG_DIR": str(tmp_path / "logs")}
    before = len(model.calls())
    with Process([sys.executable, "-W", "error", "-c", WITHOUT], tmp_path, env) as process:
        assert process.popen.wait(60) == 0, process.stderr
        told = process.stdout
    assert process.stderr == ""
    values = {
        (s.name, s.labels.get("error_type", "")): s.value for f in text_string_to_metric_families(told) for s in f.samples
    }
    assert values["chatbot_ai_response_time_seconds_count", "InternalServerError"] == 1
    assert values["chatbot_errors_total", "InternalServerError"] == 1
    assert values["chatbot_ai_unpriced_total", ""] == 2
    calls = model.calls(before + 3)[before:]
    tokens = [
        s.value for f in text_string_to_metric_families(told) for s in f.samples if s.name == "gen_ai_client_token_usage_sum"
    ]
    assert sum(tokens) == sum(call.prompt_tokens + call.completion_tokens for call in calls)
