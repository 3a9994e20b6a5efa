"""Anthropic's messages: blocks of content, and tokens of the input that are told in up to three parts."""

from __future__ import annotations

from typing import Any

import pytest
from support.protocols import row, said, streamed, takes_any, tokens, tools, whole

from otel_chatbot.instrumentation.genai.protocols.anthropic import ROWS
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv.attributes import GenAiOperation

MESSAGES, VERTEX = row(ROWS, "anthropic"), row(ROWS, "anthropic_vertex")
ANSWER: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929", "stop_reason": "tool_use",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "…"},
        {"type": "text", "text": "Hello!"},
        {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"q": 1}},
    ],
    "usage": {
        "input_tokens": 10, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 3000, "output_tokens": 50,
    },
}  # fmt: skip
STREAM: tuple[tuple[str, dict[str, Any]], ...] = (
    ("message_start", {
        "type": "message_start",
        "message": {
            "id": "msg_1", "model": "claude-sonnet-4-5", "content": [], "stop_reason": None,
            "usage": {"input_tokens": 25, "cache_read_input_tokens": 5, "output_tokens": 1},
        },
    }),
    ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ("ping", {"type": "ping"}),
    ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}),
    ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}),
    ("content_block_start", {
        "type": "content_block_start", "index": 1,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}},
    }),
    ("content_block_delta", {"type": "content_block_delta", "index": 1, "delta": {"partial_json": '{"q":'}}),
    ("content_block_delta", {"type": "content_block_delta", "index": 1, "delta": {"partial_json": " 1}"}}),
    ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 15}}),
    ("message_stop", {"type": "message_stop"}),
)  # fmt: skip


def test_a_request_tells_model_parameters_and_what_is_said() -> None:
    messages = [{"role": "user", "content": "Hello"}]
    body = {
        "model": "claude-sonnet-4-5", "system": "Be kind", "messages": messages, "max_tokens": 64, "top_k": 5,
        "stop_sequences": ["END"], "stream": True,
    }  # fmt: skip
    asked = MESSAGES.request(body, "/v1/messages")
    assert (asked.model, asked.streamed, asked.operation) == ("claude-sonnet-4-5", True, GenAiOperation.CHAT)
    assert asked.said == ["Be kind", messages]
    assert asked.attributes == {a.GEN_AI_MAX_TOKENS: 64, a.GEN_AI_TOP_K: 5, a.GEN_AI_STOP_SEQUENCES: ("END",)}


@pytest.mark.parametrize(("verb", "streamed"), [("rawPredict", False), ("streamRawPredict", True)])
def test_vertex_has_the_model_and_whether_it_streams_in_the_path(verb: str, streamed: bool) -> None:
    path = f"/v1/projects/p/locations/l/publishers/anthropic/models/claude-3-5-haiku@20241022:{verb}"
    assert VERTEX.path.search(path)
    asked = VERTEX.request({"messages": []}, path)
    assert (asked.model, asked.streamed) == ("claude-3-5-haiku@20241022", streamed)


def test_a_whole_message_tells_text_reasoning_tools_and_all_tokens_of_the_input() -> None:
    answer = whole(MESSAGES, ANSWER)
    assert (answer.id, answer.model, answer.failure) == ("msg_1", "claude-sonnet-4-5-20250929", None)
    assert (said(answer), said(answer, "reasoning"), answer.finish) == ("Hello!", "hm", {0: "tool_use"})
    assert tools(answer) == [("find", "toolu_1", '{"q":1}')]
    assert tokens(answer) == (3210, 50, 3000, 200)
    assert answer.attributes == {a.GEN_AI_CACHE_READ_TOKENS: 3000, a.GEN_AI_CACHE_WRITE_TOKENS: 200}


@pytest.mark.parametrize("named", [True, False], ids=["by their names", "by their types"])
def test_a_stream_is_read_event_by_event_and_the_later_count_of_the_output_is_the_one(named: bool) -> None:
    events = [
        (name if named else "", {key: value for key, value in data.items() if key != "type" or not named})
        for name, data in STREAM
    ]
    answer = streamed(MESSAGES, *events[:-1])
    assert not answer.done
    MESSAGES.chunk(*events[-1], answer)
    assert answer.done
    assert (answer.id, answer.model, answer.finish) == ("msg_1", "claude-sonnet-4-5", {0: "tool_use"})
    assert (said(answer), said(answer, "reasoning"), tools(answer)) == ("Hello", "hm", [("find", "toolu_1", '{"q": 1}')])
    assert tokens(answer) == (30, 15, 5, 0)


@pytest.mark.parametrize(
    "error", [{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}], ids=["overloaded"]
)
def test_an_error_is_a_failure_by_its_type_whole_or_in_a_stream(error: dict[str, Any]) -> None:
    assert whole(MESSAGES, error).failure == "overloaded_error"
    assert streamed(MESSAGES, *STREAM[:3], ("error", error)).failure == "overloaded_error"
    assert streamed(MESSAGES, ("error", {"type": "error", "error": None})).failure == "failed"


def test_tokens_of_the_output_alone_are_none() -> None:
    assert tokens(whole(MESSAGES, {"usage": {"output_tokens": 5}})) is None


def test_any_part_of_an_answer_may_be_of_another_kind() -> None:
    assert takes_any(MESSAGES, ANSWER, once=True) > 100
    assert takes_any(MESSAGES, *STREAM) > 200
