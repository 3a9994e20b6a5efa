"""A call that begins where the application asks: its span is the current one below, and whatever is raised ends it."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from support.ai import watched

from otel_chatbot.instrumentation.genai import boundaries
from otel_chatbot.instrumentation.genai.transports import outer
from otel_chatbot.semconv import metrics as m

URL = "http://127.0.0.1:9/v1/chat/completions"
BODY = b'{"model": "gpt-4o-mini", "messages": []}'


def name() -> str:
    return getattr(trace.get_current_span(), "name", "")


def test_the_models_span_is_the_current_one_while_the_request_is_sent() -> None:
    with watched() as watch:
        assert outer.ask(URL, BODY, name) == "chat gpt-4o-mini"
        assert name() == ""
        assert boundaries.current() is None
    assert watch.total(m.AI_RESPONSE_TIME) == 1


def test_what_asks_no_model_is_sent_as_it_is() -> None:
    with watched() as watch:
        assert outer.ask(URL, b"no json", name) == ""
        assert outer.ask(URL, iter([BODY]), name) == ""
    assert watch.total(m.AI_RESPONSE_TIME) == 0


def test_an_exception_is_the_apps_and_ends_the_call() -> None:
    def refused() -> None:
        raise ConnectionRefusedError

    with watched() as watch:
        with pytest.raises(ConnectionRefusedError):
            outer.ask(URL, BODY, refused)
        assert watch.counted(m.ERRORS) == {("ConnectionRefusedError",): 1.0}


def test_a_client_outside_tells_the_end_of_its_call() -> None:
    with watched() as watch:
        boundary = boundaries.enter()
        assert boundary is not None
        assert outer.ask(URL, BODY, name) == outer.ask(URL, BODY, name) == "chat gpt-4o-mini"
        assert watch.total(m.AI_RESPONSE_TIME) == 0
        boundary.leave()
        assert watch.total(m.AI_RESPONSE_TIME) == 1
