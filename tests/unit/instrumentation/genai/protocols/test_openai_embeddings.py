"""OpenAI's embeddings: tokens of the input alone, and no vector is looked at."""

from __future__ import annotations

from support.protocols import row, streamed, takes_any, tokens, whole

from otel_chatbot.instrumentation.genai.protocols.openai_embeddings import ROWS
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv.attributes import GenAiOperation

EMBEDDINGS = row(ROWS, "openai_embeddings")
ANSWER = {
    "object": "list", "model": "text-embedding-3-small", "data": [{"index": 0, "embedding": [0.1, -0.2]}],
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}  # fmt: skip


def test_a_request_tells_model_sizes_and_what_is_embedded() -> None:
    body = {"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 256, "encoding_format": "base64"}
    asked = EMBEDDINGS.request(body, "/v1/embeddings")
    assert (asked.model, asked.operation, asked.streamed) == ("text-embedding-3-small", GenAiOperation.EMBEDDINGS, False)
    assert asked.said == ["a", "b"]
    assert asked.attributes == {a.GEN_AI_DIMENSIONS: 256, a.GEN_AI_ENCODING_FORMATS: ("base64",)}


def test_azures_model_is_in_the_path() -> None:
    path = "/openai/deployments/my-embedder/embeddings"
    assert EMBEDDINGS.path.search(path)
    assert EMBEDDINGS.request({"input": "a"}, path).model == "my-embedder"
    assert EMBEDDINGS.request({"input": "a", "model": "ada"}, path).model == "ada"
    assert EMBEDDINGS.request({"input": "a"}, "/v1/embeddings").model == ""


def test_an_answer_tells_the_tokens_of_the_input() -> None:
    for answer in (whole(EMBEDDINGS, ANSWER), streamed(EMBEDDINGS, ANSWER)):
        assert (answer.model, tokens(answer)) == ("text-embedding-3-small", (8, 0, 0, 0))
        assert (answer.written, answer.parts) == (0, {})


def test_an_answer_without_tokens_leaves_them_unknown_and_any_part_may_be_of_another_kind() -> None:
    assert tokens(whole(EMBEDDINGS, {"data": []})) is None
    assert takes_any(EMBEDDINGS, ANSWER, once=True) > 20
