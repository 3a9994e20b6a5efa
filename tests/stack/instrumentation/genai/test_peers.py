"""Beside other tools: one set of spans, no warning, nothing lost, whoever sets a provider first.

The tools themselves (logfire, OpenLLMetry) are installed for `make proof`, into an environment of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.chat import ChatClient
from support.model import ModelServer
from support.process import Process, free_port, wait_for
from support.stack import Span, spans_of

ROOT = Path(__file__).resolve().parents[4]
APP = Path(__file__).resolve().parents[2] / "apps" / "beside.py"
START = "import sys; from opentelemetry.instrumentation.auto_instrumentation import run; sys.argv[0] = 'otel'; run()"
LOUD = ("Overriding", "telemetry fault", "not the SDK's", "already", "Traceback", "Failed to detach", "no spans")


@pytest.fixture(scope="session")
def peers(scale: int) -> Path:
    """The Python of an environment that holds the other tools, on top of this one."""
    assert scale > 1, "installing them takes minutes"
    home = ROOT / ".cache" / "peers"
    python = home / "bin" / "python"
    locked = ROOT / "requirements" / "peers.txt"
    stamp = home / "installed"
    if not stamp.exists() or stamp.read_text() != locked.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", str(locked)]
        subprocess.run(install, check=True, timeout=900)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "--no-deps", "-e", str(ROOT)], check=True, timeout=300)
        stamp.write_text(locked.read_text())
    return python


class Beside:
    """The app with its tool, run once; what it left in each place."""

    def __init__(self, folder: Path, python: str, tool: str, *, inside: bool) -> None:
        self.kept_path = folder / "kept.jsonl"
        port = free_port()
        with ModelServer(folder) as model:
            env = {
                "TOOL": tool, "KEPT": str(self.kept_path), "PORT": str(port), "CHATBOT_OTEL_LOG_DIR": str(folder / "logs"),
                "OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "k", "OTEL_BSP_SCHEDULE_DELAY": "100",
                # The stock loader activates these, and OpenLLMetry would once more.
                "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "requests,urllib3,threading,sqlalchemy",
            }  # fmt: skip
            front = [] if inside else ["-c", START, python]
            with Process([python, *front, str(APP)], folder, env | ({"INSIDE": "1"} if inside else {}), name="beside") as app:
                client = ChatClient(port)
                app.wait(lambda: "Running on" in app.stderr, "the app", timeout=60)
                self.reply = client.post("/chat", {})
                self.samples = client.get("/metrics").text
                self.read = client.get("/read").json
                wait_for(lambda: any(span["name"] == "POST /chat" for span in self.kept), "the tool's spans")
                self.calls = model.calls(2)  # type: ignore[attr-defined]
                app.end()
                self.stderr = app.stderr
        traces = sorted((folder / "logs").glob("traces*jsonl"))
        self.file: list[Span] = [
            span for path in traces for line in path.read_text().splitlines() for span in spans_of(json.loads(line))
        ]

    @property
    def kept(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.kept_path.read_text().splitlines()] if self.kept_path.exists() else []

    def of_the_chat(self) -> list[dict[str, Any]]:
        [server] = [span for span in self.kept if span["name"] == "POST /chat"]
        return [span for span in self.kept if span["trace"] == server["trace"]]

    def total(self, name: str) -> float:
        families = text_string_to_metric_families(self.samples)
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def check(beside: Beside) -> None:
    """What holds beside every tool."""
    assert beside.reply.status == 200
    assert [line for line in beside.stderr.splitlines() if any(word in line for word in LOUD)] == []
    spans = beside.of_the_chat()
    assert {span["parent"] for span in spans} <= {"", *(span["span"] for span in spans)}, "a span's parent is missing"
    assert "thinking" in {span["name"] for span in spans}
    assert beside.total("chatbot_ai_response_time_seconds_count") == 2
    assert beside.total("gen_ai_client_operation_duration_seconds_count") == 2
    told = sum(call.prompt_tokens + call.completion_tokens for call in beside.calls)
    assert beside.total("gen_ai_client_token_usage_sum") == told
    assert beside.total("beside_turns_total") == 1
    if beside.file:
        trace = {span.span_id for span in beside.file}
        assert {span.parent_id for span in beside.file} <= {"", *trace}


@pytest.mark.parametrize("inside", [False, True], ids=["ours first", "theirs first"])
def test_providers_made_by_hand_are_used_whoever_comes_first(tmp_path: Path, inside: bool) -> None:
    beside = Beside(tmp_path, sys.executable, "hand", inside=inside)
    check(beside)
    spans = beside.of_the_chat()
    assert sorted(span["name"] for span in spans) == ["POST /chat", "chat gpt-4o-mini", "chat gpt-4o-mini", "thinking"]
    assert {span["service"] for span in spans} == {"by-hand"}
    assert {"beside.turns", "chatbot.api.requests"} <= set(beside.read)
    if not inside:
        assert {span.span_id for span in beside.file if span.trace_id == spans[0]["trace"]} == {span["span"] for span in spans}


@pytest.mark.parametrize("inside", [False, True], ids=["ours first", "theirs first"])
def test_an_instrumentor_of_openai_that_the_app_activates_itself_makes_no_second_set_of_spans(
    tmp_path: Path, inside: bool
) -> None:
    beside = Beside(tmp_path, sys.executable, "upstream", inside=inside)
    if not inside:  # OpenTelemetry's own words for a second activation
        beside.stderr = beside.stderr.replace("Attempting to instrument while already instrumented", "")
    check(beside)
    assert sorted(span["name"] for span in beside.of_the_chat() if "gpt" in span["name"]) == ["chat gpt-4o-mini"] * 2


if int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1")) > 1:  # in `make proof`

    @pytest.mark.parametrize("inside", [False, True], ids=["ours first", "theirs first"])
    @pytest.mark.parametrize("tool", ["logfire", "traceloop"])
    def test_the_tools_themselves(tmp_path: Path, peers: Path, tool: str, inside: bool) -> None:
        beside = Beside(tmp_path, str(peers), tool, inside=inside)
        check(beside)
        theirs = [
            span for span in beside.of_the_chat() if span["scope"] not in ("beside", "opentelemetry.instrumentation.flask")
        ]
        assert theirs, "the tool has no spans of the model"
        assert {span["scope"] for span in theirs} == {
            "logfire.openai" if tool == "logfire" else "opentelemetry.instrumentation.openai.v1"
        }
        calls = [
            span for span in theirs if not span["name"].startswith("streaming response")
        ]  # logfire tells the end of a stream
        assert len(calls) == 2
