"""The id of an answer: of the model's call that began last, else of the request; in the body or in a header, streamed or not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response
from support.ai import AiWatch, watched
from support.flask_hooks import Watch, hooked
from support.rated import KEY, rated

from otel_chatbot import cached_answer, chat_completion, config
from otel_chatbot.health.version import version
from otel_chatbot.instrumentation.genai.call import Call
from otel_chatbot.instrumentation.genai.protocols.answer import Answer as ModelAnswer
from otel_chatbot.instrumentation.genai.protocols.protocol import ModelRequest
from otel_chatbot.metrics.deduplication import request_scope
from otel_chatbot.quality import answer_ids
from otel_chatbot.quality.answer_ids import NO_SPAN, answer_id
from otel_chatbot.quality.token import Answer, SigningKey, read
from otel_chatbot.semconv.attributes import GenAiOperation


@pytest.fixture(autouse=True)
def _rated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with rated(monkeypatch, tmp_path):
        yield


@pytest.fixture
def ai() -> Iterator[AiWatch]:
    with watched() as made:
        yield made


@pytest.fixture
def requests() -> Iterator[Watch]:
    with hooked() as made:
        yield made


def answer_of(token: str | None, key: str = KEY) -> Answer:
    found = read(token, SigningKey(key.encode()), 2e9, 2e9)
    assert isinstance(found, Answer), found
    return found


def asked(app: Flask, path: str = "/") -> Response:
    return app.test_client().get(path)


def test_it_is_the_last_call_of_a_model_embeddings_aside(ai: AiWatch, requests: Watch) -> None:
    app = Flask("toy")
    ids: list[str | None] = []

    @app.get("/")
    def chat() -> str:
        with chat_completion("openai", "first"):
            ids.append(answer_id())
        with chat_completion("openai", "last") as call:
            call.chunk("streamed")
            ids.append(answer_id())
        ids.append(answer_id())
        embedding = Call("openai", ModelRequest("an-embedder", operation=GenAiOperation.EMBEDDINGS))
        embedding.end()
        return answer_id() or ""

    last = answer_of(asked(app).text)
    spans = {span.name: span for span in ai.spans}
    assert last.model == "last"
    assert int.from_bytes(last.span_id, "big") == spans["chat last"].context.span_id
    assert int.from_bytes(last.trace_id, "big") == spans["chat last"].context.trace_id
    first = spans["chat first"].context.span_id.to_bytes(8, "big")
    assert [(answer_of(each).span_id, answer_of(each).model) for each in ids] == [
        (first, "first"),
        *[(last.span_id, "last")] * 2,
    ]
    assert last.flags & 1
    assert last.release == version()


def test_the_responses_id_is_there_as_soon_as_the_call_has_ended(ai: AiWatch, requests: Watch) -> None:
    app = Flask("toy")
    ids: list[str | None] = []

    @app.get("/")
    def chat() -> str:
        call = Call("openai", ModelRequest("m"))
        call.answer = ModelAnswer()
        call.answer.id = "chatcmpl-7"
        ids.append(answer_id())
        call.end()
        ids.append(answer_id())
        return ""

    asked(app)
    assert [answer_of(each).response_id for each in ids] == ["", "chatcmpl-7"]
    assert len({answer_of(each)[:2] for each in ids}) == 1


def test_where_no_model_was_asked_it_is_the_request(requests: Watch) -> None:
    app = Flask("toy")

    @app.get("/")
    def chat() -> str:
        cached_answer("openai", "gpt-4o-mini", 10, 10)
        return answer_id() or ""

    found = answer_of(asked(app).text)
    assert int.from_bytes(found.span_id, "big") == requests.span("GET /").context.span_id
    assert found.model == ""


def test_a_streamed_answer_has_its_id_while_the_model_still_writes(ai: AiWatch, requests: Watch) -> None:
    app = Flask("toy")

    @app.get("/")
    def chat() -> Response:
        def pieces() -> Iterator[str]:
            with chat_completion("openai", "m"):
                yield answer_id() or ""
                yield " more"

        return Response(pieces())

    found = answer_of(asked(app).text.split()[0])
    assert int.from_bytes(found.span_id, "big") == ai.span.context.span_id


def test_outside_of_a_request_there_is_none_and_one_hint(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "otel_chatbot"):
        assert [answer_id(), answer_id()] == [None, None]
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["answer_id() has no answer to name"]


def test_without_spans_an_answer_has_an_id_all_the_same() -> None:
    with request_scope():
        one, two = answer_of(answer_id()), answer_of(answer_id())
    assert one.flags & NO_SPAN
    assert one[:2] != two[:2]


@pytest.mark.parametrize("kind", ["plain", "stream", "cached"])
def test_the_header_tells_it_of_chats_alone(
    kind: str, ai: AiWatch, requests: Watch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = Flask("toy")
    app.get("/other")(lambda: "no chat")

    @app.get("/plain")
    def plain() -> str:
        with chat_completion("openai", "m"):
            return "text"

    @app.get("/stream")
    def stream() -> Response:
        call = Call("openai", ModelRequest("m"))

        def pieces() -> Iterator[str]:
            yield "text"
            call.end()

        return Response(pieces())

    @app.get("/cached")
    def cached() -> str:
        cached_answer("openai", "gpt-4o-mini", 10, 10)
        return "text"

    with rated(monkeypatch, tmp_path, feedback_header="X-Answer-Id"):
        found = answer_of(asked(app, f"/{kind}").headers.get("X-Answer-Id"))
        assert found.model == ("" if kind == "cached" else "m")
        assert "X-Answer-Id" not in asked(app, "/other").headers
        assert "X-Answer-Id" not in asked(app, "/none").headers
    with rated(monkeypatch, tmp_path):
        assert "X-Answer-Id" not in asked(app, f"/{kind}").headers


def test_without_a_key_in_the_settings_the_processes_of_a_run_share_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with rated(monkeypatch, tmp_path, feedback_key=""), request_scope():
        first = answer_id()
        monkeypatch.setattr(answer_ids._State, "key", None)  # as another process of the run
        assert isinstance(read(first, answer_ids.signing_key(), 2e9, 2e9), Answer)
        assert not isinstance(read(first, SigningKey(b""), 2e9, 2e9), Answer)


@pytest.mark.parametrize(
    ("environment", "key", "said"), [("production", "", 1), ("production", KEY, 0), ("development", "", 0)]
)
def test_in_production_a_missing_key_is_said_once(
    environment: str, key: str, said: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with rated(monkeypatch, tmp_path, feedback_key=key, environment=environment), request_scope():
        assert answer_id()
        assert answer_id()
    assert sum("set CHATBOT_OTEL_FEEDBACK_KEY" in record.getMessage() for record in caplog.records) == said


@pytest.mark.parametrize("given", ["letmein", "               letmein"])
def test_a_key_that_is_too_short_is_refused_and_not_shown(given: str) -> None:
    settings = config.Settings.from_env({"CHATBOT_OTEL_FEEDBACK_KEY": given})
    assert settings.feedback_key == ""
    assert "at least 16 characters" in settings.warnings[0]
    assert given.strip() not in settings.warnings[0]
