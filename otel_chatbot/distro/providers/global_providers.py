"""The global providers: ours if nobody has set one; else the one that is there, with the exporters that it lacks added.

Fed by `distro.environment.SignalPlan` and `distro.delivery.exporters`; feeds the OpenTelemetry API, so every instrumentation.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from opentelemetry import _logs, metrics, trace
from opentelemetry.metrics import Meter
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.sdk._configuration import (
    _get_id_generator,
    _get_logger_configurator,
    _get_meter_configurator,
    _get_sampler,
    _get_tracer_configurator,
    _import_id_generator,
    _import_logger_configurator,
    _import_meter_configurator,
    _import_sampler,
    _import_tracer_configurator,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter

from ... import config
from ...logs.redaction import Redactor
from ...semconv.attributes import SERVICE_INSTANCE_ID
from .. import sdk_private
from ..delivery import exporters
from ..delivery.spool_exporters import SpoolLogExporter, SpoolSpanExporter
from ..delivery.trace_file import TraceFileExporter
from ..environment import SignalPlan
from .lazy_processors import LazyLogProcessor, LazySpanProcessor
from .probe_traces import ProbeTraceProcessor
from .redacting_exporters import RedactingLogExporter, RedactingSpanExporter

_SDK_METERS: Final = ("opentelemetry-sdk", "opentelemetry.sdk")
"""Meters with which the SDK measures itself."""

_Provider = TypeVar("_Provider", TracerProvider, MeterProvider, LoggerProvider)

_logger = logging.getLogger("otel_chatbot")


def set_tracer_provider(plan: SignalPlan, resource: Resource) -> TracerProvider | None:
    """Make ours the global tracer provider unless there is one; None if that one is not the SDK's."""
    found = inner(trace.get_tracer_provider(), TracerProvider)
    if isinstance(found, TracerProvider):
        return found
    if not isinstance(found, trace.ProxyTracerProvider):
        _logger.warning(
            "the tracer provider %s is not the SDK's: spans go to it, and the package exports none of them", _name(found)
        )
        return None
    made = TracerProvider(
        resource=resource,
        sampler=_import_sampler(_get_sampler()),
        id_generator=_import_id_generator(_get_id_generator()),
        shutdown_on_exit=False,
        _tracer_configurator=_import_tracer_configurator(_get_tracer_configurator()),
    )
    trace.set_tracer_provider(made)
    sdk_private.keep_resource_after_fork(made, _own_instance_id(plan))
    return made


def add_span_exporters(provider: TracerProvider, asked: Sequence[SpanExporter], plan: SignalPlan) -> list[LazySpanProcessor]:
    """Feed spans to these exporters, or to the trace file; leave out an OTLP export that the provider already has."""
    there = sdk_private.span_exporters(provider)
    wanted = [exporter for exporter in asked if not sends_the_same(exporter, there)]
    settings = config.current()
    if plan.trace_file and not there:
        wanted.append(TraceFileExporter(settings.trace_path, settings.trace_file_max_bytes))
    redactor = Redactor.from_settings(settings)
    processors = [LazySpanProcessor(_redacting(exporter, redactor), quick=exporters.is_quick(exporter)) for exporter in wanted]
    for processor in processors:
        provider.add_span_processor(ProbeTraceProcessor(processor))
    return processors


def set_logger_provider(plan: SignalPlan, resource: Resource) -> LoggerProvider | None:
    """Make ours the global logger provider unless there is one; None if that one is not the SDK's."""
    found = inner(_logs.get_logger_provider(), LoggerProvider)
    if isinstance(found, LoggerProvider):
        return found
    if not isinstance(found, _logs._internal.ProxyLoggerProvider):
        _logger.warning("the logger provider %s is not the SDK's: log records go to the log files only", _name(found))
        return None
    made = make_logger_provider(plan, resource)
    _logs.set_logger_provider(made)
    return made


def make_logger_provider(plan: SignalPlan, resource: Resource) -> LoggerProvider:
    """A logger provider of our own, not set globally."""
    made = LoggerProvider(
        resource=resource,
        shutdown_on_exit=False,
        _logger_configurator=_import_logger_configurator(_get_logger_configurator()),
    )
    sdk_private.keep_resource_after_fork(made, _own_instance_id(plan))
    return made


def add_log_exporters(provider: LoggerProvider, asked: Sequence[Any]) -> list[LazyLogProcessor]:
    """Feed log records to these exporters; leave out an OTLP export that the provider already has."""
    there = sdk_private.log_exporters(provider)
    redactor = Redactor.from_settings(config.current())
    wanted = [exporter for exporter in asked if not sends_the_same(exporter, there)]
    processors = [LazyLogProcessor(_redacting(exporter, redactor), quick=exporters.is_quick(exporter)) for exporter in wanted]
    for processor in processors:
        provider.add_log_record_processor(processor)
    return processors


class WatchedMeterProvider(MeterProvider):
    """The SDK's meter provider; it calls `on_meter` when somebody asks for a meter."""

    def __init__(self, on_meter: Callable[[], None], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._on_meter = on_meter

    def get_meter(self, name: str, *args: Any, **kwargs: Any) -> Meter:
        """A meter; see `MeterProvider.get_meter`."""
        if not name.startswith(_SDK_METERS):
            self._on_meter()
        return super().get_meter(name, *args, **kwargs)


def set_meter_provider(
    resource: Resource, readers: Sequence[MetricReader], on_meter: Callable[[], None]
) -> MeterProvider | None:
    """Make ours the global meter provider unless there is one, and attach these readers; None if it is not the SDK's.

    `on_meter` is called when other code asks for a meter, so that its figures are exported too.
    """
    found = inner(metrics.get_meter_provider(), MeterProvider)
    if isinstance(found, metrics_api._ProxyMeterProvider):
        made = WatchedMeterProvider(
            on_meter,
            metric_readers=readers,
            resource=resource,
            shutdown_on_exit=False,
            _meter_configurator=_import_meter_configurator(_get_meter_configurator()),
        )
        metrics.set_meter_provider(made)
        sdk_private.repair_after_fork(made)
        return made
    if not isinstance(found, MeterProvider):
        return None
    read_also(found, readers, on_meter)
    return found


def read_also(provider: MeterProvider, readers: Sequence[MetricReader], on_meter: Callable[[], None]) -> None:
    """Attach these readers to a meter provider that is not ours."""
    for reader in readers:
        provider.add_metric_reader(reader)
    on_meter()
    sdk_private.repair_after_fork(provider)


def inner(provider: object, kind: type[_Provider]) -> object:
    """The SDK's provider inside a tool's wrapper (logfire's `Proxy*Provider`); without a wrapper, the object itself."""
    inside = provider if isinstance(provider, kind) else getattr(provider, "provider", None)
    return inside if isinstance(inside, kind) else provider


def _redacting(exporter: Any, redactor: Redactor) -> Any:
    """The exporter behind a redacting one. Exporters to the spool stay as they are: they redact while they encode."""
    if isinstance(exporter, (SpoolSpanExporter, SpoolLogExporter)):
        return exporter
    return (RedactingSpanExporter if isinstance(exporter, SpanExporter) else RedactingLogExporter)(exporter, redactor)


def sends_the_same(exporter: object, there: Sequence[object]) -> bool:
    """Whether one of these exporters stands for another one."""
    if sdk_private.is_otlp(exporter):
        return any(sdk_private.is_otlp(other) for other in there)
    return any(type(other) is type(exporter) for other in there)


def _own_instance_id(plan: SignalPlan) -> dict[str, str]:
    given = plan.resource_attributes.get(SERVICE_INSTANCE_ID)
    return {SERVICE_INSTANCE_ID: given} if given else {}


def _name(provider: object) -> str:
    return f"{type(provider).__module__}.{type(provider).__qualname__}"
