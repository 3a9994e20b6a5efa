"""Beside other tools' instrumentations of model clients: one set of spans, and our figures are exact, whoever was there first."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
from support.clients.world import ROOT, environment

OURS, NATIVE = "otel_chatbot", "com.anthropic.sdk.python"
SCOPES = {
    "upstream": {"opentelemetry.instrumentation.genai.openai", "opentelemetry.instrumentation.genai.anthropic",
                 "opentelemetry.instrumentation.google_genai"},
    "OpenInference": {f"openinference.instrumentation.{name}" for name in ("openai", "anthropic", "google_genai")},
    "OpenLLMetry": {"opentelemetry.instrumentation.openai.v1", "opentelemetry.instrumentation.anthropic"},
}  # fmt: skip


PROOF = int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1")) > 1


def run(of: str, module: str, *arguments: str) -> dict[str, Any]:
    """What a module of support/beside prints."""
    command = [str(environment(of) / "python"), "-m", f"support.beside.{module}", *arguments]
    env = {**os.environ, "CHATBOT_OTEL_AI_ADDRESSES": "127.0.0.1=openai", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(command, cwd=ROOT / "tests", env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "telemetry fault" not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module", params=["theirs", "ours"] if PROOF else ["theirs"])
def tools(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What came of one call of each kind beside each tool; the parameter is who was there first."""
    return run("beside", "model_tools", request.param)


@pytest.mark.parametrize("tool", SCOPES)
def test_where_a_tool_has_a_span_of_a_call_ours_is_not_made(tools: dict[str, Any], tool: str) -> None:
    for name, call in tools[tool].items():
        scopes = [scope for _, scope in call["spans"]]
        if name == "message_native":
            assert set(scopes) == {NATIVE, *(SCOPES[tool] & set(scopes))}, "the client's own, and the tool's"
        else:
            assert len(scopes) == 1, (name, scopes)
            assert scopes[0] in SCOPES[tool], name


def test_where_no_tool_is_on_there_is_one_span_of_ours_or_the_clients_own(tools: dict[str, Any]) -> None:
    for name, call in tools["none"].items():
        assert [scope for _, scope in call["spans"]] == [NATIVE if name == "message_native" else OURS], name


@pytest.mark.parametrize("tool", ["none", *SCOPES])
def test_calls_and_tokens_are_those_of_the_server(tools: dict[str, Any], tool: str) -> None:
    for name, call in tools[tool].items():
        [(asked, answered)] = call["told"]
        told = {"input": asked} if name == "embedding" else {"input": asked, "output": answered}
        assert (call["calls"], call["errors"], call["tokens"]) == (1, 0, told), name


if PROOF:

    def test_where_litellm_tells_its_calls_by_itself_ours_makes_no_span() -> None:
        found = run("clients", "litellm_native")
        assert (found["ours"]["scopes"], found["theirs"]["scopes"]) == (["otel_chatbot"], ["litellm"])
        assert found["ours"]["calls"] == found["theirs"]["calls"] == 1
        assert found["ours"]["tokens"] == found["theirs"]["tokens"]
