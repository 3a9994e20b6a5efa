"""Beside upstream's instrumentations of HTTP clients: their spans are below the model's, whoever was there first."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
from support.clients.world import ROOT, environment

EACH = pytest.mark.parametrize("order", ["theirs", "ours", "again"])


@pytest.fixture(scope="module")
def rounds() -> dict[str, Any]:
    """What came of one call through each client, by who was there first."""
    command = [str(environment("beside") / "python"), "-m", "support.beside.http_clients"]
    env = {**os.environ, "CHATBOT_OTEL_AI_ADDRESSES": "127.0.0.1=openai"}
    done = subprocess.run(command, cwd=ROOT / "tests", env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def with_parents(spans: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    names = {span["id"]: span["name"] for span in spans}
    return [(span["name"].split()[0], names.get(span["parent"])) for span in spans]


@EACH
def test_an_http_span_is_a_child_of_the_span_of_the_model_call(rounds: dict[str, Any], order: str) -> None:
    seen = {name: with_parents(call["spans"]) for name, call in rounds[order]["calls"].items()}
    google = "generate_content gemini-2.0-flash"
    wanted = {name: [("POST", "chat gpt-4o-mini"), ("chat", None)] for name in seen}
    wanted["google-genai"] = [("POST", google), ("generate_content", None)]
    assert seen == wanted


@EACH
def test_a_call_is_counted_once_with_its_tokens(rounds: dict[str, Any], order: str) -> None:
    for name, call in rounds[order]["calls"].items():
        [(asked, answered)] = call["told"]
        assert (call["calls"], call["errors"]) == (1, 0), name
        assert call["tokens"] == {"input": asked, "output": answered}, name


@EACH
def test_theirs_can_be_switched_off_below_ours(rounds: dict[str, Any], order: str) -> None:
    assert rounds[order]["after"] == ["chat gpt-4o-mini"]
