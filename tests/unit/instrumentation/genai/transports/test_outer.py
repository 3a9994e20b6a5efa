"""A call begins where the application asks: what is sent inside is one call, and what leaves it reaches the application."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from support.ai import AiWatch, watched

from otel_chatbot.instrumentation.genai import boundaries, wire_call
from otel_chatbot.instrumentation.genai import call as genai_call
from otel_chatbot.instrumentation.genai.recognise import Place
from otel_chatbot.instrumentation.genai.transports import outer
from otel_chatbot.semconv import metrics as m

URL = "http://127.0.0.1/v1/chat/completions"
PLACE = Place("127.0.0.1", None, "/v1/chat/completions", "http")
BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
SAID = json.dumps(BODY)
ANSWER = b'{"usage": {"prompt_tokens": 3, "completion_tokens": 2}}'
JSON = {"content-type": "application/json"}.get


@pytest.fixture
def watch() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


def attempt(status: int = 200) -> str:
    """Send the request, as the transport below sees it."""
    sent = wire_call.begin(PLACE, lambda: BODY)
    assert sent is not None
    with sent:
        pass
    if sent.responded(status, JSON, decoded=True):
        sent.whole(ANSWER)
    return "answer"


@pytest.mark.parametrize("said", [SAID, SAID.encode()])
def test_attempts_below_are_one_call_that_ends_with_the_outer_one(watch: AiWatch, said: object) -> None:
    def send() -> str:
        attempt(503)
        assert watch.total(m.AI_RESPONSE_TIME) == 0.0
        return attempt()

    assert outer.ask(URL, said, send) == "answer"
    assert watch.counted(m.AI_RESPONSE_TIME) == {("openai", "gpt-4o-mini", None): 1.0}
    assert watch.tokens() == {"input": 3.0, "output": 2.0}
    assert (boundaries.current(), genai_call.current()) == (None, None)


def test_what_is_raised_is_the_calls_failure_and_the_applications_own_error(watch: AiWatch) -> None:
    error = ConnectionError("gone")

    def send() -> str:
        raise error

    with pytest.raises(ConnectionError) as raised:
        outer.ask(URL, SAID, send)
    assert raised.value is error
    assert watch.total(m.ERRORS) == 1.0
    assert (boundaries.current(), genai_call.current()) == (None, None)


def test_an_exception_that_stands_for_an_answer_does_not_replace_what_the_answer_says(watch: AiWatch) -> None:
    class Status(Exception):  # noqa: N818 - as urllib's own
        pass

    def send() -> str:
        attempt()
        raise Status

    with pytest.raises(Status):
        outer.ask(URL, SAID, send, (Status,))
    assert (watch.total(m.ERRORS), watch.total(m.AI_RESPONSE_TIME)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:port/v1/chat/completions", SAID),
        ("http://127.0.0.1/hello", SAID),
        (URL, None),
        (URL, object()),
        (b"http://127.0.0.1/v1/chat/completions", SAID),
    ],
    ids=["a port that is none", "no model", "nothing said", "a file", "bytes"],
)
def test_what_is_no_call_of_a_model_is_sent_once_and_counted_nowhere(watch: AiWatch, url: object, said: object) -> None:
    sent: list[object] = []
    assert outer.ask(url, said, lambda: sent.append(genai_call.current()) or "answer") == "answer"
    assert sent == [None]
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0
    assert boundaries.current() is None


def test_inside_of_a_clients_own_method_the_call_ends_with_that(watch: AiWatch) -> None:
    boundary = boundaries.enter()
    assert boundary is not None
    assert outer.ask(URL, SAID, attempt) == "answer"
    assert boundaries.current() is boundary
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0, "the client may ask again"
    boundary.leave()
    assert watch.total(m.AI_RESPONSE_TIME) == 1.0


def test_a_client_that_is_not_to_be_followed_is_left_alone(watch: AiWatch) -> None:
    boundary = boundaries.enter(boundaries.Client(ignored=True))
    assert boundary is not None
    assert outer.ask(URL, SAID, lambda: boundary.call) is None
    boundary.leave()
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0
