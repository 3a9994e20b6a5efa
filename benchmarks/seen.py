"""Compares a tool's spans of a scenario with the model server's ledger. Pure functions.

Fed by `who_sees_what.py` with spans and the truth; feeds its result with counts by client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from support.clients.scenario import Scenario
from support.wires.ledger import Truth

ASKS = frozenset({"chat", "text_completion", "generate_content", "embeddings", "completion", "embedding"})
"""The operations that ask a model; not those around them (agents, chains, tools, retrievals)."""
SPOILED = ("refused", "fails", "closed")
"""The modes in which something goes wrong."""


@dataclass(frozen=True)
class Seen:
    """A scenario under a tool. `calls`, `errors` and `tokens`: whether each equals the ledger's exactly; None: not asked."""

    client: str
    calls: bool
    errors: bool | None
    tokens: bool | None
    spans: int
    wanted: int
    same: bool
    """Whether the app got the same answer as without a tool."""


def asks_a_model(span: Mapping[str, Any]) -> bool:
    """Whether a span is a model call."""
    attributes = span["attributes"]
    operation = attributes.get("gen_ai.operation.name") or attributes.get("llm.request.type")
    return operation in ASKS


def tokens(spans: Iterable[Mapping[str, Any]], *names: str) -> int:
    """A sum over spans: from each span, the first of these attributes that it has."""
    total = 0
    for span in spans:
        total += int(next((span["attributes"][name] for name in names if span["attributes"].get(name) is not None), 0))
    return total


def seen(scenario: Scenario, fact: Truth, spans: Iterable[Mapping[str, Any]], *, same: bool) -> Seen:
    """Compare. Errors and tokens only count as right if the calls are right: a tool that has seen nothing is not right."""
    calls = [span for span in spans if asks_a_model(span)]
    right = len(calls) == fact.calls
    told = (
        tokens(calls, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        tokens(calls, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    )
    failed = sum(span["error"] or "error.type" in span["attributes"] for span in calls)
    return Seen(
        scenario.client,
        right,
        (right and failed == fact.failed) if scenario.mode in SPOILED else None,
        (right and told == (fact.input, fact.output)) if fact.told and fact.input else None,
        len(calls),
        fact.calls,
        same,
    )


def by_client(tools: Mapping[str, Mapping[str, Seen]]) -> dict[str, dict[str, dict[str, list[int]]]]:
    """By tool, client and question: how many are right, and of how many. `tools` holds the results by tool and scenario.

    If tokens count for one tool, they count for every tool: a tool may itself make the client ask the server for them.
    """
    told = {name for found in tools.values() for name, one in found.items() if one.tokens is not None}
    result: dict[str, dict[str, dict[str, list[int]]]] = {}
    for tool, found in tools.items():
        for name, one in found.items():
            answers = {
                "calls": one.calls, "errors": one.errors, "tokens": bool(one.tokens) if name in told else None,
                "unseen": not one.spans, "twice": one.spans > one.wanted, "changed": not one.same,
            }  # fmt: skip
            counts = result.setdefault(tool, {}).setdefault(one.client, {question: [0, 0] for question in answers})
            for question, answer in answers.items():
                if answer is not None:
                    counts[question][0] += answer
                    counts[question][1] += 1
    return result
