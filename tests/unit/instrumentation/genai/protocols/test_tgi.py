"""Text-generation-inference: one token per event, and details with the last one."""

from __future__ import annotations

from typing import Any

import pytest
from support.protocols import row, said, streamed, takes_any, tokens, whole

from otel_chatbot.instrumentation.genai.protocols.tgi import ROWS
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv.attributes import GenAiOperation

TGI = row(ROWS, "tgi")
ANSWER: dict[str, Any] = {
    "generated_text": "Hello!",
    "details": {
        "finish_reason": "eos_token",
        "generated_tokens": 3,
        "prefill": [{"id": 1, "text": "Hi"}, {"id": 2, "text": "!"}],
    },
}


def token(text: str, *, special: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "token": {"id": 5, "text": text, "logprob": -0.1, "special": special},
        "generated_text": None,
        "details": None,
        **more,
    }


@pytest.mark.parametrize(
    ("path", "body", "model", "streamed"),
    [
        ("/generate", {}, "", False),
        ("/generate_stream", {}, "", True),
        ("/", {"stream": True}, "", True),
        ("/models/bigcode/starcoder", {"stream": False}, "bigcode/starcoder", False),
    ],
)
def test_a_request_tells_model_and_stream_where_path_or_body_say_them(
    path: str, body: dict[str, Any], model: str, streamed: bool
) -> None:
    given = {"temperature": 0.5, "max_new_tokens": 64, "top_k": None, "stop": ["END"]}
    asked = TGI.request({"inputs": "Hi!", "parameters": given, **body}, path)
    assert (asked.model, asked.streamed, asked.said) == (model, streamed, "Hi!")
    assert asked.operation is GenAiOperation.TEXT_COMPLETION
    assert asked.attributes == {a.GEN_AI_TEMPERATURE: 0.5, a.GEN_AI_MAX_TOKENS: 64, a.GEN_AI_STOP_SEQUENCES: ("END",)}


def test_the_path_of_ollama_is_not_taken_for_its_own() -> None:
    assert TGI.path.search("/generate")
    assert not TGI.path.search("/api/generate")


def test_a_whole_answer_tells_text_tokens_and_why_it_ended() -> None:
    answer = whole(TGI, ANSWER)
    assert (said(answer), answer.finish, tokens(answer)) == ("Hello!", {0: "eos_token"}, (2, 3, 0, 0))


def test_the_length_of_the_input_goes_before_the_tokens_that_are_listed() -> None:
    details = {"generated_tokens": 3, "input_length": 7, "prefill": [{"id": 1, "text": "Hi"}]}
    assert tokens(whole(TGI, {"generated_text": "Hello!", "details": details})) == (7, 3, 0, 0)


def test_without_details_tokens_are_unknown() -> None:
    assert tokens(whole(TGI, {"generated_text": "Hello!"})) is None


def test_a_stream_is_read_token_by_token_without_the_special_ones() -> None:
    answer = streamed(TGI, token("Hel"), token("lo"))
    assert (said(answer), answer.done, tokens(answer)) == ("Hello", False, None)
    details = {"finish_reason": "length", "generated_tokens": 3, "input_length": 7}
    TGI.chunk("", token("</s>", special=True, generated_text="Hello", details=details), answer)
    assert (said(answer), answer.written, answer.done) == ("Hello", 5, True)
    assert (answer.finish, tokens(answer)) == ({0: "length"}, (7, 3, 0, 0))


def test_an_error_is_a_failure_by_its_type() -> None:
    error = {"error": "Model is overloaded", "error_type": "overloaded"}
    assert (whole(TGI, error).failure, streamed(TGI, token("Hel"), error).failure) == ("overloaded", "overloaded")
    assert streamed(TGI, {"error": "…"}).failure == "error"


def test_any_part_of_an_answer_may_be_of_another_kind() -> None:
    assert takes_any(TGI, ANSWER, once=True) > 50
    assert takes_any(TGI, token("Hel", details=ANSWER["details"])) > 50
