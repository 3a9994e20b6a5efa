"""Who owns the providers is asked of an instrumented process that imports the app as a server would."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_chatbot.cli.doctor import process
from otel_chatbot.cli.doctor.findings import Finding, Status

TWICE = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
provider = TracerProvider()
for _ in range(2):
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint="http://127.0.0.1:9/v1/traces")))
trace.set_tracer_provider(provider)
"""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def found(app: str) -> dict[str, Finding]:
    return {one.name: one for one in process.providers(app)}


def test_without_an_app_each_signal_has_its_provider_and_the_rest_is_not_looked_at(tmp_path: Path) -> None:
    told = list(process.providers(""))
    assert [(one.name, one.looked_at) for one in told] == [("provider", True)] * 3 + [("app-import", False)]
    assert [one.message.partition(":")[0] for one in told[:3]] == ["traces", "metrics", "logs"]
    assert list(tmp_path.iterdir()) == []


def test_an_app_that_sends_the_same_twice_by_a_provider_of_its_own_is_a_fault_with_its_exporters() -> None:
    Path("chat.py").write_text(TWICE)
    told = found("chat.py")
    assert told["duplicate-export"].status is Status.FAILED
    assert told["duplicate-export"].message.endswith("sent twice")
    assert "OTLPSpanExporter, OTLPSpanExporter" in told["duplicate-export"].message
    assert (told["own-provider"].status, "traces" in told["own-provider"].message) == (Status.WARNING, True)
    assert "app-import" not in told


def test_an_app_that_cannot_be_imported_is_one_fault_with_the_last_line_that_it_said() -> None:
    Path("chat.py").write_text("raise RuntimeError('wants a database')")
    [one] = process.providers("chat.py")
    assert (one.name, one.status) == ("app", Status.FAILED)
    assert one.message == "chat.py cannot be started: RuntimeError: wants a database"
