"""Google's Gemini, by its own address and by Vertex: candidates, thoughts, and tokens that are told apart."""

from __future__ import annotations

from typing import Any

import pytest
from support.protocols import row, said, streamed, takes_any, tokens, tools, whole

from otel_chatbot.instrumentation.genai.protocols.gemini import ROWS
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv.attributes import GenAiOperation

GEMINI, VERTEX = row(ROWS, "gemini"), row(ROWS, "vertex")
PATH = "/v1beta/models/gemini-2.5-flash:generateContent"
ANSWER: dict[str, Any] = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True},
                    {"text": "Hello!"},
                    {"functionCall": {"name": "find", "args": {"q": 1}}},
                    {"functionCall": {"id": "f2", "name": "add", "args": {}}},
                ],
            },
            "finishReason": "STOP",
        },
        {"index": 1, "content": {"parts": [{"text": "Hi!"}]}, "finishReason": "MAX_TOKENS"},
    ],
    "usageMetadata": {
        "promptTokenCount": 100, "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "cachedContentTokenCount": 60,
        "toolUsePromptTokenCount": 7, "totalTokenCount": 157,
    },
    "modelVersion": "gemini-2.5-flash", "responseId": "r1",
}  # fmt: skip


@pytest.mark.parametrize("snake", [False, True], ids=["as documented", "as the protocol buffer"])
def test_a_request_tells_parameters_and_what_is_said_and_has_the_model_in_its_path(snake: bool) -> None:
    config: dict[str, Any] = {
        "temperature": 0.5, "top_p" if snake else "topP": 0.9, "max_output_tokens" if snake else "maxOutputTokens": 64,
        "stop_sequences" if snake else "stopSequences": ["END"], "candidate_count" if snake else "candidateCount": 2,
        "response_mime_type" if snake else "responseMimeType": "application/json",
    }  # fmt: skip
    system, contents = {"parts": [{"text": "Be kind"}]}, [{"role": "user", "parts": [{"text": "Hello"}]}]
    body = {
        "contents": contents, "system_instruction" if snake else "systemInstruction": system,
        "generation_config" if snake else "generationConfig": config,
    }  # fmt: skip
    asked = GEMINI.request(body, PATH)
    assert (asked.model, asked.streamed, asked.operation) == ("gemini-2.5-flash", False, GenAiOperation.GENERATE_CONTENT)
    assert asked.said == [system, contents]
    assert asked.attributes == {
        a.GEN_AI_TEMPERATURE: 0.5, a.GEN_AI_TOP_P: 0.9, a.GEN_AI_MAX_TOKENS: 64, a.GEN_AI_STOP_SEQUENCES: ("END",),
        a.GEN_AI_CHOICE_COUNT: 2, a.GEN_AI_OUTPUT_TYPE: "json",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", "gemini-2.5-flash"),
        ("/v1beta/tunedModels/mine-1:streamGenerateContent", "mine-1"),
        ("/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:streamGenerateContent", "gemini-2.5-pro"),
        ("/v1/projects/p/locations/l/endpoints/123:streamGenerateContent", "123"),
    ],
)
def test_the_path_says_the_model_and_that_the_answer_is_streamed(path: str, model: str) -> None:
    asked = GEMINI.request({"contents": []}, path)
    assert (asked.model, asked.streamed) == (model, True)
    assert bool(VERTEX.path.search(path)) is ("/projects/" in path)


def test_an_answer_tells_candidates_thoughts_tools_and_all_tokens() -> None:
    answer = whole(GEMINI, ANSWER)
    assert (answer.id, answer.model, answer.failure) == ("r1", "gemini-2.5-flash", None)
    assert (said(answer), said(answer, "reasoning"), said(answer, index=1)) == ("Hello!", "hm", "Hi!")
    assert tools(answer) == [("find", None, '{"q":1}'), ("add", "f2", "{}")]
    assert answer.finish == {0: "STOP", 1: "MAX_TOKENS"}
    assert tokens(answer) == (107, 50, 60, 0)
    assert answer.attributes == {a.GEN_AI_CACHE_READ_TOKENS: 60, a.GEN_AI_REASONING_TOKENS: 30}


def test_a_stream_is_read_part_by_part_and_is_done_with_a_finish_reason() -> None:
    def part(text: str, finish: str | None = None, output: int | None = None) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": [{"text": text}]}}
        return {
            "candidates": [candidate | ({} if finish is None else {"finishReason": finish})],
            "usageMetadata": {"promptTokenCount": 4} | ({} if output is None else {"candidatesTokenCount": output}),
        }

    answer = streamed(GEMINI, part("Hel"), part("lo", output=3))
    assert (said(answer), answer.done, tokens(answer)) == ("Hello", False, (4, 3, 0, 0))
    GEMINI.chunk("", part("!", "STOP", 4), answer)
    assert (said(answer), answer.done, answer.finish, tokens(answer)) == ("Hello!", True, {0: "STOP"}, (4, 4, 0, 0))


def test_two_calls_of_one_function_in_two_parts_of_a_stream_are_two() -> None:
    call = {"candidates": [{"content": {"parts": [{"functionCall": {"name": "find", "args": {"q": 1}}}]}}]}
    assert tools(streamed(GEMINI, call, call)) == [("find", None, '{"q":1}')] * 2


def test_a_question_that_is_blocked_has_the_reason_of_it() -> None:
    assert whole(GEMINI, {"promptFeedback": {"blockReason": "SAFETY"}}).finish == {0: "SAFETY"}


@pytest.mark.parametrize(
    ("error", "failure"),
    [({"code": 503, "status": "UNAVAILABLE"}, "UNAVAILABLE"), ({"code": 503}, "503"), ("broken", "failed")],
)
def test_an_error_inside_an_answer_is_a_failure_by_its_status(error: Any, failure: str) -> None:
    assert whole(GEMINI, {"error": error}).failure == failure
    assert whole(row(ROWS, "gemini_embed"), {"error": error}).failure == failure


@pytest.mark.parametrize(
    ("name", "path", "body", "model", "said"),
    [
        ("gemini_embed", "/v1beta/models/gemini-embedding-001:embedContent",
         {"content": {"parts": []}, "outputDimensionality": 256}, "gemini-embedding-001", {"parts": []}),
        ("gemini_batch_embed", "/v1beta/models/x:batchEmbedContents",
         {"requests": [{"model": "models/x", "content": "a", "outputDimensionality": 256}, {"content": "b"}]}, "x", ["a", "b"]),
        ("vertex_embed", "/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict",
         {"instances": [{"content": "a"}]}, "text-embedding-005", [{"content": "a"}]),
    ],
)  # fmt: skip
def test_requests_for_embeddings_tell_model_size_and_what_is_embedded(
    name: str, path: str, body: dict[str, Any], model: str, said: Any
) -> None:
    protocol = row(ROWS, name)
    assert protocol.path.search(path)
    asked = protocol.request(body, path)
    assert (asked.model, asked.operation, asked.said) == (model, GenAiOperation.EMBEDDINGS, said)
    assert asked.attributes.get(a.GEN_AI_DIMENSIONS) == (None if name == "vertex_embed" else 256)


def test_embeddings_of_vertex_tell_the_tokens_of_each_text_and_none_if_one_is_unknown() -> None:
    protocol = row(ROWS, "vertex_embed")
    one = {"embeddings": {"statistics": {"token_count": 4.0}, "values": [0.1]}}
    assert tokens(whole(protocol, {"predictions": [one, one]})) == (8, 0, 0, 0)
    assert tokens(whole(protocol, {"predictions": [one, {"embeddings": {}}]})) is None
    assert tokens(whole(protocol, {"usageMetadata": {"promptTokenCount": 5}})) == (5, 0, 0, 0)


def test_any_part_of_an_answer_may_be_of_another_kind() -> None:
    assert takes_any(GEMINI, ANSWER, once=True) > 100
    assert takes_any(GEMINI, ANSWER) > 100
    assert (
        takes_any(row(ROWS, "vertex_embed"), {"predictions": [{"embeddings": {"statistics": {"token_count": 4}}}]}, once=True)
        > 20
    )
