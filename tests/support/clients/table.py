"""The table of scenarios: everything that the drivers enter, in order."""

from __future__ import annotations

from . import (
    anthropic_client,
    bare,
    bedrock_client,
    cohere_client,
    google_genai,
    groq_client,
    langchain_client,
    left_streams,
    litellm_client,
    mistral_client,
    older_clients,
    ollama_client,
    openai_client,
)
from .scenario import TABLE, Scenario

__all__ = ["BY_NAME", "FEWER_BY_HAND", "MADE_BY_CLIENTS", "MODULES", "SCENARIOS", "WRITTEN_BY_HAND"]
MODULES = (
    openai_client, anthropic_client, google_genai, mistral_client, groq_client, cohere_client, ollama_client, litellm_client,
    langchain_client, bedrock_client, older_clients, bare, left_streams,
)  # fmt: skip
SCENARIOS: tuple[Scenario, ...] = tuple(TABLE)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
assert len(BY_NAME) == len(SCENARIOS), "two scenarios have one name"

WRITTEN_BY_HAND = tuple(scenario for scenario in SCENARIOS if scenario.client in bare.CLIENTS)
MADE_BY_CLIENTS = tuple(scenario for scenario in SCENARIOS if scenario.client not in bare.CLIENTS)
FEWER_BY_HAND = tuple(
    scenario
    for scenario in WRITTEN_BY_HAND
    if scenario.mode == "plain" or scenario.interface in ("openai_chat", "openai_stream", "retry", "openai_stream_left")
)
"""Every shape by every client, and every mode for two of the shapes: the rest is `make proof`'s."""
