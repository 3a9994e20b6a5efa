"""What the standard variables ask for, and the defaults that never overrule them."""

from __future__ import annotations

import pytest

from otel_chatbot.distro.environment import DEFAULTS, SignalPlan, set_defaults
from otel_chatbot.semconv.attributes import Signal

TRACES, METRICS, LOGS = Signal.TRACES, Signal.METRICS, Signal.LOGS


def test_defaults_fill_what_is_unset_or_empty_and_nothing_else() -> None:
    environ = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_SEMCONV_STABILITY_OPT_IN": ""}
    set_defaults(environ)
    assert environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc"
    assert environ["OTEL_SEMCONV_STABILITY_OPT_IN"] == "http,database"
    assert set(environ) == set(DEFAULTS)


def test_without_an_endpoint_nothing_is_exported_and_traces_go_to_a_file() -> None:
    plan = SignalPlan.from_env({})
    assert not any(plan.exporters.values())
    assert plan.trace_file


def test_an_endpoint_for_all_signals_exports_all_of_them() -> None:
    plan = SignalPlan.from_env({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
    assert plan.exporters == {TRACES: ("otlp",), METRICS: ("otlp",), LOGS: ("otlp",)}
    assert not plan.trace_file


def test_an_endpoint_for_one_signal_exports_that_one() -> None:
    plan = SignalPlan.from_env({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://collector:4318/v1/logs"})
    assert plan.exporters == {TRACES: (), METRICS: (), LOGS: ("otlp",)}
    assert plan.trace_file


@pytest.mark.parametrize("value", ["none", " none "])
def test_none_means_none_and_no_file(value: str) -> None:
    plan = SignalPlan.from_env({"OTEL_TRACES_EXPORTER": value, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
    assert plan.exporters[TRACES] == ()
    assert not plan.trace_file
    assert plan.exporters[METRICS] == ("otlp",)


def test_named_exporters_are_taken_as_they_are() -> None:
    plan = SignalPlan.from_env({"OTEL_TRACES_EXPORTER": "console, otlp", "OTEL_METRICS_EXPORTER": "prometheus"})
    assert plan.exporters[TRACES] == ("console", "otlp")
    assert plan.exporters[METRICS] == ("prometheus",)
    assert not plan.trace_file


def test_grpc_is_asked_for_by_protocol_of_a_signal_or_of_all_or_by_name() -> None:
    by_signal = SignalPlan.from_env({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"})
    assert by_signal.grpc(TRACES, "otlp")
    assert not by_signal.grpc(LOGS, "otlp")
    assert SignalPlan.from_env({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}).grpc(LOGS, "otlp")
    assert SignalPlan.from_env({}).grpc(METRICS, "otlp_proto_grpc")


def test_disabled_instrumentations_are_those_named_or_all() -> None:
    plan = SignalPlan.from_env({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask , redis"})
    assert not plan.wants("flask")
    assert not plan.wants("redis")
    assert plan.wants("pymongo")
    assert not SignalPlan.from_env({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"}).wants("pymongo")


def test_an_unusable_interval_leaves_the_default() -> None:
    assert SignalPlan.from_env({"OTEL_METRIC_EXPORT_INTERVAL": "soon"}).export_interval == 60
    assert SignalPlan.from_env({"OTEL_METRIC_EXPORT_INTERVAL": "250"}).export_interval == 0.25
