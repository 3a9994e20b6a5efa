"""Prompts and answers in the conventions' messages: roles, texts and tools of each wire, pictures by name, all within a limit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.protocols import whole

from otel_chatbot.instrumentation.genai import content
from otel_chatbot.instrumentation.genai.protocols import anthropic, openai_chat
from otel_chatbot.instrumentation.genai.protocols.answer import MOST_TEXT, Answer
from otel_chatbot.semconv import attributes as a


def asked(body: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Messages, system instructions, tools."""
    found = content.asked(body)
    names = (a.GEN_AI_INPUT_MESSAGES, a.GEN_AI_SYSTEM_INSTRUCTIONS, a.GEN_AI_TOOL_DEFINITIONS)
    return tuple(json.loads(found[name]) if name in found else None for name in names)  # type: ignore[return-value]


def text(words: str) -> dict[str, str]:
    return {"type": "text", "content": words}


USER = [{"role": "user", "parts": [text("Hello")]}]


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Hello"}]},
        {
            "messages": [
                {"role": "developer", "content": "Be kind"},
                {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
            ]
        },
        {"system": "Be kind", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]},
        {"system": [{"text": "Be kind"}], "messages": [{"role": "user", "content": [{"text": "Hello"}]}]},
        {"systemInstruction": {"parts": [{"text": "Be kind"}]}, "contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
        {"instructions": "Be kind", "input": "Hello"},
        {"instructions": "Be kind", "input": [{"role": "user", "content": "Hello"}]},
        {"preamble": "Be kind", "message": "Hello"},
        {"system": "Be kind", "prompt": "Hello"},
    ],
    ids=["chat", "parts", "anthropic", "converse", "gemini", "responses", "responses list", "cohere v1", "ollama generate"],
)
def test_question_and_instructions_are_found_in_each_wires_words(body: dict[str, Any]) -> None:
    assert asked(body)[:2] == (USER, [text("Be kind")])


def test_the_roles_of_a_conversation_have_the_conventions_names() -> None:
    history = [{"role": "USER", "message": "Hi"}, {"role": "CHATBOT", "message": "Yes?"}]
    messages = asked({"chat_history": history, "message": "Hello"})[0]
    assert [(message["role"], message["parts"][0]["content"]) for message in messages] == [
        ("user", "Hi"), ("assistant", "Yes?"), ("user", "Hello"),
    ]  # fmt: skip
    assert asked({"contents": [{"role": "model", "parts": [{"text": "Yes?"}]}]})[0][0]["role"] == "assistant"


CALL = {"type": "tool_call", "id": "c1", "name": "find", "arguments": {"q": 1}}
ANSWERED = {"type": "tool_call_response", "id": "c1", "response": "42"}


@pytest.mark.parametrize(
    ("body", "call", "response"),
    [
        (
            {"messages": [
                {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "find", "arguments": '{"q":1}'}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "42"},
            ]},
            {**CALL, "arguments": '{"q":1}'}, ANSWERED,
        ),
        (
            {"messages": [
                {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "find", "input": {"q": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "42"}]},
            ]},
            CALL, ANSWERED,
        ),
        (
            {"messages": [
                {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": "find", "input": {"q": 1}}}]},
                {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "42"}]}}]},
            ]},
            CALL, {**ANSWERED, "response": [{"text": "42"}]},
        ),
        (
            {"contents": [
                {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "find", "args": {"q": 1}}}]},
                {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "find", "response": {"result": 42}}}]},
            ]},
            CALL, {**ANSWERED, "response": {"result": 42}},
        ),
        (
            {"input": [
                {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"q":1}'},
                {"type": "function_call_output", "call_id": "c1", "output": "42"},
            ]},
            {**CALL, "arguments": '{"q":1}'}, ANSWERED,
        ),
    ],
    ids=["chat", "anthropic", "converse", "gemini", "responses"],
)  # fmt: skip
def test_a_tools_call_and_its_answer_are_found_in_each_wires_words(body: dict[str, Any], call: Any, response: Any) -> None:
    messages = asked(body)[0]
    assert [message["parts"] for message in messages] == [[call], [response]]
    assert messages[0]["role"] == "assistant"
    assert messages[1]["role"] in ("tool", "user")


def test_pictures_and_sounds_are_named_and_never_held() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,SECRET"}}, {"inlineData": {"data": "SECRET"}}]
    found = content.asked({"messages": [{"role": "user", "content": parts}]})
    assert json.loads(found[a.GEN_AI_INPUT_MESSAGES])[0]["parts"] == [{"type": "image_url"}]
    assert "SECRET" not in "".join(found.values())


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "function", "function": {"name": "find", "parameters": {}}}]},
        {"tools": [{"name": "find", "input_schema": {}}]},
        {"tools": [{"functionDeclarations": [{"name": "find"}]}]},
        {"toolConfig": {"tools": [{"toolSpec": {"name": "find"}}]}},
    ],
)
def test_tools_are_named_in_each_wires_words(body: dict[str, Any]) -> None:
    assert asked(body)[2] == [{"type": "function", "name": "find"}]


def test_of_a_long_conversation_the_last_messages_are_kept_and_of_long_texts_a_limited_part() -> None:
    many = asked({"messages": [{"role": "user", "content": str(number)} for number in range(300)]})[0]
    assert (len(many), many[-1]["parts"][0]["content"]) == (256, "299")
    long = asked({"messages": [{"role": "user", "content": "x" * MOST_TEXT}, {"role": "user", "content": "y"}]})[0]
    assert [len(message["parts"][0]["content"]) for message in long] == [MOST_TEXT, 0]


def test_an_answers_choices_have_their_texts_tools_and_reasons() -> None:
    answer = whole(openai_chat.CHAT, {"choices": [
        {"index": 0, "message": {"content": "Hello!", "reasoning": "hm"}, "finish_reason": "stop"},
        {"index": 1, "message": {"tool_calls": [{"id": "c1", "function": {"name": "find", "arguments": '{"q":1}'}}]}},
    ]})  # fmt: skip
    assert json.loads(content.answered(answer)[a.GEN_AI_OUTPUT_MESSAGES]) == [
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, text("Hello!")], "finish_reason": "stop"},
        {"role": "assistant", "parts": [CALL], "finish_reason": ""},
    ]


def test_arguments_that_were_cut_are_told_as_a_text_and_an_empty_answer_tells_nothing() -> None:
    cut = Answer(keeps=True)
    cut.tool(0, "find", "c1", '{"q":')
    assert json.loads(content.answered(cut)[a.GEN_AI_OUTPUT_MESSAGES])[0]["parts"][0]["arguments"] == '{"q":'
    assert content.answered(whole(anthropic.ROWS[0], {})) == {}
