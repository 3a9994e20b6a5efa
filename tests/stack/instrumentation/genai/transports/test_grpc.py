"""Calls of models over gRPC, by an application's own stubs: real channels, sync and asyncio, against a real server.

google-generativeai's own scenarios, with the retries of google.api_core, are in test_model_clients.py.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from support.ai import AiWatch, watched
from support.process import wait_for
from support.wires import gemini_grpc
from support.wires.ask import TEXT
from support.wires.gemini_messages import KINDS
from support.wires.ledger import Ledger

from otel_chatbot import config
from otel_chatbot._guard import Guard
from otel_chatbot.instrumentation.genai import cost
from otel_chatbot.instrumentation.genai.cost import Usage
from otel_chatbot.semconv import metrics as m

MODES = ("plain", "fails", "late", "closed", "garbage")
GEMINI, VERTEX = gemini_grpc.SERVICE, gemini_grpc.VERTEX
OWNERS = {GEMINI: "gcp.gemini", VERTEX: "gcp.vertex_ai"}
MODELS = {GEMINI: "models/gemini-1.5-flash", VERTEX: "projects/p/locations/l/publishers/google/models/gemini-1.5-flash"}


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture(scope="module")
def address(ledger: Ledger) -> Iterator[str]:
    grpc.insecure_channel("127.0.0.1:9").close()  # loads grpc._channel: `watched` follows what is loaded
    cost.cost("", "", ("",), Usage(1))  # loads the prices, which would be loaded on a channel's thread in the midst of a test
    yield gemini_grpc.start(ledger)
    gemini_grpc.KEPT.pop().stop(None).wait(60)  # its threads must not be there when another test forks


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No address is named."""
    monkeypatch.setenv("CHATBOT_OTEL_AI_ADDRESSES", "")
    config.current.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    config.current.cache_clear()


@pytest.fixture
def watch(ledger: Ledger, nowhere: pytest.MonkeyPatch) -> Iterator[AiWatch]:
    ledger.begin()
    with watched() as made:
        yield made


def ask(mode: str, service: str = GEMINI) -> Any:
    return KINDS.Ask(model=MODELS[service], contents=[{"role": "user", "parts": [{"text": f"canary-7f3a wires:{mode}:grpc"}]}])


def method(channel: Any, name: str, service: str = GEMINI) -> Any:
    make = channel.unary_stream if name.startswith("Stream") else channel.unary_unary
    return make(
        f"/{service}/{name}", request_serializer=KINDS.Ask.SerializeToString, response_deserializer=KINDS.Answer.FromString
    )


def texts(answers: Any) -> str:
    return "".join(answer.candidates[0].content.parts[0].text for answer in answers)


def blocking(address: str, mode: str, timeout: float, how: str) -> str:
    with grpc.insecure_channel(address) as channel:
        if how == "stream":
            return texts(method(channel, "StreamGenerateContent")(ask(mode), timeout=timeout))
        unary = method(channel, "GenerateContent")
        if how == "with_call":
            return texts([unary.with_call(ask(mode), timeout=timeout)[0]])
        return texts(
            [unary.future(ask(mode), timeout=timeout).result() if how == "future" else unary(ask(mode), timeout=timeout)]
        )


async def awaiting(address: str, mode: str, timeout: float, how: str) -> str:
    async with grpc.aio.insecure_channel(address) as channel:
        if how == "aio":
            answer = await method(channel, "GenerateContent")(ask(mode), timeout=timeout)
            return "" if answer is None else texts([answer])
        stream = method(channel, "StreamGenerateContent")(ask(mode), timeout=timeout)
        return texts([answer async for answer in stream if answer is not None])


def outcome(address: str, mode: str, how: str) -> tuple[str, str]:
    """What the app gets: the text, or the error's class and status."""
    timeout = 0.5 if mode == "late" else 60.0
    try:
        if how.startswith("aio"):
            return asyncio.run(awaiting(address, mode, timeout, how)), ""
        return blocking(address, mode, timeout, how), ""
    except grpc.RpcError as error:
        return type(error).__name__, str(error.code())


WAYS = ("call", "with_call", "future", "stream", "aio", "aio_stream")


@pytest.mark.parametrize(
    ("how", "mode"),
    [(how, mode) for how in WAYS for mode in MODES if mode != "late" or how in ("future", "aio_stream")],  # those wait
)
def test_a_call_is_counted_as_the_server_knows_it_and_the_app_gets_the_same(
    address: str, ledger: Ledger, how: str, mode: str
) -> None:
    alone = outcome(address, mode, how)
    ledger.begin()
    with watched() as watch:
        assert outcome(address, mode, how) == alone
        # Where the channel's own thread tells the end, that may be after the app has heard of it.
        wait_for(lambda: watch.spans, "the end of the call", 60)
        assert watch.total(m.AI_RESPONSE_TIME) == 1.0
        assert watch.total(m.ERRORS) == (0.0 if mode == "plain" else 1.0)
        if mode == "plain":
            (record,) = ledger.records
            assert alone == (TEXT, "")
            assert watch.tokens() == {"input": record.input, "output": record.output}
        streamed = "stream" in how and mode in ("plain", "closed", "garbage")
        assert watch.total(m.GEN_AI_FIRST_CHUNK) == (1.0 if streamed else 0.0)


def test_errors_have_the_names_of_statuses(address: str, watch: AiWatch) -> None:
    for mode in ("fails", "late"):
        outcome(address, mode, "call")
    assert watch.counted(m.ERRORS) == {("INTERNAL",): 1.0, ("DEADLINE_EXCEEDED",): 1.0}


@pytest.mark.parametrize("service", [GEMINI, VERTEX])
def test_a_span_says_who_was_asked_and_not_a_word_of_it(address: str, watch: AiWatch, service: str) -> None:
    with grpc.insecure_channel(address) as channel:
        method(channel, "GenerateContent", service)(ask("plain", service), timeout=60)
    span = watch.span
    told = dict(span.attributes or {})
    assert span.name == "generate_content gemini-1.5-flash"
    assert told["gen_ai.provider.name"] == OWNERS[service]
    assert (told["server.address"], told["server.port"]) == ("127.0.0.1", int(address.rpartition(":")[2]))
    assert told["gen_ai.response.model"] == "gemini-1.5-flash-001"
    assert "canary-7f3a" not in span.to_json()
    assert "coffee" not in span.to_json()


def test_with_content_a_span_has_question_and_answer(address: str, nowhere: pytest.MonkeyPatch) -> None:
    nowhere.setenv("CHATBOT_OTEL_CAPTURE_CONTENT", "true")
    config.current.cache_clear()
    with watched() as watch:
        outcome(address, "plain", "stream")
        wait_for(lambda: watch.spans, "the span", 60)
        told = dict(watch.span.attributes or {})
    assert "canary-7f3a" in str(told["gen_ai.input.messages"])
    assert TEXT.split(":", maxsplit=1)[0] in str(told["gen_ai.output.messages"])


@pytest.mark.parametrize("end", ["cancelled", "thrown away", "never read"])
def test_a_stream_that_is_left_is_one_call_and_no_error(address: str, watch: AiWatch, end: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stream = method(channel, "StreamGenerateContent")(ask("left"), timeout=60)
        if end != "never read":
            next(stream)
        if end == "cancelled":
            stream.cancel()
        del stream
        wait_for(lambda: watch.spans, "the end of the call", 60)
    assert watch.total(m.ERRORS) == 0.0
    assert dict(watch.span.attributes or {})["chatbot.ai.abandoned"] is True


def test_a_stream_of_asyncio_that_is_thrown_away_ends_at_once(address: str, watch: AiWatch) -> None:
    async def leave() -> None:
        async with grpc.aio.insecure_channel(address) as channel:
            stream = method(channel, "StreamGenerateContent")(ask("left"), timeout=60)
            await stream.read()
            del stream

    gc.disable()
    try:
        asyncio.run(leave())
        wait_for(lambda: watch.spans, "the end of the call", 60)
    finally:
        gc.enable()
    assert watch.total(m.ERRORS) == 0.0


def test_a_reader_that_is_slower_than_the_server_loses_no_token(address: str, ledger: Ledger, watch: AiWatch) -> None:
    async def read_late() -> None:
        async with grpc.aio.insecure_channel(address) as channel:
            stream = method(channel, "StreamGenerateContent")(ask("plain"), timeout=60)
            first = await stream.read()
            await asyncio.to_thread(wait_for, lambda: ledger.records[0].done, "the server's end", 60)
            assert texts([first, *[answer async for answer in answers(stream)]]) == TEXT

    async def answers(stream: Any) -> Any:
        while (answer := await stream.read()) is not grpc.aio.EOF:
            yield answer

    asyncio.run(read_late())
    assert watch.tokens() == {"input": ledger.records[0].input, "output": ledger.records[0].output}


def test_what_is_no_method_of_a_model_is_let_go(address: str, watch: AiWatch) -> None:
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary(f"/{GEMINI}/CountTokens")(b"")
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0


def test_a_future_that_another_tool_has_replaced_reaches_the_app(address: str, nowhere: pytest.MonkeyPatch) -> None:
    theirs = object()
    kind: Any = getattr(grpc, "_channel")._UnaryUnaryMultiCallable  # noqa: B009 - what another tool wraps has no public name
    nowhere.setattr(kind, "future", lambda *_args, **_kwargs: theirs)
    nowhere.setattr(Guard, "strict", False)
    with watched(), grpc.insecure_channel(address) as channel:
        assert method(channel, "GenerateContent").future(ask("plain")) is theirs


def test_what_is_no_message_is_sent_as_it_is(address: str, ledger: Ledger, watch: AiWatch) -> None:
    with grpc.insecure_channel(address) as channel:
        bare = channel.unary_unary(f"/{GEMINI}/GenerateContent")
        assert KINDS.Answer.FromString(bare(ask("plain").SerializeToString(), timeout=60)).model_version
    assert len(ledger.records) == 1
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0, "bytes without a description are not read"


def test_no_thread_is_left_behind(address: str, watch: AiWatch) -> None:
    before = threading.active_count()
    outcome(address, "plain", "stream")
    wait_for(lambda: watch.spans, "the end of the call", 60)
    wait_for(lambda: threading.active_count() <= before, "the channel's threads", 60)
