"""`otel-chatbot mark` leaves a deployment or a rollback as a span with an event, and says when it left none."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from support.process import clean_env, program

from otel_chatbot.testing import OtlpSink, attributes


def mark(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [program("otel-chatbot", "install the package"), "mark", *words]
    return subprocess.run(command, cwd=folder, env=clean_env(env), capture_output=True, text=True, timeout=60)


def test_a_rollback_that_failed_is_sent_with_both_versions_as_the_version_that_runs(
    tmp_path: Path, otlp_sink: OtlpSink
) -> None:
    words = ("rollback", "--version", "1.9", "--previous", "2.0", "--failed")
    done = mark(tmp_path, *words, OTEL_EXPORTER_OTLP_ENDPOINT=otlp_sink.endpoint, OTEL_RESOURCE_ATTRIBUTES="team=a")
    assert (done.returncode, done.stdout) == (0, "marked: rollback 1.9\n"), done.stderr
    [(resource, span)] = otlp_sink.spans_with_resource()
    assert (resource["service.version"], resource["team"]) == ("1.9", "a")
    told = attributes(span.attributes)
    assert (told["deployment.name"], told["deployment.status"], told["service.version"]) == ("rollback", "failed", "1.9")
    assert "2.0" in told.values()
    assert attributes(span.events[0].attributes) == told


def test_without_an_endpoint_it_is_in_the_trace_file(tmp_path: Path) -> None:
    done = mark(tmp_path, "deploy", "--version", "2.0", OTEL_RESOURCE_ATTRIBUTES="service.version=9")
    assert done.returncode == 0, done.stderr
    [line] = (tmp_path / "logs" / "traces.otlp.jsonl").read_text().splitlines()
    [group] = json.loads(line)["resourceSpans"]
    [span] = group["scopeSpans"][0]["spans"]
    told = values(span)
    assert (told["deployment.name"], told["deployment.status"], told["service.version"]) == ("deploy", "succeeded", "2.0")
    assert values(group["resource"])["service.version"] == "9", "what the user named wins"


def values(holder: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in holder["attributes"]}


def test_with_the_sdk_off_there_is_no_span_and_that_is_said(tmp_path: Path) -> None:
    done = mark(tmp_path, "deploy", "--version", "2.0", OTEL_SDK_DISABLED="true")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no span was recorded: OTEL_SDK_DISABLED is set, or the sampler dropped it" in done.stderr
