"""The table of scenarios: everything that the drivers enter, in order."""

from __future__ import annotations

from . import anthropic_client, bare, google_genai, openai_client
from .scenario import TABLE, Scenario

__all__ = ["BY_NAME", "MODULES", "SCENARIOS"]
MODULES = (openai_client, anthropic_client, google_genai, bare)
SCENARIOS: tuple[Scenario, ...] = tuple(TABLE)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
assert len(BY_NAME) == len(SCENARIOS), "two scenarios have one name"
