"""Amazon Bedrock: Converse in Amazon's words, and InvokeModel in the words of the vendor whose model it is."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from support.protocols import row, said, streamed, takes_any, tokens, tools, whole

from otel_chatbot.instrumentation.genai.protocols.bedrock import ROWS
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv.attributes import GenAiOperation

CONVERSE, INVOKE = row(ROWS, "bedrock_converse"), row(ROWS, "bedrock_invoke")
USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20}
ANSWER: dict[str, Any] = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "…"}}},
                {"text": "Hello!"},
                {"toolUse": {"toolUseId": "tooluse_1", "name": "find", "input": {"q": 1}}},
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": USAGE,
    "metrics": {"latencyMs": 900},
}
STREAM: tuple[tuple[str, dict[str, Any]], ...] = (
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Hello!"}}),
    ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "tooluse_1", "name": "find"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"q":'}}}),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": "1}"}}}),
    ("contentBlockStop", {"contentBlockIndex": 2}),
    ("messageStop", {"stopReason": "tool_use"}),
    ("metadata", {"usage": USAGE}),
)


def packed(inner: Any) -> dict[str, Any]:
    """An event of InvokeModel's stream."""
    return {"bytes": base64.b64encode(json.dumps(inner).encode()).decode(), "p": "abc"}


def test_a_request_to_converse_tells_parameters_and_has_the_model_in_its_path() -> None:
    body = {
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}], "system": [{"text": "Be kind"}],
        "inferenceConfig": {"maxTokens": 64, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
    }  # fmt: skip
    asked = CONVERSE.request(body, "/model/anthropic.claude-3-haiku-20240307-v1:0/converse-stream")
    assert (asked.model, asked.streamed) == ("anthropic.claude-3-haiku-20240307-v1:0", True)
    assert (asked.operation, asked.said) == (GenAiOperation.CHAT, [body["system"], body["messages"]])
    assert asked.attributes == {
        a.GEN_AI_MAX_TOKENS: 64, a.GEN_AI_TEMPERATURE: 0.5, a.GEN_AI_TOP_P: 0.9, a.GEN_AI_STOP_SEQUENCES: ("END",),
    }  # fmt: skip


def test_the_model_of_an_address_of_a_profile_is_its_last_part() -> None:
    path = "/model/arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0/converse"
    assert CONVERSE.request({}, path).model == "us.amazon.nova-lite-v1:0"
    assert not CONVERSE.request({}, path).streamed


@pytest.mark.parametrize(
    ("model", "body", "operation", "said", "attributes"),
    [
        (
            "anthropic.claude-3-haiku", {"messages": [], "system": "s", "max_tokens": 5}, GenAiOperation.CHAT, ["s", []],
            {a.GEN_AI_MAX_TOKENS: 5},
        ),
        (
            "amazon.titan-text-express-v1",
            {"inputText": "Hello", "textGenerationConfig": {"maxTokenCount": 6, "topP": 1, "stopSequences": ["U:"]}},
            GenAiOperation.TEXT_COMPLETION, ["Hello"],
            {a.GEN_AI_MAX_TOKENS: 6, a.GEN_AI_TOP_P: 1, a.GEN_AI_STOP_SEQUENCES: ("U:",)},
        ),
        (
            "meta.llama3-8b-instruct-v1:0", {"prompt": "Hello", "max_gen_len": 7}, GenAiOperation.TEXT_COMPLETION, ["Hello"],
            {a.GEN_AI_MAX_TOKENS: 7},
        ),
        ("cohere.command-r-v1:0", {"message": "Hello", "p": 0.3, "k": 4}, GenAiOperation.CHAT, ["Hello"],
         {a.GEN_AI_TOP_P: 0.3, a.GEN_AI_TOP_K: 4}),
        ("amazon.titan-embed-text-v2:0", {"inputText": "Hello"}, GenAiOperation.EMBEDDINGS, ["Hello"], {}),
    ],
)  # fmt: skip
def test_a_request_to_invoke_is_read_in_its_vendors_words(
    model: str, body: dict[str, Any], operation: GenAiOperation, said: list[Any], attributes: dict[str, Any]
) -> None:
    asked = INVOKE.request(body, f"/model/{model}/invoke")
    assert (asked.model, asked.streamed, asked.operation) == (model, False, operation)
    assert (asked.said, asked.attributes) == (said, attributes)
    assert INVOKE.request(body, f"/model/{model}/invoke-with-response-stream").streamed


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_converse_tells_text_reasoning_tools_and_all_tokens_of_the_input(stream: bool) -> None:
    answer = streamed(CONVERSE, *STREAM) if stream else whole(CONVERSE, ANSWER)
    assert (said(answer), said(answer, "reasoning"), answer.finish) == ("Hello!", "hm", {0: "tool_use"})
    assert tools(answer) == [("find", "tooluse_1", '{"q":1}')]
    assert tokens(answer) == (130, 5, 100, 20)
    assert answer.done is stream


@pytest.mark.parametrize(
    ("found", "text", "finish", "used"),
    [
        ({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
         "Hi", "stop", (3, 1, 0, 0)),
        ({"role": "assistant", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn",
          "usage": {"input_tokens": 3, "output_tokens": 1}}, "Hi", "end_turn", (3, 1, 0, 0)),
        (ANSWER, "Hello!", "tool_use", (130, 5, 100, 20)),
        ({"response_id": "r", "text": "Hi", "finish_reason": "COMPLETE"}, "Hi", "COMPLETE", None),
        ({"generation": "Hi", "prompt_token_count": 3, "generation_token_count": 1, "stop_reason": "stop"}, "Hi", "stop", (3, 1, 0, 0)),
        ({"inputTextTokenCount": 3, "results": [{"tokenCount": 1, "outputText": "Hi", "completionReason": "FINISH"}]},
         "Hi", "FINISH", (3, 1, 0, 0)),
        ({"outputs": [{"text": "Hi", "stop_reason": "stop"}]}, "Hi", "stop", None),
        ({"generations": [{"text": "Hi", "finish_reason": "COMPLETE"}]}, "Hi", "COMPLETE", None),
        ({"embedding": [0.1], "inputTextTokenCount": 3}, "", None, (3, 0, 0, 0)),
    ],
    ids=["chat completions", "claude", "nova", "command", "llama", "titan", "mistral", "older command", "titan embedding"],
)  # fmt: skip
def test_an_answer_of_invoke_is_read_in_its_vendors_words(
    found: dict[str, Any], text: str, finish: str | None, used: tuple[int, ...] | None
) -> None:
    answer = whole(INVOKE, found)
    assert (said(answer), answer.finish.get(0), tokens(answer)) == (text, finish, used)


@pytest.mark.parametrize("name", ["response_id", "generation_id"])
def test_command_is_known_by_either_of_its_ids_and_told_with_its_tools(name: str) -> None:
    answer = whole(INVOKE, {name: "r1", "text": "Hi", "tool_calls": [{"name": "find", "parameters": {"q": 1}}]})
    assert (answer.id, tools(answer)) == ("r1", [("find", None, '{"q":1}')])


METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 3, "outputTokenCount": 2}}


@pytest.mark.parametrize(
    ("pieces", "used"),
    [
        ([{"generation": "Hel"}, {"generation": "lo", "stop_reason": "stop", **METRICS}], (3, 2, 0, 0)),
        ([{"outputText": "Hel"}, {"outputText": "lo", "inputTextTokenCount": 9, "totalOutputTextTokenCount": 8, **METRICS}], (9, 8, 0, 0)),
        ([{"choices": [{"delta": {"content": "Hello"}}]}, {"choices": [], **METRICS}], (3, 2, 0, 0)),
        ([{"type": "content_block_delta", "delta": {"text": "Hello"}}, {"type": "message_stop", **METRICS}], (3, 2, 0, 0)),
        ([{"event_type": "text-generation", "text": "Hello"}, {"event_type": "stream-end", **METRICS}], (3, 2, 0, 0)),
        ([{"contentBlockDelta": {"delta": {"text": "Hello"}}}, {"metadata": {"usage": {"inputTokens": 7, "outputTokens": 1}}}], (7, 1, 0, 0)),
    ],
    ids=["llama", "titan", "chat completions", "claude", "command", "nova"],
)  # fmt: skip
def test_a_stream_of_invoke_is_unpacked_and_amazons_own_figures_fill_what_the_vendor_leaves_out(
    pieces: list[dict[str, Any]], used: tuple[int, ...]
) -> None:
    answer = streamed(INVOKE, *[("chunk", packed(piece)) for piece in pieces])
    assert (said(answer), tokens(answer), answer.done, answer.broken) == ("Hello", used, True, False)


@pytest.mark.parametrize(
    "found", [{}, {"bytes": "%%%"}, {"bytes": 5}, packed([1]), {"bytes": base64.b64encode(b'{"a').decode()}]
)
def test_a_piece_that_cannot_be_unpacked_makes_the_answer_a_broken_one(found: dict[str, Any]) -> None:
    assert streamed(INVOKE, ("chunk", found)).broken


@pytest.mark.parametrize("protocol", ROWS, ids=lambda protocol: protocol.name)
def test_an_exception_inside_a_stream_is_a_failure_by_its_name(protocol: Any) -> None:
    assert streamed(protocol, ("!throttlingException", {"message": "…"})).failure == "throttlingException"


def test_any_part_of_an_answer_may_be_of_another_kind() -> None:
    assert takes_any(CONVERSE, ANSWER, once=True) > 100
    assert takes_any(CONVERSE, *STREAM) > 100
    assert takes_any(INVOKE, ANSWER, once=True) > 100
    assert takes_any(INVOKE, ("chunk", packed({"generation": "x", **METRICS}))) > 10
