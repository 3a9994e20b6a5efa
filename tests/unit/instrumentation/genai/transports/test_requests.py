"""Calls of models through requests: redirects and retries are one call, and the application gets what it gets without us."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from opentelemetry import trace
from requests.adapters import BaseAdapter
from support.ai import AiWatch, watched

from otel_chatbot.instrumentation.genai import boundaries, wire_call
from otel_chatbot.instrumentation.genai.recognise import Place
from otel_chatbot.semconv import metrics as m

HOST = "http://127.0.0.1"
URL = f"{HOST}/v1/chat/completions"
ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = json.dumps({"usage": {"prompt_tokens": 3, "completion_tokens": 2}}).encode()


class Wire(BaseAdapter):
    """Answers in the place of urllib3's adapter, as its transport would follow it."""

    def __init__(self, *answers: int | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.spans: list[Any] = []

    def send(self, request: Any, *_: Any, **__: Any) -> requests.Response:
        self.spans.append(trace.get_current_span())
        answer = self.answers.pop(0)
        place = Place("127.0.0.1", None, request.path_url, "http")
        sent = wire_call.begin(place, lambda: request.body) if request.method == "POST" else None
        with contextlib.nullcontext() if sent is None else sent:
            if isinstance(answer, Exception):
                raise answer
        if sent is not None and sent.responded(answer, {"content-type": "application/json"}.get, decoded=True):
            sent.whole(ANSWER)
        made = requests.Response()
        made.status_code, made.url, made.request, made.raw = answer, request.url, request, io.BytesIO(ANSWER)
        if answer == 307:
            made.headers["location"] = request.url + "?again"
        return made

    def close(self) -> None:
        """Nothing is open."""


def session(*answers: int | Exception) -> tuple[requests.Session, Wire]:
    made, wire = requests.Session(), Wire(*answers)
    made.mount("http://", wire)
    return made, wire


@pytest.fixture
def watch() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


@pytest.mark.parametrize("given", [{"json": ASKED}, {"data": json.dumps(ASKED)}, {"data": json.dumps(ASKED).encode()}])
def test_a_call_that_is_redirected_is_one_and_its_span_is_above_the_librarys(watch: AiWatch, given: dict[str, Any]) -> None:
    asking, wire = session(307, 200)
    assert asking.post(URL, **given).content == ANSWER
    assert watch.counted(m.AI_RESPONSE_TIME) == {("openai", "gpt-4o-mini", None): 1.0}
    assert (watch.tokens(), watch.total(m.ERRORS)) == ({"input": 3.0, "output": 2.0}, 0.0)
    assert {span.get_span_context().span_id for span in wire.spans} == {watch.span.context.span_id}  # type: ignore[union-attr]
    assert boundaries.current() is None
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_request_that_was_prepared_by_hand_is_one_call_too(watch: AiWatch) -> None:
    asking, _ = session(307, 200)
    prepared = asking.prepare_request(requests.Request("POST", URL, json=ASKED))
    assert asking.send(prepared).status_code == 200
    assert watch.total(m.AI_RESPONSE_TIME) == 1.0


@pytest.mark.parametrize("by_hand", [False, True])
def test_an_error_is_the_librarys_own_and_the_calls_failure(watch: AiWatch, by_hand: bool) -> None:
    asking, _ = session(503, requests.ConnectionError("nobody there"))
    prepared = asking.prepare_request(requests.Request("POST", URL, json=ASKED))
    ask = (lambda: asking.send(prepared)) if by_hand else (lambda: asking.post(URL, json=ASKED))
    assert ask().status_code == 503
    with pytest.raises(requests.ConnectionError, match="nobody there"):
        ask()
    assert watch.counted(m.ERRORS) == {("503",): 1.0, ("ConnectionError",): 1.0}
    assert boundaries.current() is None


def test_no_other_request_is_a_call(watch: AiWatch) -> None:
    asking, _ = session(200, 200, 200, 200)
    asking.get(URL)
    asking.post(f"{HOST}/orders", json=ASKED)
    asking.request("PUT", URL, json=ASKED)
    asking.post(URL, json={"question": "hi"})
    assert (watch.total(m.AI_RESPONSE_TIME), watch.spans) == (0.0, [])


def test_arguments_that_the_library_refuses_are_refused_by_it(watch: AiWatch) -> None:
    asking, _ = session()
    with pytest.raises(requests.exceptions.MissingSchema):
        asking.post("/v1/chat/completions", json=ASKED)
    with pytest.raises(TypeError):
        asking.post()  # type: ignore[call-arg]
    with pytest.raises(requests.exceptions.InvalidURL):
        asking.post("http://127.0.0.1:port/v1/chat/completions", json=ASKED)
