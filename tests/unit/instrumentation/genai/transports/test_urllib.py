"""`urllib.request` below upstream's instrumentation: what is opened, and with which body, decides whether a model is asked."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import pytest
from opentelemetry import trace
from support.ai import AiWatch, watched

from otel_chatbot.instrumentation.common.patching import Patches
from otel_chatbot.instrumentation.genai.transports import urllib
from otel_chatbot.semconv import metrics as m

URL = "http://127.0.0.1:9/v1/chat/completions"
BODY = b'{"model": "gpt-4o-mini", "messages": []}'


class Opener:
    """As `OpenerDirector`."""

    def open(self, fullurl: Any, data: Any = None, timeout: float = 1.0) -> str:
        if timeout == 0.0:
            raise HTTPError(URL, 503, "busy", Message(), None)
        return getattr(trace.get_current_span(), "name", "")


@pytest.fixture
def watch() -> Iterator[AiWatch]:
    patches = Patches()
    urllib.instrument(Opener, patches)
    with watched() as watching:
        yield watching
    patches.restore()


@pytest.mark.parametrize(("asked", "data"), [(URL, BODY), (Request(URL), BODY), (Request(URL, BODY), None)])
def test_a_post_to_a_model_is_a_call(watch: AiWatch, asked: Any, data: Any) -> None:
    assert Opener().open(asked, data) == "chat gpt-4o-mini"
    assert watch.total(m.AI_RESPONSE_TIME) == 1


@pytest.mark.parametrize(("asked", "data"), [(URL, None), (Request(URL), None), ("http://127.0.0.1:9/orders", BODY)])
def test_whatever_else_is_opened_is_none(watch: AiWatch, asked: Any, data: Any) -> None:
    assert Opener().open(asked, data) == ""
    assert watch.total(m.AI_RESPONSE_TIME) == 0


def test_an_answer_that_is_raised_is_no_failure_of_the_sending(watch: AiWatch) -> None:
    with pytest.raises(HTTPError):
        Opener().open(URL, BODY, 0.0)
    assert watch.total(m.AI_RESPONSE_TIME) == 1
    assert watch.counted(m.ERRORS) == {}, "its status is told by the transport that sees the answer"
