"""Openers of the standard library: a POST to a model is one call above what others make, and nothing else is touched."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import OpenerDirector, Request

import pytest
from support.ai import AiWatch, addresses, watched

from otel_chatbot.instrumentation.common.patching import Patches
from otel_chatbot.instrumentation.genai import boundaries
from otel_chatbot.instrumentation.genai.transports import urllib
from otel_chatbot.semconv import metrics as m

URL = "http://127.0.0.1/v1/chat/completions"
BODY = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}).encode()


class Openers(OpenerDirector):
    """Answers without a connection, and says whether a call of a model was running."""

    def open(self, fullurl: Any, data: Any = None, timeout: Any = None) -> Any:
        """As `OpenerDirector` has it."""
        url = fullurl if isinstance(fullurl, str) else fullurl.full_url
        if "fails" in url:
            raise HTTPError(url, 500, "no", {}, io.BytesIO())  # type: ignore[arg-type]
        if "breaks" in url:
            raise ConnectionResetError
        return boundaries.current() is not None, timeout


@pytest.fixture(autouse=True)
def followed() -> Iterator[None]:
    patches = Patches()
    urllib.instrument(Openers, patches)
    yield
    patches.restore()


@pytest.fixture
def watch() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


@pytest.mark.parametrize(
    "arguments",
    [(URL, BODY, 7), (Request(URL, BODY), None, 7), (Request(URL), BODY, 7), (Request(URL, BODY, method="POST"), None, 7)],
)
def test_a_post_is_one_call_however_it_is_said(watch: AiWatch, arguments: tuple[Any, ...]) -> None:
    assert Openers().open(*arguments) == (True, 7)
    assert watch.counted(m.AI_RESPONSE_TIME) == {("openai", "gpt-4o-mini", None): 1.0}


@pytest.mark.parametrize(
    "arguments", [(URL,), (Request(URL),), (Request("http://127.0.0.1/orders", BODY),), ("http://127.0.0.1/orders", BODY)]
)
def test_other_requests_are_no_calls(watch: AiWatch, arguments: tuple[Any, ...]) -> None:
    with addresses(""):
        assert Openers().open(*arguments) == (False, None)
    assert watch.total(m.AI_RESPONSE_TIME) == 0.0


def test_a_status_is_an_answer_and_any_other_exception_the_calls_failure(watch: AiWatch) -> None:
    with pytest.raises(HTTPError):
        Openers().open(URL.replace("/v1", "/fails/v1"), BODY)
    assert watch.counted(m.ERRORS) == {}, "of a status, the transport below knows"
    with pytest.raises(ConnectionResetError):
        Openers().open(URL.replace("/v1", "/breaks/v1"), BODY)
    assert watch.counted(m.ERRORS) == {("ConnectionResetError",): 1.0}
