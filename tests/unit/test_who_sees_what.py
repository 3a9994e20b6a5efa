"""The comparison with other tools judges by the ledger, and its page is that of its figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.clients.scenario import Scenario
from support.clients.table import BY_NAME
from support.wires.ledger import Truth

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks"))
import seen  # noqa: E402
import seen_page  # noqa: E402

ASKED = BY_NAME["openai-chat-plain"]
FAILED = BY_NAME["openai-chat-fails"]
ANSWERED = Truth(calls=1, failed=0, input=42, output=7, cached=0, reasoning=0, told=True)
BROKEN = Truth(calls=1, failed=1, input=0, output=0, cached=0, reasoning=0, told=False)


def span(operation: str = "chat", given: int = 42, got: int = 7, *, error: bool = False) -> dict[str, Any]:
    attributes = {"gen_ai.operation.name": operation, "gen_ai.usage.input_tokens": given, "gen_ai.usage.output_tokens": got}
    return {"name": operation, "scope": "tool", "error": error, "attributes": attributes}


@pytest.mark.parametrize(
    ("scenario", "fact", "spans", "right"),
    [
        (ASKED, ANSWERED, [span()], (True, None, True)),
        (ASKED, ANSWERED, [span(), span()], (False, None, False)),
        (ASKED, ANSWERED, [span(given=40, got=5), span(given=2, got=2)], (False, None, False)),
        (ASKED, ANSWERED, [span(got=8)], (True, None, False)),
        (ASKED, ANSWERED, [], (False, None, False)),
        (ASKED, ANSWERED, [span("invoke_agent"), span("execute_tool"), span()], (True, None, True)),
        (FAILED, BROKEN, [span(error=True)], (True, True, None)),
        (FAILED, BROKEN, [span()], (True, False, None)),
        (FAILED, BROKEN, [], (False, False, None)),
    ],
    ids=[
        "as it is",
        "twice",
        "in two parts",
        "other tokens",
        "unseen",
        "within an agent",
        "an error",
        "an error unseen",
        "nothing of an error",
    ],
)
def test_a_scenario_is_right_where_the_spans_say_what_the_ledger_says(
    scenario: Scenario, fact: Truth, spans: list[dict[str, Any]], right: tuple[bool | None, ...]
) -> None:
    found = seen.seen(scenario, fact, spans, same=True)
    assert (found.calls, found.errors, found.tokens) == right


def test_tokens_that_only_one_tool_had_told_are_asked_of_every_tool() -> None:
    untold = Truth(calls=1, failed=0, input=0, output=0, cached=0, reasoning=0, told=False)
    counts = seen.by_client({
        "asks": {ASKED.name: seen.seen(ASKED, ANSWERED, [span()], same=True)},
        "does not": {ASKED.name: seen.seen(ASKED, untold, [span(given=0, got=0)], same=True)},
    })  # fmt: skip
    assert (counts["asks"]["openai"]["tokens"], counts["does not"]["openai"]["tokens"]) == ([1, 1], [0, 1])


def test_the_page_is_the_one_of_the_figures() -> None:
    result = json.loads((ROOT / "benchmarks" / "who_sees_what.json").read_text(encoding="utf-8"))
    assert (ROOT / "docs" / "who-sees-what.md").read_text(encoding="utf-8") == seen_page.page(result)
    assert {tool["title"] for tool in result["tools"]} >= {"otel-chatbot", "OpenTelemetry's own", "OpenLLMetry", "OpenLIT"}
