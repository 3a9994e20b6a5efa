"""Tokens of a stream are asked for where an endpoint tells them only then, and the application sees nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from httpx import URL
from support.ai import addresses

from otel_chatbot.instrumentation.genai import stream_usage
from otel_chatbot.instrumentation.genai.stream_usage import StreamOptions, UsageReporting, ask, remember

OPENAI = "https://api.openai.com/v1/"
UNKNOWN = "https://llm.example:8443/v1/"
BODY = {"model": "gpt-4o", "messages": [], "stream": True}


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    stream_usage.forget()
    with addresses(""):
        yield
    stream_usage.forget()


def options(body: Any = BODY, url: str = "/chat/completions", headers: Any = None, extra: Any = None) -> Any:
    """A request as the client holds it before it is sent (openai/_models.py, FinalRequestOptions)."""
    return SimpleNamespace(json_data=body, url=url, headers=headers, extra_json=extra)


def looked(given: Any, base: str = OPENAI) -> StreamOptions | None:
    return ask(SimpleNamespace(base_url=URL(base)), given)


def test_a_provider_that_tells_tokens_only_if_asked_is_asked_on_a_copy_of_the_request() -> None:
    given = options({**BODY, "stream_options": {"include_obfuscation": False}})
    found = looked(given)
    assert found is not None
    assert found.options.json_data["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert given.json_data["stream_options"] == {"include_obfuscation": False}


@pytest.mark.parametrize(
    "given",
    [
        options({**BODY, "stream": False}),
        options(None),
        options([BODY]),
        options(url="/responses"),
        options(headers={"X-Stainless-Raw-Response": "stream"}),
        options({**BODY, "stream_options": {"include_usage": False}}),
        options(extra={"stream_options": {"include_usage": True}}),
    ],
    ids=["no stream", "no body", "no object", "another wire", "raw bytes", "the app has said", "the app says in extra_body"],
)
def test_what_is_no_such_stream_goes_as_it_is(given: Any) -> None:
    assert looked(given) is None


def test_an_unknown_endpoint_is_left_alone_until_it_has_told_no_tokens_of_a_stream() -> None:
    found = looked(options(), UNKNOWN)
    assert found is not None
    assert found.options is None
    remember(found.key, UsageReporting.SILENT)
    again = looked(options(), UNKNOWN)
    assert again is not None
    assert again.options.json_data["stream_options"] == {"include_usage": True}
    other_model = looked(options({**BODY, "model": "other"}), UNKNOWN)
    assert other_model is not None
    assert other_model.options is None


@pytest.mark.parametrize("habit", [UsageReporting.TELLS, UsageReporting.REFUSES])
def test_an_endpoint_that_tells_unasked_or_that_refuses_is_never_asked(habit: UsageReporting) -> None:
    found = looked(options())
    assert found is not None
    remember(found.key, habit)
    assert looked(options()) is None


def test_an_address_that_the_setting_names_is_asked_as_its_provider() -> None:
    with addresses("llm.example=openai"):
        found = looked(options(), UNKNOWN)
    assert found is not None
    assert found.options is not None


@pytest.mark.parametrize(("status", "refused"), [(400, True), (422, True), (429, False), (None, False)])
def test_a_refusal_is_taken_for_ours_only_where_we_had_added_something(status: int | None, refused: bool) -> None:
    class RefusedError(Exception):
        status_code = status

    assert StreamOptions(("", ""), options()).refused(RefusedError()) is refused
    assert StreamOptions(("", ""), None).refused(RefusedError()) is False


def test_the_chunk_that_was_asked_for_is_hidden_and_others_do_not_show_that_we_asked() -> None:
    added = StreamOptions(("", ""), options())
    content = SimpleNamespace(usage=None, choices=["x"], model_fields_set={"usage", "choices"})
    assert added.hides(content) is False
    assert content.model_fields_set == {"choices"}
    assert added.hides(SimpleNamespace(usage={"prompt_tokens": 1}, choices=[])) is True
    assert added.hides(SimpleNamespace(usage={"prompt_tokens": 1}, choices=["x"])) is False
    assert added.hides(object()) is False


def test_of_very_many_endpoints_the_first_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_usage, "_MOST", 2)
    for number in range(3):
        remember((str(number), "m"), UsageReporting.TELLS)
    remember(("2", "m"), UsageReporting.SILENT)
    assert stream_usage._habits == {("1", "m"): UsageReporting.TELLS, ("2", "m"): UsageReporting.SILENT}
