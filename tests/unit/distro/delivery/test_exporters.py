"""The exporters that the environment names are made; one that cannot be made costs one clear line, and the others stay."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
from opentelemetry.sdk.trace.export import ConsoleSpanExporter
from support.distro import plant

from otel_chatbot.distro.delivery import exporters
from otel_chatbot.distro.delivery.spool_exporters import SpoolLogExporter, SpoolMetricExporter, SpoolSpanExporter
from otel_chatbot.distro.delivery.trace_file import TraceFileExporter
from otel_chatbot.distro.environment import SignalPlan
from otel_chatbot.semconv.attributes import Signal


@pytest.fixture(autouse=True)
def nothing_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporters, "_said", set())


def made(signal: Signal, names: str, **environ: str) -> list[type]:
    plan = SignalPlan.from_env({f"OTEL_{signal.value.upper()}_EXPORTER": names, **environ})
    return [type(exporter) for exporter in exporters.make(plan, signal)]


@pytest.mark.parametrize(
    ("signal", "console", "spool"),
    [
        (Signal.TRACES, ConsoleSpanExporter, SpoolSpanExporter),
        (Signal.METRICS, ConsoleMetricExporter, SpoolMetricExporter),
        (Signal.LOGS, ConsoleLogRecordExporter, SpoolLogExporter),
    ],
)
def test_otlp_goes_by_the_spool_and_any_other_name_is_what_a_package_offers(signal: Signal, console: type, spool: type) -> None:
    assert made(signal, "console,otlp") == [console, spool]
    assert made(signal, "otlp_proto_http") == [spool]
    assert made(signal, "none") == []
    assert made(signal, "") == []


def test_prometheus_is_served_by_us_as_metrics_and_no_exporter_of_another_signal(caplog: pytest.LogCaptureFixture) -> None:
    assert made(Signal.METRICS, "prometheus,console") == [ConsoleMetricExporter]
    assert caplog.messages == []
    assert made(Signal.TRACES, "prometheus") == []
    assert "OTEL_TRACES_EXPORTER=prometheus: no installed package offers this exporter" in caplog.text


def test_a_name_that_nobody_offers_is_said_once_and_the_others_stay(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert made(Signal.LOGS, "zipkin,console") == [ConsoleLogRecordExporter]
    assert caplog.messages == ["OTEL_LOGS_EXPORTER=zipkin: no installed package offers this exporter; it is left out"]


def test_an_exporter_that_breaks_is_said_in_one_line_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    point = {"opentelemetry_traces_exporter": "half = half_an_exporter:Exporter"}
    source = "class Exporter:\n    def __init__(self):\n        raise RuntimeError('wants a server\\nand more')"
    monkeypatch.syspath_prepend(str(plant(tmp_path, "half_an_exporter", source, point)))
    importlib.invalidate_caches()
    assert made(Signal.TRACES, "half,console") == [ConsoleSpanExporter]
    [line] = caplog.messages
    assert line.startswith("OTEL_TRACES_EXPORTER=half cannot be used (RuntimeError: wants a server); it is left out; ")
    assert line.endswith("repair or reinstall its package, or take the name away")


def test_a_protocol_that_is_not_supported_exports_nothing_and_says_which_are(caplog: pytest.LogCaptureFixture) -> None:
    assert made(Signal.TRACES, "otlp", OTEL_EXPORTER_OTLP_PROTOCOL="http/json") == []
    assert caplog.messages == ["OTLP protocol 'http/json' is not supported (http/protobuf and grpc are); nothing is exported"]


@pytest.mark.parametrize(("names", "protocol"), [("otlp_proto_grpc", "http/protobuf"), ("otlp", "grpc")])
def test_grpc_without_its_package_says_what_to_install(
    names: str, protocol: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exporters, "entry_points", lambda **_: ())
    assert made(Signal.TRACES, names, OTEL_EXPORTER_OTLP_PROTOCOL=protocol) == []
    [line] = caplog.messages
    assert "pip install 'otel-chatbot[grpc]'" in line


def test_what_writes_to_the_disk_is_quick_and_anything_else_is_not(tmp_path: Path) -> None:
    plan = SignalPlan.from_env({"OTEL_TRACES_EXPORTER": "otlp,console"})
    assert [exporters.is_quick(exporter) for exporter in exporters.make(plan, Signal.TRACES)] == [True, False]
    assert exporters.is_quick(TraceFileExporter(str(tmp_path / "t"), 100))
