"""llama-index's agents, tools and engines are spans of the conventions, above the spans of the model calls in them.

In `make proof`, which installs llama-index; tests/unit/instrumentation/genai/agents has the parts.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from support.runs.reading import MODEL, an_agent_with_a_tool, attributes, cases, says_no_word, tree

TOOL = "execute_tool weather"

if int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1")) > 1:  # in `make proof`

    @pytest.fixture(scope="module")
    def found() -> dict[str, Any]:
        return cases("llama_index_app", "clients-older")

    @pytest.mark.parametrize("way", ["agent", "agent, streamed", "agents"])
    def test_an_agent_holds_its_model_calls_and_its_tools(found: dict[str, Any], way: str) -> None:
        assert tree(found[way]) == an_agent_with_a_tool("invoke_agent helper")
        assert found[way]["calls"] == 2
        told = attributes(found[way], "invoke_agent helper")
        assert told == {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"}

    @pytest.mark.parametrize(
        ("way", "engine"),
        [
            ("query", "RetrieverQueryEngine"),
            ("query, awaited", "RetrieverQueryEngine"),
            ("chat", "SimpleChatEngine"),
            ("chat, streamed", "SimpleChatEngine"),
            ("chat, streamed and awaited", "SimpleChatEngine"),
        ],
    )
    def test_an_engine_holds_its_model_calls(found: dict[str, Any], way: str, engine: str) -> None:
        assert tree(found[way]) == [(MODEL, f"invoke_workflow {engine}"), (f"invoke_workflow {engine}", "app")]
        assert found[way]["calls"] == 1

    def test_an_engine_that_a_tool_asks_is_below_the_tool(found: dict[str, Any]) -> None:
        engine = "invoke_workflow RetrieverQueryEngine"
        assert tree(found["query by a tool"]) == [
            (MODEL, engine),
            (engine, "execute_tool notes"),
            ("execute_tool notes", "app"),
        ]

    @pytest.mark.parametrize("way", ["tool", "tool, awaited"])
    def test_a_tool_alone_is_a_span(found: dict[str, Any], way: str) -> None:
        assert tree(found[way]) == [(TOOL, "app")]

    def test_a_tool_that_fails_says_with_what_class(found: dict[str, Any]) -> None:
        [span, _] = found["tool that fails"]["spans"]
        assert (span["status"], span["attributes"]["error.type"]) == ("ERROR", "LookupError")

    def test_arguments_and_result_are_told_only_with_content(found: dict[str, Any]) -> None:
        says_no_word(found)
        told = attributes(found["tool, with content"], TOOL)
        assert told["gen_ai.tool.call.arguments"] == '{"city":"canary-argument"}'
        assert told["gen_ai.tool.call.result"] == "canary-result: rain in canary-argument"
