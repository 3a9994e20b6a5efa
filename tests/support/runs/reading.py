"""Reads what an application with agents has told of itself. Feeds the tests of `genai.agents`."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from support.clients.world import ROOT, environment

Case = dict[str, Any]
MODEL = "chat gpt-4o-mini"


def cases(name: str, of: str) -> dict[str, Any]:
    """The cases of an application, run in the environment of its libraries."""
    command = [str(environment(of) / "python"), "-m", f"support.runs.{name}"]
    env = {**os.environ, "CHATBOT_OTEL_AI_ADDRESSES": "127.0.0.1=openai", "LANGSMITH_TRACING": "false"}
    done = subprocess.run(command, cwd=ROOT / "tests", env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def tree(case: Case) -> list[tuple[str, str | None]]:
    """The spans below the application's own, each with its parent, in the order of their ends."""
    return [(span["name"], span["parent"]) for span in case["spans"] if span["name"] != "app"]


def attributes(case: Case, name: str) -> dict[str, Any]:
    """Those of the span with this name."""
    [found] = [span["attributes"] for span in case["spans"] if span["name"] == name]
    return dict(found)


def an_agent_with_a_tool(name: str) -> list[tuple[str, str | None]]:
    """The tree of an agent that asks its model, runs the tool that it wants, and asks again."""
    return [(MODEL, name), ("execute_tool weather", name), (MODEL, name), (name, "app")]


def says_no_word(found: dict[str, Any]) -> None:
    """Nothing of arguments, results or exceptions is in the cases in which content is not opted in."""
    told = {name: case for name, case in found.items() if not name.endswith("with content")}
    assert "canary" not in json.dumps(told)
