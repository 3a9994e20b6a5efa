"""Ollama: answers and lines of streams have one shape, and the last line tells the tokens."""

from __future__ import annotations

from typing import Any

import pytest
from support.protocols import row, said, streamed, takes_any, tokens, tools, whole

from otel_chatbot.instrumentation.genai.framing import Framing
from otel_chatbot.instrumentation.genai.protocols.ollama import ROWS
from otel_chatbot.semconv import attributes as a
from otel_chatbot.semconv.attributes import GenAiOperation

CHAT, GENERATE, EMBED = row(ROWS, "ollama_chat"), row(ROWS, "ollama_generate"), row(ROWS, "ollama_embed")
ANSWER: dict[str, Any] = {
    "model": "llama3.2", "created_at": "2025-01-01T00:00:00Z", "done": True, "done_reason": "stop",
    "message": {
        "role": "assistant", "thinking": "hm", "content": "Hello!",
        "tool_calls": [{"function": {"name": "find", "arguments": {"q": 1}}}, {"function": {"name": "add", "arguments": {}}}],
    },
    "total_duration": 4935886791, "prompt_eval_count": 26, "eval_count": 9,
}  # fmt: skip


def test_a_request_to_chat_tells_model_options_and_messages() -> None:
    messages = [{"role": "user", "content": "Hello"}]
    options = {"temperature": 0, "num_predict": 64, "seed": 7, "stop": ["END"]}
    asked = CHAT.request(
        {"model": "llama3.2", "messages": messages, "options": options, "format": {"type": "object"}}, "/api/chat"
    )
    assert (asked.model, asked.operation, asked.said) == ("llama3.2", GenAiOperation.CHAT, messages)
    assert asked.attributes == {
        a.GEN_AI_TEMPERATURE: 0, a.GEN_AI_MAX_TOKENS: 64, a.GEN_AI_SEED: 7, a.GEN_AI_STOP_SEQUENCES: ("END",),
        a.GEN_AI_OUTPUT_TYPE: "json",
    }  # fmt: skip


@pytest.mark.parametrize(("given", "streamed"), [({}, True), ({"stream": True}, True), ({"stream": False}, False)])
def test_an_answer_is_streamed_unless_the_request_says_no(given: dict[str, bool], streamed: bool) -> None:
    assert CHAT.request({"model": "m", "messages": [], **given}, "/api/chat").streamed is streamed


def test_a_request_to_generate_completes_a_text() -> None:
    asked = GENERATE.request({"model": "m", "prompt": "Once", "system": "Be kind"}, "/api/generate")
    assert (asked.operation, asked.said) == (GenAiOperation.TEXT_COMPLETION, ["Be kind", "Once"])


@pytest.mark.parametrize(("name", "body"), [("ollama_embed", {"input": ["a"]}), ("ollama_embeddings", {"prompt": ["a"]})])
def test_requests_for_embeddings_say_what_is_embedded(name: str, body: dict[str, Any]) -> None:
    asked = row(ROWS, name).request({"model": "m", **body}, "/api/embed")
    assert (asked.model, asked.operation, asked.streamed, asked.said) == ("m", GenAiOperation.EMBEDDINGS, False, ["a"])


def test_a_whole_answer_tells_text_thoughts_tools_and_tokens() -> None:
    answer = whole(CHAT, ANSWER)
    assert (answer.model, said(answer), said(answer, "reasoning")) == ("llama3.2", "Hello!", "hm")
    assert tools(answer) == [("find", None, '{"q":1}'), ("add", None, "{}")]
    assert (answer.finish, answer.done, tokens(answer)) == ({0: "stop"}, True, (26, 9, 0, 0))


def test_lines_of_a_stream_are_read_up_to_the_one_that_is_done() -> None:
    answer = streamed(
        GENERATE,
        {"model": "llama3.2", "response": "", "thinking": "hm", "done": False},
        {"model": "llama3.2", "response": "Hel", "done": False},
        {"model": "llama3.2", "response": "lo", "done": False},
    )
    assert (said(answer), said(answer, "reasoning"), answer.done, tokens(answer)) == ("Hello", "hm", False, None)
    GENERATE.chunk("", {"model": "llama3.2", "response": "", "done": True, "done_reason": "length", "eval_count": 2}, answer)
    assert (answer.done, answer.finish) == (True, {0: "length"})
    assert tokens(answer) == (0, 2, 0, 0), "the count of a prompt that the server has in its cache is left out"
    assert GENERATE.framing is Framing.LINES


def test_an_answer_that_only_loads_a_model_has_no_tokens() -> None:
    answer = whole(GENERATE, {"model": "llama3.2", "response": "", "done": True, "done_reason": "load"})
    assert (answer.finish, tokens(answer), answer.written) == ({0: "load"}, None, 0)


def test_an_error_inside_an_answer_is_a_failure() -> None:
    assert (
        streamed(CHAT, {"model": "m", "message": {"content": "Hel"}}, {"error": "an error was encountered"}).failure == "error"
    )
    assert whole(CHAT, {"error": "…", "type": "timeout"}).failure == "timeout"


def test_embeddings_tell_the_tokens_of_their_input_where_the_interface_tells_any() -> None:
    assert tokens(whole(EMBED, {"model": "m", "embeddings": [[0.1]], "prompt_eval_count": 8})) == (8, 0, 0, 0)
    assert tokens(streamed(row(ROWS, "ollama_embeddings"), {"embedding": [0.1]})) is None


def test_any_part_of_an_answer_may_be_of_another_kind() -> None:
    assert takes_any(CHAT, ANSWER, once=True) > 100
