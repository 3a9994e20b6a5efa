"""The providers: ours where there is none, else the one that is there, with what it lacks, and nothing exported twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from otel_chatbot import config
from otel_chatbot.distro import sdk_private
from otel_chatbot.distro.delivery.spool_exporters import spool_exporter
from otel_chatbot.distro.environment import SignalPlan
from otel_chatbot.distro.providers import global_providers as providers
from otel_chatbot.semconv.attributes import Signal

PLAN = SignalPlan.from_env({})
RESOURCE = Resource({"service.name": "chat"})


class Foreign:
    """A provider that is not the SDK's."""


class Wrapping:
    """A tool's own provider, which hands everything on to the SDK's."""

    def __init__(self, provider: object) -> None:
        self.provider = provider


def test_a_provider_of_the_sdk_is_used_as_it_is_also_inside_a_tools_own(monkeypatch: pytest.MonkeyPatch) -> None:
    tracers, loggers = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
    for there in (tracers, Wrapping(tracers)):
        monkeypatch.setattr(trace, "get_tracer_provider", lambda there=there: there)
        assert providers.set_tracer_provider(PLAN, RESOURCE) is tracers
    for there in (loggers, Wrapping(loggers)):
        monkeypatch.setattr(_logs, "get_logger_provider", lambda there=there: there)
        assert providers.set_logger_provider(PLAN, RESOURCE) is loggers


def test_a_provider_that_is_not_the_sdks_stays_and_what_that_costs_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for room, name in ((trace, "get_tracer_provider"), (_logs, "get_logger_provider"), (metrics, "get_meter_provider")):
        monkeypatch.setattr(room, name, Foreign)
    assert providers.set_tracer_provider(PLAN, RESOURCE) is None
    assert providers.set_logger_provider(PLAN, RESOURCE) is None
    assert providers.set_meter_provider(RESOURCE, [], lambda: None) is None
    assert [f"{__name__}.Foreign is not the SDK's" in line for line in caplog.messages] == [True, True]


def test_where_there_is_none_ours_is_set_with_our_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr(trace, "get_tracer_provider", trace.ProxyTracerProvider)
    monkeypatch.setattr(trace, "set_tracer_provider", made.append)
    monkeypatch.setattr(_logs, "get_logger_provider", _logs._internal.ProxyLoggerProvider)
    monkeypatch.setattr(_logs, "set_logger_provider", made.append)
    monkeypatch.setattr(metrics, "get_meter_provider", metrics._internal._ProxyMeterProvider)
    monkeypatch.setattr(metrics, "set_meter_provider", made.append)
    found = [
        providers.set_tracer_provider(PLAN, RESOURCE),
        providers.set_logger_provider(PLAN, RESOURCE),
        providers.set_meter_provider(RESOURCE, [], lambda: None),
    ]
    assert found == made
    tracers, loggers, meters = found
    assert isinstance(tracers, TracerProvider)
    assert isinstance(loggers, LoggerProvider)
    assert isinstance(meters, providers.WatchedMeterProvider)
    resources = (sdk_private.resource_of(tracers), loggers.resource, sdk_private.resource_of(meters))
    assert [resource.attributes["service.name"] for resource in resources] == ["chat"] * 3


def test_a_meter_provider_of_the_app_is_read_and_its_figures_leave() -> None:
    provider, reader, told = MeterProvider(shutdown_on_exit=False), InMemoryMetricReader(), []
    provider.get_meter("app").create_counter("orders").add(3)
    providers.read_also(provider, [reader], lambda: told.append(1))
    provider.get_meter("app").create_counter("sold").add(2)
    assert told == [1]
    assert reader.get_metrics_data() is not None
    provider.shutdown()


def test_our_meter_provider_tells_when_somebody_measures_and_not_when_the_sdk_measures_itself() -> None:
    told: list[int] = []
    provider = providers.WatchedMeterProvider(lambda: told.append(1), shutdown_on_exit=False)
    provider.get_meter("opentelemetry-sdk")
    provider.get_meter("opentelemetry.sdk.trace")
    assert told == []
    provider.get_meter("app", version="1")
    assert told == [1]
    provider.shutdown()


def test_an_export_that_a_provider_already_has_is_not_added_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config.Settings(log_dir=str(tmp_path))
    monkeypatch.setattr(config, "current", lambda: settings)
    theirs = TracerProvider(shutdown_on_exit=False)
    theirs.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    ours, console = spool_exporter(Signal.TRACES), ConsoleSpanExporter()
    added = providers.add_span_exporters(theirs, [ours, console], PLAN)
    assert len(added) == 1, "the console alone: theirs sends over OTLP, and the trace file is for those who export nothing"
    alone = TracerProvider(shutdown_on_exit=False)
    assert len(providers.add_span_exporters(alone, [ours, console], PLAN)) == 3
    sending = SignalPlan.from_env({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
    assert len(providers.add_span_exporters(TracerProvider(shutdown_on_exit=False), [ours], sending)) == 1
    logs = LoggerProvider(shutdown_on_exit=False)
    logs.add_log_record_processor(SimpleLogRecordProcessor(ConsoleLogRecordExporter()))
    assert len(providers.add_log_exporters(logs, [ConsoleLogRecordExporter(), spool_exporter(Signal.LOGS)])) == 1


def test_an_exporter_stands_for_another_of_its_kind_and_all_of_otlp_for_each_other() -> None:
    otlp, ours, console = OTLPSpanExporter(), spool_exporter(Signal.TRACES), ConsoleSpanExporter()
    assert providers.sends_the_same(ours, [otlp])
    assert providers.sends_the_same(otlp, [ours])
    assert providers.sends_the_same(ConsoleSpanExporter(), [console])
    assert not providers.sends_the_same(console, [otlp, ours])
    assert not providers.sends_the_same(ours, [])
