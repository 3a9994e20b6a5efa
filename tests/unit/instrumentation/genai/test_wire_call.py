"""One request and its answer as a transport sees them: read along in any pieces, told once, bounded."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from support.ai import AiWatch, watched

from otel_chatbot import chat_completion
from otel_chatbot.instrumentation.genai import runs, wire_call
from otel_chatbot.instrumentation.genai.recognise import Place
from otel_chatbot.instrumentation.genai.wire_call import WireCall
from otel_chatbot.metrics import record
from otel_chatbot.semconv import metrics as m

PLACE = Place("127.0.0.1", 9, "/v1/chat/completions", "http")
BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = b'{"model": "gpt-4o-mini", "choices": [{"message": {"content": "Hello"}}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}'
STREAM = (
    b'data: {"choices": [{"delta": {"content": "Hel"}}]}\n\n'
    b'data: {"choices": [{"delta": {"content": "lo"}}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\n'
    b"data: [DONE]\n\n"
)
KINDS = {"whole": "application/json", "stream": "text/event-stream"}


@pytest.fixture
def watch() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


def begun(place: Place = PLACE, body: Any = BODY) -> WireCall:
    sent = wire_call.begin(place, lambda: body)
    assert sent is not None
    with sent:
        pass
    return sent


def answering(kind: str = "application/json", encoding: str = "", place: Place = PLACE, body: Any = BODY) -> WireCall:
    """A call whose answer has begun."""
    sent = begun(place, body)
    assert sent.responded(200, {"content-type": kind, "content-encoding": encoding}.get, decoded=False)
    return sent


def test_what_asks_no_model_and_what_is_part_of_another_call_begins_none(watch: AiWatch) -> None:
    assert wire_call.begin(PLACE._replace(path="/orders"), lambda: BODY) is None
    assert wire_call.begin(PLACE, lambda: {"question": "hi"}) is None
    assert wire_call.begin(PLACE, lambda: None) is None
    with record.own_traffic():
        assert wire_call.begin(PLACE, lambda: BODY) is None
    with chat_completion("own", "llama"):
        assert wire_call.begin(PLACE, lambda: BODY) is None
    assert watch.counted(m.AI_RESPONSE_TIME) == {("own", "llama", None): 1.0}


def test_the_body_of_a_request_that_asks_no_model_by_its_address_is_read_a_few_times_at_most(watch: AiWatch) -> None:
    reads = []
    for _ in range(9):
        wire_call.begin(Place("shop.example", None, "/orders"), lambda: reads.append(1))  # type: ignore[func-returns-value]
    assert len(reads) <= 3


@pytest.mark.parametrize("cut", [1, 7, 10_000])
@pytest.mark.parametrize("encoding", ["", "gzip"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_read_along_in_any_pieces_also_compressed(watch: AiWatch, kind: str, encoding: str, cut: int) -> None:
    body = STREAM if kind == "stream" else ANSWER
    if encoding:
        packer = zlib.compressobj(wbits=31)
        body = packer.compress(body) + packer.flush()
    sent = answering(KINDS[kind], encoding)
    for start in range(0, len(body), cut):
        sent.feed(body[start : start + cut])
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0
    sent.finish()
    assert watch.counted(m.AI_RESPONSE_TIME) == {("openai", "gpt-4o-mini", None): 1.0}
    assert watch.tokens() == {"input": 3.0, "output": 2.0}
    assert watch.total(m.GEN_AI_FIRST_CHUNK) == float(kind == "stream")


@pytest.mark.parametrize(("status", "errors"), [(500, {("500",): 1.0}), (429, {("429",): 1.0}), (302, {})])
def test_a_refusal_ends_the_call_at_its_head_and_its_body_is_not_read(
    watch: AiWatch, status: int, errors: dict[tuple[str], float]
) -> None:
    sent = begun()
    assert sent.responded(status, {}.get, decoded=True) is False
    sent.whole(ANSWER)
    assert (watch.counted(m.ERRORS), watch.total(m.AI_RESPONSE_TIME), watch.tokens()) == (errors, 1.0, {})


@pytest.mark.parametrize(
    ("end", "errors", "abandoned"),
    [
        (lambda sent: sent.fail(ConnectionResetError()), {("ConnectionResetError",): 1.0}, None),
        (lambda sent: sent.closed(), {}, True),
        (lambda sent: sent.abandon(), {}, True),
        (lambda sent: sent.refused("UNAVAILABLE"), {("UNAVAILABLE",): 1.0}, None),
    ],
    ids=["fails", "closed", "thrown away", "refused"],
)
def test_a_stream_ends_once_whatever_ends_it(
    watch: AiWatch, end: Any, errors: dict[tuple[str], float], abandoned: bool
) -> None:
    sent = answering("text/event-stream")
    sent.feed(STREAM[:60])
    end(sent)
    for again in (sent.finish, sent.closed, sent.abandon, lambda: sent.fail(OSError()), lambda: sent.refused("X")):
        again()
    assert (watch.total(m.AI_RESPONSE_TIME), watch.counted(m.ERRORS)) == (1.0, errors)
    assert dict(watch.span.attributes or {}).get("chatbot.ai.abandoned") is abandoned


def test_what_comes_after_the_end_is_not_read_and_a_last_event_without_an_empty_line_is(watch: AiWatch) -> None:
    sent = answering("text/event-stream")
    sent.fail(OSError())
    sent.feed(STREAM)
    assert watch.total(m.GEN_AI_FIRST_CHUNK) == 0.0
    answering("text/event-stream").whole(b'data: {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}')
    assert watch.tokens() == {"input": 3.0, "output": 2.0}


def test_a_stream_that_is_closed_after_its_last_event_was_read_whole(watch: AiWatch) -> None:
    sent = answering("text/event-stream")
    sent.feed(STREAM)
    sent.closed()
    assert watch.tokens() == {"input": 3.0, "output": 2.0}
    assert "chatbot.ai.abandoned" not in dict(watch.span.attributes or {})


def test_an_exception_of_the_sending_is_the_calls_failure(watch: AiWatch) -> None:
    sent = wire_call.begin(PLACE, lambda: BODY)
    assert sent is not None
    with pytest.raises(ConnectionRefusedError), sent:
        raise ConnectionRefusedError
    assert watch.counted(m.ERRORS) == {("ConnectionRefusedError",): 1.0}


def test_an_answer_that_cannot_be_decoded_leaves_its_tokens_unknown_and_is_no_failure(watch: AiWatch) -> None:
    for encoding in ("br-unknown", "gzip"):
        sent = answering(encoding=encoding)
        sent.feed(ANSWER)
        sent.finish()
    assert (watch.total(m.AI_RESPONSE_TIME), watch.tokens(), watch.total(m.ERRORS)) == (2.0, {}, 0.0)


def test_an_answer_beyond_the_limit_ends_its_call_without_tokens(watch: AiWatch) -> None:
    sent = answering()
    piece = b'{"usage": {"prompt_tokens": 1, "completion_tokens": 2}, "x": "' + b"x" * (wire_call.MOST // 2)
    for _ in range(3):
        sent.feed(piece)
    assert not sent._buffer, "nothing of it is kept"
    sent.finish()
    assert watch.total(m.AI_RESPONSE_TIME) == 1.0
    assert watch.counted(m.GEN_AI_TOKENS) == {}
    assert watch.total(m.ERRORS) == 0


@pytest.mark.parametrize(
    ("kind", "body"),
    [("application/json", b'{"usage": {"prompt_tokens": 1, "compl'), ("text/event-stream", b"data: {no json\n\n")],
)
def test_a_broken_answer_is_a_failure_that_says_so(watch: AiWatch, kind: str, body: bytes) -> None:
    answering(kind).whole(body)
    assert watch.counted(m.ERRORS) == {("InvalidAnswer",): 1.0}


def test_an_empty_answer_and_one_that_is_an_array_are_read(watch: AiWatch) -> None:
    answering().whole(b"")
    answering().whole(b"[" + ANSWER + b", 5]")
    assert (watch.total(m.AI_RESPONSE_TIME), watch.total(m.ERRORS)) == (2.0, 0.0)
    assert watch.tokens() == {"input": 3.0, "output": 2.0}


@pytest.mark.parametrize(("output", "told"), [("7", 7.0), ("many", None), (None, None)])
def test_tokens_that_only_the_headers_tell_are_counted(watch: AiWatch, output: str | None, told: float | None) -> None:
    place = Place("127.0.0.1", 9, "/model/meta.llama3/invoke")
    sent = begun(place, {"prompt": "hi"})
    headers = {"content-type": "application/json", "x-amzn-bedrock-input-token-count": "5"}
    if output is not None:
        headers["x-amzn-bedrock-output-token-count"] = output
    assert sent.responded(200, headers.get, decoded=True)
    sent.whole(b'{"generation": "Hello"}')
    assert watch.tokens() == {"input": 5.0} | ({} if told is None else {"output": told})


def test_messages_of_a_transport_without_bytes_are_read_too(watch: AiWatch) -> None:
    place = Place("127.0.0.1", 9, "/v1beta/models/gemini-2.0-flash:streamGenerateContent")
    sent = begun(place, {"contents": []})
    sent.message({"candidates": [{"content": {"parts": [{"text": "Hello"}]}}]})
    sent.message({"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}})
    sent.finish()
    sent.message({"usageMetadata": {"promptTokenCount": 99}})
    assert (watch.tokens(), watch.total(m.GEN_AI_FIRST_CHUNK)) == ({"input": 3.0, "output": 2.0}, 1.0)


def test_a_run_goes_on_after_its_answer_until_somebody_hears_of_its_end(watch: AiWatch) -> None:
    place = Place("127.0.0.1", 9, "/v1/threads/thread_1/runs")
    answering(place=place, body={"assistant_id": "asst_1"}).whole(b'{"id": "run_wire", "status": "queued"}')
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0
    assert runs.asks("/v1/threads/thread_1/runs/run_wire")
    runs.heard(b'{"id": "run_wire", "status": "completed", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}')
    assert (watch.total(m.AI_RESPONSE_TIME), watch.tokens()) == (1.0, {"input": 3.0, "output": 2.0})
    assert "run_wire" not in runs.WAITING
