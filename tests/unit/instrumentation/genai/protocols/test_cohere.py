"""Cohere's chat in both versions, and its embeddings: tokens of the model go before those that are billed."""

from __future__ import annotations

from typing import Any

import pytest
from support.protocols import row, said, streamed, takes_any, tokens, tools, whole

from otel_chatbot.instrumentation.genai.framing import Framing
from otel_chatbot.instrumentation.genai.protocols.cohere import ROWS
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv.attributes import GenAiOperation

V2, V1, EMBED = row(ROWS, "cohere_v2"), row(ROWS, "cohere_v1"), row(ROWS, "cohere_embed")
USAGE = {
    "billed_units": {"input_tokens": 5, "output_tokens": 4},
    "tokens": {"input_tokens": 71, "output_tokens": 6},
    "cached_tokens": 16,
}
ANSWER: dict[str, Any] = {
    "id": "c1", "finish_reason": "TOOL_CALL", "usage": USAGE,
    "message": {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hello!"}],
        "tool_calls": [{"id": "find_1", "type": "function", "function": {"name": "find", "arguments": '{"q":1}'}}],
    },
}  # fmt: skip
OLDER: dict[str, Any] = {
    "response_id": "r1", "generation_id": "g1", "text": "Hello!", "finish_reason": "COMPLETE",
    "tool_calls": [{"name": "find", "parameters": {"q": 1}}],
    "meta": {"billed_units": {"input_tokens": 5, "output_tokens": 4}},
}  # fmt: skip
STREAM: tuple[dict[str, Any], ...] = (
    {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}},
    {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "plan"}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"thinking": " hm"}}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hello!"}}}},
    {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": {"id": "find_1", "function": {"name": "find", "arguments": ""}}}}},
    {"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": {"function": {"arguments": '{"q":1}'}}}}},
    {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": USAGE}},
)  # fmt: skip


def test_a_request_of_the_second_version_tells_model_parameters_and_messages() -> None:
    messages = [{"role": "user", "content": "Hello"}]
    body = {
        "model": "command-a-03-2025", "messages": messages, "p": 0.5, "k": 3, "max_tokens": 64, "stop_sequences": ["END"],
        "response_format": {"type": "json_object"}, "stream": True,
    }  # fmt: skip
    asked = V2.request(body, "/v2/chat")
    assert (asked.model, asked.streamed, asked.operation, asked.said) == (
        "command-a-03-2025",
        True,
        GenAiOperation.CHAT,
        messages,
    )
    assert asked.attributes == {
        a.GEN_AI_TOP_P: 0.5, a.GEN_AI_TOP_K: 3, a.GEN_AI_MAX_TOKENS: 64, a.GEN_AI_STOP_SEQUENCES: ("END",),
        a.GEN_AI_OUTPUT_TYPE: "json",
    }  # fmt: skip


def test_a_request_of_the_first_version_says_preamble_history_and_message() -> None:
    history = [{"role": "USER", "message": "Hi"}]
    asked = V1.request({"message": "Hello", "chat_history": history, "preamble": "Be kind"}, "/v1/chat")
    assert (asked.model, asked.streamed, asked.said) == ("", False, ["Be kind", history, "Hello"])
    assert (V1.framing, V2.framing) == (Framing.LINES, Framing.SSE)


def test_a_request_for_embeddings_tells_their_size_and_kinds() -> None:
    body = {"model": "embed-v4.0", "texts": ["a"], "output_dimension": 256, "embedding_types": ["float", "int8", 7]}
    asked = EMBED.request(body, "/v2/embed")
    assert (asked.model, asked.operation, asked.said) == ("embed-v4.0", GenAiOperation.EMBEDDINGS, ["a"])
    assert asked.attributes == {a.GEN_AI_DIMENSIONS: 256, a.GEN_AI_ENCODING_FORMATS: ("float", "int8")}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_second_version_tells_text_reasoning_tools_and_the_models_tokens(stream: bool) -> None:
    answer = streamed(V2, *STREAM) if stream else whole(V2, ANSWER)
    assert (answer.id, answer.model, answer.finish, answer.done) == ("c1", None, {0: "TOOL_CALL"}, stream)
    assert (said(answer), said(answer, "reasoning")) == ("Hello!", "plan hm" if stream else "hm")
    assert tools(answer) == [("find", "find_1", '{"q":1}')]
    assert tokens(answer) == (71, 6, 16, 0)


def test_the_first_version_tells_text_tools_and_what_is_billed() -> None:
    answer = whole(V1, OLDER)
    assert (answer.id, said(answer), answer.finish) == ("r1", "Hello!", {0: "COMPLETE"})
    assert tools(answer) == [("find", None, '{"q":1}')]
    assert tokens(answer) == (5, 4, 0, 0)


def test_the_last_event_of_the_first_versions_stream_repeats_the_text_which_is_counted_once() -> None:
    answer = streamed(
        V1,
        {"event_type": "stream-start", "generation_id": "g1"},
        {"event_type": "text-generation", "text": "Hel"},
        {"event_type": "text-generation", "text": "lo!"},
        {"event_type": "stream-end", "finish_reason": "COMPLETE", "response": {**OLDER, "text": "Hello!", "tool_calls": []}},
    )
    assert (said(answer), answer.written, answer.done) == ("Hello!", 6, True)
    assert (answer.id, answer.finish, tokens(answer)) == ("r1", {0: "COMPLETE"}, (5, 4, 0, 0))


def test_an_error_at_the_end_of_a_stream_is_a_failure() -> None:
    answer = streamed(V2, STREAM[0], {"type": "message-end", "delta": {"error": "…", "finish_reason": "ERROR"}})
    assert (answer.failure, answer.finish, answer.done) == ("error", {0: "ERROR"}, True)


def test_embeddings_tell_the_tokens_of_their_input() -> None:
    found = {"id": "e1", "embeddings": {"float": [[0.1]]}, "meta": {"billed_units": {"input_tokens": 5}}}
    for answer in (whole(EMBED, found), streamed(EMBED, found)):
        assert (answer.id, tokens(answer), answer.written) == ("e1", (5, 0, 0, 0), 0)


def test_an_answer_without_tokens_leaves_them_unknown() -> None:
    assert tokens(whole(V2, {"id": "c1", "usage": {"tokens": {}}})) is None


def test_any_part_of_an_answer_may_be_of_another_kind() -> None:
    assert takes_any(V2, ANSWER, once=True) > 100
    assert takes_any(V1, OLDER, once=True) > 50
    assert takes_any(V2, *STREAM) > 100
    assert takes_any(V1, {"event_type": "stream-end", "response": OLDER}) > 50
