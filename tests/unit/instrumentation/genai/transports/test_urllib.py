"""A POST through `urllib.request` that may ask a model begins its call above the opener; any other one is left alone."""

from __future__ import annotations

from typing import Any
from urllib.error import HTTPError
from urllib.request import OpenerDirector, Request

import pytest

from otel_chatbot import config
from otel_chatbot.instrumentation.common.patching import Patches
from otel_chatbot.instrumentation.genai.transports import outer, urllib

URL = "http://127.0.0.1/v1/chat/completions"


class Opener(OpenerDirector):
    def open(self, fullurl: Any, data: Any = None, timeout: Any = None) -> Any:
        return fullurl, data, timeout


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was taken for a call of a model, and which errors stand for an answer; no further address is a model's."""
    monkeypatch.setattr(config, "current", config.Settings)
    taken: list[tuple[Any, ...]] = []

    def ask(url: Any, said: Any, send: Any, answered: tuple[type[BaseException], ...]) -> Any:
        taken.append((url, said, answered))
        return send()

    monkeypatch.setattr(outer, "ask", ask)
    return taken


@pytest.fixture
def opener() -> type[Opener]:
    made = type("Followed", (Opener,), {"open": Opener.open})
    urllib.instrument(made, Patches())
    return made


@pytest.mark.parametrize(
    ("request_", "data", "said"),
    [
        (URL, b"{}", b"{}"),
        (Request(URL, b"{}"), None, b"{}"),
        (Request(URL, b"old"), b"new", b"new"),
        (Request(URL, method="POST"), None, None),
        (Request(URL, method="GET"), b"{}", b"{}"),
    ],
    ids=["an address", "a request", "a request and other data", "a POST of nothing", "data goes by POST"],
)
def test_a_post_to_a_place_that_may_be_a_models_is_asked_with_what_it_says(
    request_: Any, data: Any, said: Any, opener: type[Opener], asked: list[tuple[Any, ...]]
) -> None:
    assert opener().open(request_, data, 5) == (request_, data, 5), "the library gets what the application gave"
    assert asked == [(URL, said, (HTTPError,))]


@pytest.mark.parametrize(
    ("request_", "data"),
    [(URL, None), (Request(URL), None), (Request(URL, b"{}", method="PUT"), None), ("http://127.0.0.1/hello", b"{}")],
    ids=["a GET by address", "a GET", "a PUT", "another place"],
)
def test_any_other_request_is_left_alone(request_: Any, data: Any, opener: type[Opener], asked: list[tuple[Any, ...]]) -> None:
    assert opener().open(request_, data) == (request_, data, None)
    assert asked == []
