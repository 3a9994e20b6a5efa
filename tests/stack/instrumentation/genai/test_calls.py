"""Calls of a real openai client, sync and async: what is counted of them, and their spans; the endpoint's log is the truth."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import APIConnectionError, APITimeoutError, AsyncOpenAI, InternalServerError, OpenAI, RateLimitError
from opentelemetry.trace import StatusCode
from support.ai import AiWatch, watched
from support.endpoint import Endpoint
from support.model import ModelServer

from otel_chatbot import ai_response_time, config, errors_total
from otel_chatbot.instrumentation.genai import call as genai_call
from otel_chatbot.metrics import deduplication
from otel_chatbot.semconv import metrics as m

MODEL = "gpt-4o-mini"
KEY = ("chat", "openai", MODEL, MODEL)
"""Operation, provider, model asked for and model that answered."""
DATED = ("chat", "openai", MODEL, "gpt-4o-mini-2024-07-18")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    with ModelServer(tmp_path_factory.mktemp("model")) as server:
        yield server  # type: ignore[misc]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        yield server


@pytest.fixture
def client(model: ModelServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=model.url, api_key="k", max_retries=0) as made:
        yield made


@pytest.fixture
def calls(model: ModelServer) -> Callable[[int], list[Any]]:
    """The calls in the server's log since the test began, as soon as there are so many."""
    before = len(model.calls())
    return lambda count: model.calls(before + count)[before:]


@pytest.fixture(params=[True, False], ids=["sampled", "always_off"])
def watch(request: pytest.FixtureRequest) -> Iterator[AiWatch]:
    with watched(sampled=request.param) as made:
        yield made


@pytest.fixture
def spans() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


def ask(client: Any, text: str, **more: Any) -> Any:
    return client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}], **more)


def text_of(stream: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


# exact figures


def test_whole_and_streamed_answers_count_the_tokens_of_the_servers_log(
    watch: AiWatch, client: OpenAI, calls: Callable[[int], list[Any]]
) -> None:
    whole = ask(client, "how are you")
    assert text_of(ask(client, "/chunks 30 how are you", stream=True))
    assert text_of(ask(client, "/chunks 7", stream=True, stream_options={"include_usage": False}))
    first, second, third = calls(3)
    assert (second.usage_sent, third.usage_sent) == (True, False)
    assert whole.usage.completion_tokens == first.completion_tokens
    assert watch.counted(m.AI_RESPONSE_TIME) == {("openai", MODEL, None): 3.0}
    assert watch.counted(m.GEN_AI_DURATION) == {(*KEY, None): 3.0}
    output = watch.summed(m.GEN_AI_TOKENS)[(*KEY, "output")]
    assert output == first.completion_tokens + second.completion_tokens + third.completion_tokens
    assert watch.counted(m.GEN_AI_TOKENS) == {(*KEY, "input"): 3.0, (*KEY, "output"): 3.0}
    assert watch.counted(m.GEN_AI_FIRST_CHUNK) == {KEY: 2.0}
    assert watch.counted(m.GEN_AI_CHUNK) == {KEY: second.chunks + third.chunks - 2.0}
    assert watch.total(m.ERRORS) == 0


def test_the_asynchronous_client_counts_the_same(watch: AiWatch, model: ModelServer, calls: Callable[[int], list[Any]]) -> None:
    async def main() -> None:
        async with AsyncOpenAI(base_url=model.url, api_key="k", max_retries=0) as client:

            async def streamed(number: int) -> None:
                async for _ in await ask(client, f"/chunks {number} /slow 0.1", stream=True):
                    pass

            await asyncio.gather(ask(client, "hello"), *(streamed(number) for number in (5, 6, 7)))

    asyncio.run(main())
    done = calls(4)
    assert watch.counted(m.AI_RESPONSE_TIME) == {("openai", MODEL, None): 4.0}
    assert watch.tokens() == {
        "input": sum(call.prompt_tokens for call in done),
        "output": sum(call.completion_tokens for call in done),
    }
    assert watch.counted(m.GEN_AI_FIRST_CHUNK) == {KEY: 3.0}
    assert watch.counted(m.GEN_AI_CHUNK) == {KEY: 4.0 + 5.0 + 6.0}


def test_durations_are_those_of_the_server(spans: AiWatch, client: OpenAI, calls: Callable[[int], list[Any]]) -> None:
    began = time.perf_counter()
    assert text_of(ask(client, "/wait 0.4 /slow 0.6 /chunks 6", stream=True))
    wall = time.perf_counter() - began
    [call] = calls(1)
    # The server waits 0.4 s, and 0.1 s before each chunk: no figure can be less, and all together cannot be more than `wall`.
    assert call.first_chunk_seconds >= 0.5
    first, rest = spans.summed(m.GEN_AI_FIRST_CHUNK)[KEY], spans.summed(m.GEN_AI_CHUNK)[KEY]
    took = spans.summed(m.AI_RESPONSE_TIME)["openai", MODEL, None]
    assert first >= 0.5
    assert 1.0 <= first + rest <= took <= wall
    assert spans.summed(m.GEN_AI_DURATION)[(*KEY, None)] == took
    span = spans.span
    assert span.end_time
    assert span.start_time
    assert 0.5 * took <= (span.end_time - span.start_time) / 1e9 <= 1.5 * wall  # by two clocks, which are not read at once
    assert span.attributes
    assert span.attributes["gen_ai.response.time_to_first_chunk"] == first


def test_a_span_tells_the_call_in_the_conventions_words_and_no_content(spans: AiWatch, model: ModelServer) -> None:
    with OpenAI(base_url=model.url, api_key="k", max_retries=0) as client:
        text_of(ask(client, "a secret question", stream=True, temperature=0.5, max_tokens=99))
    span = spans.span
    attributes = dict(span.attributes or {})
    assert (span.name, span.kind.name, span.status.status_code) == (f"chat {MODEL}", "CLIENT", StatusCode.UNSET)
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.provider.name"] == "openai"
    assert attributes["gen_ai.request.model"] == attributes["gen_ai.response.model"] == MODEL
    assert attributes["gen_ai.request.temperature"] == 0.5
    assert attributes["gen_ai.request.max_tokens"] == 99
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["server.address"] == "127.0.0.1"
    assert attributes["server.port"] == model.port
    assert attributes["gen_ai.usage.output_tokens"] > 0
    assert "secret" not in json.dumps(attributes)
    assert "chatbot.ai.tokens.estimated" not in attributes


def test_a_fingerprint_is_on_the_span_and_on_no_metric(spans: AiWatch, endpoint: Endpoint) -> None:
    with OpenAI(base_url=endpoint.url, api_key="k", max_retries=0) as client:
        ask(client, "hi")
    assert dict(spans.span.attributes or {})["openai.response.system_fingerprint"] == "fp_1"
    assert spans.counted(m.GEN_AI_DURATION) == {(*DATED, None): 1.0}
    assert not {"openai.response.system_fingerprint", "openai.response.service_tier"} & set(m.GEN_AI_DURATION.attributes)


def test_embeddings_responses_and_parsed_answers_are_counted_too(spans: AiWatch, endpoint: Endpoint) -> None:
    with OpenAI(base_url=endpoint.url, api_key="k", max_retries=0) as client:
        client.embeddings.create(model="text-embedding-3-small", input="hi")
        client.responses.create(model=MODEL, input="hi")
        list(client.responses.create(model=MODEL, input="hi", stream=True))
        with client.responses.stream(model=MODEL, input="hi") as stream:
            stream.get_final_response()
    embedding = ("embeddings", "openai", "text-embedding-3-small", "text-embedding-3-small")
    assert spans.summed(m.GEN_AI_TOKENS) == {
        (*embedding, "input"): 7.0, (*DATED, "input"): 36.0, (*DATED, "output"): 12.0,
    }  # fmt: skip
    assert spans.counted(m.GEN_AI_FIRST_CHUNK) == {DATED: 2.0}
    assert spans.counted(m.GEN_AI_CHUNK) == {DATED: 6.0}
    assert sorted(span.name for span in spans.spans) == [f"chat {MODEL}"] * 3 + ["embeddings text-embedding-3-small"]


# failures


@pytest.mark.parametrize(("words", "kind"), [("/fail 500", InternalServerError), ("/fail 429", RateLimitError)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_call_is_one_error(
    watch: AiWatch, client: OpenAI, calls: Callable[[int], list[Any]], words: str, kind: type[Exception], stream: bool
) -> None:
    with pytest.raises(kind):
        ask(client, words, stream=stream)
    assert calls(1)[0].failed
    assert watch.counted(m.ERRORS) == {(kind.__name__,): 1.0}
    assert watch.counted(m.AI_RESPONSE_TIME) == {("openai", MODEL, kind.__name__): 1.0}
    assert watch.counted(m.GEN_AI_TOKENS) == {}
    assert watch.counted(m.AI_UNPRICED) == {}


def test_the_span_of_a_failure_names_the_class_and_no_message(spans: AiWatch, client: OpenAI) -> None:
    with pytest.raises(InternalServerError):
        ask(client, "/fail 500 a secret")
    span = spans.span
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "InternalServerError")
    assert dict(span.attributes or {})["error.type"] == "InternalServerError"
    assert not span.events


def test_the_clients_own_retries_are_one_call(watch: AiWatch, model: ModelServer, calls: Callable[[int], list[Any]]) -> None:
    with OpenAI(base_url=model.url, api_key="k", max_retries=2) as client, pytest.raises(RateLimitError):
        ask(client, "/fail 429")
    calls(3)
    assert watch.total(m.AI_RESPONSE_TIME) == watch.total(m.ERRORS) == 1.0


def test_a_stream_that_breaks_is_one_error_with_what_had_arrived(
    watch: AiWatch, client: OpenAI, calls: Callable[[int], list[Any]]
) -> None:
    stream = ask(client, "/cut /chunks 8", stream=True)
    with pytest.raises(APIConnectionError):
        text_of(stream)
    [call] = calls(1)
    assert call.cut
    assert watch.counted(m.ERRORS) == {("APIConnectionError",): 1.0}
    assert watch.tokens()["output"] == call.completion_tokens == 4


def test_no_connection_and_no_patience_are_failures(spans: AiWatch, model: ModelServer) -> None:
    with OpenAI(base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0) as client, pytest.raises(APIConnectionError):
        ask(client, "hi")
    with OpenAI(base_url=model.url, api_key="k", max_retries=0, timeout=0.2) as client, pytest.raises(APITimeoutError):
        ask(client, "/wait 2")
    assert spans.counted(m.ERRORS) == {("APIConnectionError",): 1.0, ("APITimeoutError",): 1.0}


# the application loses interest


def close(stream: Any) -> None:
    next(stream), next(stream), next(stream), next(stream)
    stream.close()


def leave_by_break(stream: Any) -> None:
    for number, _ in enumerate(stream):
        if number == 3:
            break


def leave_by_exception(stream: Any) -> None:
    try:
        with stream:
            for number, _ in enumerate(stream):
                if number == 3:
                    raise KeyError(number)
    except KeyError:
        return


def leave_a_generator(stream: Any) -> None:
    def pieces() -> Iterator[Any]:
        with stream:
            yield from stream

    running = pieces()
    for _ in range(4):
        next(running)
    running.close()


def close_the_response(stream: Any) -> None:
    next(stream), next(stream), next(stream), next(stream)
    stream.response.close()


@pytest.mark.parametrize(
    "leave",
    [close, leave_by_break, leave_by_exception, leave_a_generator, close_the_response],
    ids=lambda leave: leave.__name__,
)
def test_an_abandoned_stream_ends_once_with_what_had_arrived_and_is_no_failure(
    watch: AiWatch, client: OpenAI, calls: Callable[[int], list[Any]], leave: Callable[[Any], None]
) -> None:
    stream = ask(client, "/chunks 200 /slow 10", stream=True)
    leave(stream)
    del stream
    gc.collect()
    [call] = calls(1)
    assert call.aborted
    assert watch.tokens()["output"] == 3, "the first chunk holds no text"
    assert watch.counted(m.AI_RESPONSE_TIME) == {("openai", MODEL, None): 1.0}
    assert watch.summed(m.AI_RESPONSE_TIME)["openai", MODEL, None] < 5
    assert watch.total(m.ERRORS) == 0


def test_the_span_of_an_abandoned_stream_says_so_and_that_its_tokens_are_estimated(spans: AiWatch, client: OpenAI) -> None:
    close(ask(client, "/chunks 200 /slow 10", stream=True))
    gc.collect()
    span = spans.span
    attributes = dict(span.attributes or {})
    assert span.status.status_code is StatusCode.UNSET
    assert attributes["chatbot.ai.abandoned"] is True
    assert attributes["chatbot.ai.tokens.estimated"] is True
    assert attributes["gen_ai.usage.output_tokens"] == 3


def test_helpers_that_are_left_half_way_are_no_failure(spans: AiWatch, client: OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=[{"role": "user", "content": "/chunks 99 /slow 9"}]) as stream:
        for event in stream:
            if event.type == "content.delta":
                break
    with client.chat.completions.with_streaming_response.create(
        model=MODEL, messages=[{"role": "user", "content": "/chunks 99 /slow 9"}], stream=True
    ) as raw:
        next(raw.iter_bytes())
    assert spans.total(m.ERRORS) == 0
    assert spans.counted(m.AI_RESPONSE_TIME) == {("openai", MODEL, None): 2.0}
    assert [span.status.status_code for span in spans.spans] == [StatusCode.UNSET] * 2


def test_a_cancelled_task_is_no_failure(spans: AiWatch, model: ModelServer) -> None:
    async def main() -> None:
        async with AsyncOpenAI(base_url=model.url, api_key="k", max_retries=0) as client:

            async def read() -> None:
                async for _ in await ask(client, "/chunks 100 /slow 10", stream=True):
                    started.set()

            for text in ("/wait 10", None):
                started = asyncio.Event()
                task = asyncio.create_task(read() if text is None else ask(client, text))
                if text is None:
                    await started.wait()
                else:
                    await asyncio.sleep(0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(main())
    gc.collect()
    assert spans.total(m.ERRORS) == 0
    assert spans.counted(m.AI_RESPONSE_TIME) == {("openai", MODEL, None): 2.0}
    assert [span.status.status_code for span in spans.spans] == [StatusCode.UNSET] * 2


def test_a_stream_that_another_thread_closes_is_no_failure(spans: AiWatch, client: OpenAI) -> None:
    stream = ask(client, "/chunks 3 /slow 30", stream=True)
    next(stream)
    threading.Timer(0.2, stream.response.close).start()
    try:
        list(stream)
    except Exception:
        gc.collect()
    assert spans.total(m.ERRORS) == 0
    assert spans.total(m.AI_RESPONSE_TIME) == 1.0


def test_a_thousand_abandoned_streams_leave_nothing_behind(spans: AiWatch, endpoint: Endpoint, scale: int) -> None:
    count = 50 * scale
    with OpenAI(base_url=endpoint.url, api_key="k", max_retries=0) as client:
        for _ in range(count):
            next(ask(client, "hi", stream=True))
    gc.collect()
    assert spans.total(m.AI_RESPONSE_TIME) == count
    assert len(spans.spans) == count
    gc.collect()
    assert not [found for found in gc.get_objects() if type(found) is genai_call.Call]


# tokens, estimated


def test_without_a_usage_tokens_are_estimated_by_the_text_and_the_span_says_so(spans: AiWatch, endpoint: Endpoint) -> None:
    with OpenAI(base_url=endpoint.url, api_key="k", max_retries=0) as client:
        text_of(ask(client, "x" * 40, stream=True, user="nothing"))
        one_by_one = dict(spans.span.attributes or {})
        text = text_of(ask(client, "x" * 40, stream=True, stream_options={"include_usage": False}, user="batch"))
    assert one_by_one["chatbot.ai.tokens.estimated"] is True
    assert (one_by_one["gen_ai.usage.input_tokens"], one_by_one["gen_ai.usage.output_tokens"]) == (10, 4)
    batch = dict(spans.spans[1].attributes or {})
    assert batch["gen_ai.usage.output_tokens"] == len(text) // 4


# money


def test_a_call_costs_what_the_price_table_says(watch: AiWatch, client: OpenAI, calls: Callable[[int], list[Any]]) -> None:
    ask(client, "how much is this")
    text_of(ask(client, "and this, streamed", stream=True))
    dollars = sum(call.prompt_tokens * 0.15e-6 + call.completion_tokens * 0.6e-6 for call in calls(2))
    assert watch.counted(m.AI_COST) == {("openai", MODEL): pytest.approx(dollars, rel=1e-9)}
    assert watch.total(m.AI_UNPRICED) == 0


def test_tokens_that_the_provider_had_cached_cost_less(spans: AiWatch, endpoint: Endpoint) -> None:
    with OpenAI(base_url=endpoint.url, api_key="k", max_retries=0) as client:
        ask(client, "hi")
    dollars = 7 * 0.15e-6 + 5 * 0.075e-6 + 4 * 0.6e-6
    assert spans.counted(m.AI_COST) == {("openai", MODEL): pytest.approx(dollars)}
    assert dict(spans.span.attributes or {})["chatbot.ai.cost"] == pytest.approx(dollars)


def test_an_unknown_model_is_unpriced_and_never_costs_zero(watch: AiWatch, client: OpenAI) -> None:
    client.chat.completions.create(model="my-own-llama", messages=[{"role": "user", "content": "hi"}])
    assert watch.counted(m.AI_COST) == {}
    assert watch.counted(m.AI_UNPRICED) == {("my-own-llama",): 1.0}
    assert all("chatbot.ai.cost" not in (span.attributes or {}) for span in watch.spans)


def test_the_users_own_prices_come_first(
    spans: AiWatch, client: OpenAI, calls: Callable[[int], list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"my-own-llama": {"input": 1, "output": 2}, f"openai/{MODEL}": {"input": 10}}))
    monkeypatch.setenv("CHATBOT_OTEL_AI_PRICES", str(prices))
    config.current.cache_clear()
    try:
        for name in ("my-own-llama", MODEL):
            client.chat.completions.create(model=name, messages=[{"role": "user", "content": "hi"}])
    finally:
        monkeypatch.undo()
        config.current.cache_clear()
    llama, mini = calls(2)
    assert spans.counted(m.AI_COST) == {
        ("openai", "my-own-llama"): pytest.approx((llama.prompt_tokens + 2 * llama.completion_tokens) / 1e6),
        ("openai", MODEL): pytest.approx(10 * mini.prompt_tokens / 1e6),
    }


# one event counts once


def test_what_is_also_told_by_hand_counts_once(spans: AiWatch, client: OpenAI) -> None:
    with deduplication.request_scope():
        ask(client, "hi")
        ai_response_time.observe(0.1)
        with pytest.raises(InternalServerError):
            ask(client, "/fail 500")
        errors_total.inc()
    assert spans.total(m.AI_RESPONSE_TIME) == 2.0
    assert spans.total(m.ERRORS) == 1.0
