"""A call that begins where the application asks: above the spans of others, one for all attempts, ended by what the app gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from support.ai import AiWatch, watched

from otel_chatbot import chat_completion
from otel_chatbot.instrumentation.genai import boundaries, wire_call
from otel_chatbot.instrumentation.genai.recognise import Place
from otel_chatbot.instrumentation.genai.transports import outer
from otel_chatbot.semconv import metrics as m

URL = "http://127.0.0.1/v1/chat/completions"
BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = b'{"usage": {"prompt_tokens": 3, "completion_tokens": 2}}'


@pytest.fixture
def watch() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


def attempt(status: int = 200) -> str:
    """What the transport below sees of one attempt."""
    sent = wire_call.begin(Place("127.0.0.1", None, "/v1/chat/completions", "http"), lambda: BODY)
    assert sent is not None
    with sent:
        pass
    if sent.responded(status, {"content-type": "application/json"}.get, decoded=True):
        sent.whole(ANSWER)
    return "answer"


@pytest.mark.parametrize("said", [BODY, json.dumps(BODY), json.dumps(BODY).encode()], ids=["object", "text", "bytes"])
def test_redirects_and_attempts_are_one_call_whose_span_is_above_what_others_make(watch: AiWatch, said: Any) -> None:
    above: list[Any] = []

    def send() -> str:
        above.append(trace.get_current_span().get_span_context())
        attempt(307)
        return attempt()

    assert outer.ask(URL, said, send) == "answer"
    assert watch.counted(m.AI_RESPONSE_TIME) == {("openai", "gpt-4o-mini", None): 1.0}
    assert (watch.tokens(), watch.total(m.ERRORS)) == ({"input": 3.0, "output": 2.0}, 0.0)
    assert above == [watch.span.context]
    assert boundaries.current() is None
    assert not trace.get_current_span().get_span_context().is_valid


def test_an_exception_is_the_calls_failure_and_one_that_stands_for_an_answer_is_not(watch: AiWatch) -> None:
    def send() -> None:
        attempt(503)
        raise KeyError("status")

    with pytest.raises(KeyError):
        outer.ask(URL, BODY, send, (KeyError,))
    assert watch.counted(m.ERRORS) == {("503",): 1.0}
    with pytest.raises(KeyError):
        outer.ask(URL, BODY, send)
    assert watch.counted(m.ERRORS) == {("503",): 1.0, ("KeyError",): 1.0}
    assert boundaries.current() is None


def test_inside_of_a_clients_own_call_it_is_a_part_of_that(watch: AiWatch) -> None:
    boundary = boundaries.enter()
    assert boundary is not None
    above: list[Any] = []

    def send() -> str:
        above.append(trace.get_current_span().get_span_context())
        return attempt()

    for _ in range(2):
        assert outer.ask(URL, BODY, send) == "answer"
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0, "the client's call goes on"
    boundary.leave()
    assert watch.total(m.AI_RESPONSE_TIME) == 1.0
    assert above == [watch.span.context] * 2


def test_a_call_that_is_told_by_hand_is_the_only_one(watch: AiWatch) -> None:
    boundary = boundaries.enter()
    with chat_completion("own", "llama"):
        assert outer.ask(URL, BODY, lambda: "answer") == "answer"
    assert boundary is not None
    boundary.leave()
    assert watch.counted(m.AI_RESPONSE_TIME) == {("own", "llama", None): 1.0}


@pytest.mark.parametrize(
    ("url", "said"),
    [(URL, {"question": 1}), (URL, b"no json"), (URL, iter([b"piece"])), (URL, None), (None, BODY), ("http://127.0.0.1:port/v1/chat/completions", BODY)],
    ids=["another body", "no JSON", "a stream", "nothing", "no address", "no port"],
)  # fmt: skip
def test_what_asks_no_model_that_can_be_told_is_sent_without_a_call(watch: AiWatch, url: Any, said: Any) -> None:
    assert outer.ask(url, said, lambda: "sent") == "sent"
    assert (watch.total(m.AI_RESPONSE_TIME), watch.spans) == (0.0, [])
    assert boundaries.current() is None
