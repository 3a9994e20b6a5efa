"""OpenAI's chat completions: what requests, answers and chunks of it, and of those who speak the same, are read as."""

from __future__ import annotations

from typing import Any

import pytest
from support.protocols import row, said, streamed, takes_any, tokens, tools, whole

from otel_chatbot.instrumentation.genai.protocols.openai_chat import ROWS
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv.attributes import GenAiOperation

CHAT, COMPLETIONS = row(ROWS, "openai_chat"), row(ROWS, "openai_completions")
PATH = "/v1/chat/completions"
ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_1",
    "service_tier": "default",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello!", "refusal": None}, "finish_reason": "stop"},
        {
            "index": 1,
            "message": {
                "content": None,
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}}],
            },
            "finish_reason": "tool_calls",
        },
    ],
    "usage": {
        "prompt_tokens": 100, "completion_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 4},
    },
}  # fmt: skip


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "model": "gpt-4o", "choices": choices, "usage": None, **more}


def test_a_request_tells_model_parameters_and_what_is_said() -> None:
    messages = [{"role": "user", "content": "Hello"}]
    asked = CHAT.request(
        {
            "model": "gpt-4o", "messages": messages, "stream": True, "temperature": 0.2, "max_tokens": 5,
            "max_completion_tokens": 64, "stop": "END", "n": 2, "service_tier": "flex", "response_format": {"type": "json_schema"},
        },
        PATH,
    )  # fmt: skip
    assert (asked.model, asked.streamed, asked.operation, asked.said) == ("gpt-4o", True, GenAiOperation.CHAT, messages)
    assert asked.attributes == {
        a.GEN_AI_TEMPERATURE: 0.2, a.GEN_AI_MAX_TOKENS: 64, a.GEN_AI_STOP_SEQUENCES: ("END",), a.GEN_AI_CHOICE_COUNT: 2,
        a.OPENAI_REQUEST_TIER: "flex", a.GEN_AI_OUTPUT_TYPE: "json",
    }  # fmt: skip


def test_what_is_usual_is_not_told_of_a_request() -> None:
    asked = CHAT.request({"model": "gpt-4o", "messages": [], "n": 1, "service_tier": "auto", "stream": None}, PATH)
    assert (asked.streamed, asked.attributes) == (False, {})


def test_azures_model_is_in_the_path_and_the_bodys_own_goes_first() -> None:
    path = "/openai/deployments/my-gpt/chat/completions"
    assert CHAT.request({"messages": []}, path).model == "my-gpt"
    assert CHAT.request({"messages": [], "model": "gpt-4o"}, path).model == "gpt-4o"


def test_a_request_to_the_older_interface_completes_a_text() -> None:
    asked = COMPLETIONS.request({"model": "gpt-3.5-turbo-instruct", "prompt": "Once"}, "/v1/completions")
    assert (asked.operation, asked.said) == (GenAiOperation.TEXT_COMPLETION, "Once")
    assert COMPLETIONS.path.search("/v1/completions")
    assert not COMPLETIONS.path.search(PATH)


def test_a_whole_answer_tells_choices_tools_tokens_and_who_made_it() -> None:
    answer = whole(CHAT, ANSWER)
    assert (answer.id, answer.model, answer.failure) == ("chatcmpl-1", "gpt-4o-2024-08-06", None)
    assert (said(answer), tools(answer)) == ("Hello!", [("find", "call_1", '{"q": 1}')])
    assert [tool.index for tool in answer.tools.values()] == [1]
    assert answer.finish == {0: "stop", 1: "tool_calls"}
    assert tokens(answer) == (100, 30, 64, 0)
    assert answer.attributes == {
        a.OPENAI_FINGERPRINT: "fp_1", a.OPENAI_RESPONSE_TIER: "default", a.GEN_AI_CACHE_READ_TOKENS: 64,
        a.GEN_AI_REASONING_TOKENS: 20, a.GEN_AI_AUDIO_INPUT_TOKENS: 3, a.GEN_AI_AUDIO_OUTPUT_TOKENS: 4,
    }  # fmt: skip


def test_a_stream_is_read_piece_by_piece_up_to_the_chunk_of_tokens() -> None:
    answer = streamed(
        CHAT,
        chunk({"role": "assistant", "content": "", "refusal": None}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        chunk({"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "find", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"q":'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": " 1}"}}]}),
        chunk({}, "tool_calls"),
        chunk(None, usage={"prompt_tokens": 9, "completion_tokens": 4}),
    )
    assert (said(answer), answer.finish) == ("Hello", {0: "tool_calls"})
    assert tools(answer) == [("find", "call_1", '{"q": 1}')]
    assert answer.written == len('Hellofind{"q": 1}')
    assert tokens(answer) == (9, 4, 0, 0)


def test_two_tools_of_a_stream_without_numbers_are_told_apart_by_their_ids() -> None:
    calls = [{"id": "a", "function": {"name": "find"}}, {"id": "b", "function": {"name": "add"}}]
    assert tools(streamed(CHAT, chunk({"tool_calls": calls}))) == [("find", "a", ""), ("add", "b", "")]


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "yes", "reasoning_content": "hm"}, "yes", "hm"),  # DeepSeek
        ({"content": "yes", "reasoning": "hm"}, "yes", "hm"),  # Groq, OpenRouter
        (
            {"content": [{"type": "thinking", "thinking": [{"text": "hm"}]}, {"type": "text", "text": "yes"}]},
            "yes",
            "hm",
        ),  # Mistral
        ({"content": None, "refusal": "I cannot"}, "I cannot", ""),
    ],
)
def test_reasoning_is_told_apart_from_the_text_in_each_providers_words(
    message: dict[str, Any], text: str, reasoning: str
) -> None:
    for answer in (whole(CHAT, {"choices": [{"message": message}]}), streamed(CHAT, chunk(message))):
        assert (said(answer), said(answer, "reasoning")) == (text, reasoning)


@pytest.mark.parametrize(
    ("message", "tool"),
    [
        ({"function_call": {"name": "find", "arguments": "{}"}}, ("find", None, "{}")),
        ({"tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "sql", "input": "SELECT"}}]}, ("sql", "c", "SELECT")),
    ],
)
def test_the_older_call_of_a_function_and_a_custom_tool_are_tool_calls(message: dict[str, Any], tool: object) -> None:
    assert tools(whole(CHAT, {"choices": [{"message": message}]})) == [tool]


def test_other_places_of_tokens_are_found() -> None:
    groq = streamed(CHAT, {"choices": [], "x_groq": {"usage": {"prompt_tokens": 7, "completion_tokens": 2}}})
    deepseek = whole(CHAT, {"usage": {"prompt_tokens": 7, "completion_tokens": 2, "prompt_cache_hit_tokens": 5}})
    assert (tokens(groq), tokens(deepseek)) == ((7, 2, 0, 0), (7, 2, 5, 0))


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ({"message": "…", "code": "context_length_exceeded", "type": "invalid_request_error"}, "context_length_exceeded"),
        ({"message": "…", "type": "server_error", "code": None}, "server_error"),
        ({"code": 502, "message": "…"}, "502"),  # OpenRouter
        ("it broke", "failed"),
    ],
)
def test_an_error_inside_an_answer_is_a_failure_by_its_kind(error: Any, failure: str) -> None:
    assert whole(CHAT, {"error": error}).failure == failure
    assert streamed(CHAT, chunk({"content": "Hel"}), {"error": error}).failure == failure


def test_any_part_of_an_answer_may_be_of_another_kind() -> None:
    assert takes_any(CHAT, ANSWER, once=True) > 100
    assert (
        takes_any(CHAT, chunk({"tool_calls": [{"index": 0, "function": {"name": "f"}}], "content": [{"thinking": [{}]}]})) > 100
    )
