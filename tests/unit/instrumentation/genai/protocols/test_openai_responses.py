"""OpenAI's responses: items of the output are texts and tool calls, and the status says how it ended."""

from __future__ import annotations

from typing import Any

import pytest
from support.protocols import row, said, streamed, takes_any, tokens, tools, whole

from otel_chatbot.instrumentation.genai.protocols.openai_responses import ROWS
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv.attributes import GenAiOperation

RESPONSES = row(ROWS, "openai_responses")
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello!"}]}
CALL = {"type": "function_call", "call_id": "call_1", "name": "find", "arguments": '{"q": 1}'}
USAGE = {
    "input_tokens": 36, "input_tokens_details": {"cached_tokens": 16},
    "output_tokens": 87, "output_tokens_details": {"reasoning_tokens": 64},
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "id": "resp_1", "object": "response", "status": "completed", "model": "gpt-5", "service_tier": "default",
    "output": [{"type": "reasoning", "summary": []}, MESSAGE, CALL], "usage": USAGE,
}  # fmt: skip


def test_a_request_tells_model_parameters_and_what_is_said() -> None:
    body = {
        "model": "gpt-5", "input": "Hello", "stream": True, "max_output_tokens": 64, "temperature": 1,
        "text": {"format": {"type": "json_schema", "name": "x"}}, "reasoning": {"effort": "low"}, "service_tier": "priority",
        "previous_response_id": "resp_0",
    }  # fmt: skip
    asked = RESPONSES.request(body, "/v1/responses")
    assert (asked.model, asked.streamed, asked.operation, asked.said) == ("gpt-5", True, GenAiOperation.CHAT, "Hello")
    assert asked.attributes == {
        a.OPENAI_API_TYPE: "responses", a.GEN_AI_MAX_TOKENS: 64, a.GEN_AI_TEMPERATURE: 1, a.GEN_AI_OUTPUT_TYPE: "json",
        a.GEN_AI_REASONING_LEVEL: "low", a.OPENAI_REQUEST_TIER: "priority", a.GEN_AI_PREVIOUS_RESPONSE: "resp_0",
    }  # fmt: skip


def test_a_whole_response_tells_text_tools_tokens_and_both_reasons() -> None:
    answer = whole(RESPONSES, ANSWER)
    assert (answer.id, answer.model, answer.failure) == ("resp_1", "gpt-5", None)
    assert (said(answer), tools(answer)) == ("Hello!", [("find", "call_1", '{"q": 1}')])
    assert answer.finish == {0: "stop", 1: "tool_calls"}
    assert tokens(answer) == (36, 87, 16, 0)
    assert answer.attributes == {
        a.OPENAI_RESPONSE_TIER: "default", a.GEN_AI_CACHE_READ_TOKENS: 16, a.GEN_AI_REASONING_TOKENS: 64,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "finish", "failure"),
    [
        ({"status": "completed", "output": []}, "stop", None),
        ({"status": "completed", "output": [CALL, CALL]}, "tool_calls", None),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length", None),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter", None),
        ({"status": "incomplete", "incomplete_details": None}, "incomplete", None),
        ({"status": "failed", "error": {"code": "server_error", "message": "…"}}, "error", "server_error"),
        ({"status": "cancelled"}, "error", None),
        ({"status": "in_progress"}, None, None),
    ],
)
def test_the_status_says_how_a_response_ended(found: dict[str, Any], finish: str | None, failure: str | None) -> None:
    answer = whole(RESPONSES, found)
    assert answer.finish == ({} if finish is None else {0: finish})
    assert answer.failure == failure


def test_a_stream_is_read_event_by_event_and_its_text_is_not_counted_again_at_its_end() -> None:
    answer = streamed(
        RESPONSES,
        (
            "response.created",
            {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5", "status": "in_progress"}},
        ),
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "hm"},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "Hel"},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "lo"},
        {"type": "response.output_item.added", "output_index": 2, "item": {**CALL, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '{"q":'},
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": " 1}"},
    )
    assert not answer.done
    RESPONSES.chunk("", {"type": "response.completed", "response": ANSWER}, answer)
    assert answer.done
    assert (said(answer), said(answer, "reasoning"), tools(answer)) == ("Hello", "hm", [("find", "call_1", '{"q": 1}')])
    assert answer.written == len('hmHellofind{"q": 1}')
    assert (answer.id, tokens(answer)) == ("resp_1", (36, 87, 16, 0))


@pytest.mark.parametrize("kind", ["response.incomplete", "response.failed"])
def test_a_stream_that_ends_early_is_done_too(kind: str) -> None:
    answer = streamed(RESPONSES, {"type": kind, "response": {"status": kind.partition(".")[2], "error": {"code": "x"}}})
    assert answer.done


@pytest.mark.parametrize(
    "event", [{"type": "error", "code": "rate_limit_exceeded"}, {"type": "error", "error": {"code": "rate_limit_exceeded"}}]
)
def test_an_error_event_is_a_failure_by_its_code(event: dict[str, Any]) -> None:
    assert streamed(RESPONSES, event).failure == "rate_limit_exceeded"


def test_any_part_of_an_answer_may_be_of_another_kind() -> None:
    assert takes_any(RESPONSES, ANSWER, once=True) > 100
    assert (
        takes_any(RESPONSES, {"type": "response.output_item.added", "output_index": 0, "item": CALL}, {"response": ANSWER})
        > 100
    )
