"""langchain's agents, tools and chains are spans of the conventions, above the spans of the model calls in them."""

from __future__ import annotations

from typing import Any

import pytest
from support.runs.reading import MODEL, an_agent_with_a_tool, attributes, cases, says_no_word, tree

TOOL, CHAIN = "execute_tool weather", "invoke_workflow RunnableSequence"


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return cases("langchain_app", "clients")


@pytest.mark.parametrize("way", ["agent", "agent, streamed", "agent, awaited", "agent, streamed and awaited"])
def test_an_agent_holds_its_model_calls_and_its_tools(found: dict[str, Any], way: str) -> None:
    assert tree(found[way]) == an_agent_with_a_tool("invoke_agent helper")
    assert found[way]["calls"] == 2
    told = attributes(found[way], "invoke_agent helper")
    assert told == {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"}
    assert attributes(found[way], TOOL) == {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather", "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "call_wires1",
    }  # fmt: skip


def test_an_agent_lasts_as_long_as_what_it_does(found: dict[str, Any]) -> None:
    spans = [span for span in found["agent"]["spans"] if span["name"] != "app"]
    *parts, agent = spans
    assert agent["seconds"] >= sum(part["seconds"] for part in parts) > 0


def test_an_agent_that_is_left_ends(found: dict[str, Any]) -> None:
    assert tree(found["agent, left"]) == [(MODEL, "invoke_agent helper"), ("invoke_agent helper", "app")]
    assert {span["status"] for span in found["agent, left"]["spans"]} == {"UNSET"}


@pytest.mark.parametrize(("way", "calls"), [("chain", 1), ("chain, streamed", 1), ("chain, two at once", 2), ("chain, awaited", 1),
                                            ("chain, streamed and awaited", 1)])  # fmt: skip
def test_a_chain_holds_its_model_calls(found: dict[str, Any], way: str, calls: int) -> None:
    assert tree(found[way]) == [(MODEL, CHAIN)] * calls + [(CHAIN, "app")]
    assert found[way]["calls"] == calls


@pytest.mark.parametrize("way", ["tool", "tool, awaited"])
def test_a_tool_alone_is_a_span(found: dict[str, Any], way: str) -> None:
    assert tree(found[way]) == [(TOOL, "app")]
    assert found[way]["calls"] == 0


def test_a_tool_that_fails_says_with_what_class(found: dict[str, Any]) -> None:
    [span, _] = found["tool that fails"]["spans"]
    assert (span["status"], span["attributes"]["error.type"]) == ("ERROR", "LookupError")


def test_arguments_and_result_are_told_only_with_content(found: dict[str, Any]) -> None:
    says_no_word(found)
    told = attributes(found["tool, with content"], TOOL)
    assert told["gen_ai.tool.call.arguments"] == '{"city":"canary-argument"}'
    assert told["gen_ai.tool.call.result"] == "canary-result: rain in canary-argument"


def test_the_apps_callbacks_hear_what_they_hear_without_us(found: dict[str, Any]) -> None:
    assert found["callbacks"] == ["tool start", "tool end"]
