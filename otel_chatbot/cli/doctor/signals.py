"""A real round trip for each signal: a test span, figure and log record are sent, and looked for where that can be asked.

Fed by the environment and by addresses on the command line; feeds `doctor.command`. They are sent as a service of their own, so that
the app's figures stay clean.
"""

from __future__ import annotations

import os
import platform
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ..._clock import monotonic
from ...distro.delivery.otlp import Target, Verdict
from ...distro.delivery.spool import Payload
from ...distro.environment import OTLP, SignalPlan, endpoint
from ...distro.process.start_line import where
from ...semconv import attributes as a
from ...semconv import operations as o
from ...semconv import prometheus as p
from ...semconv.attributes import Signal
from ...semconv.spec import SCOPE
from ..prometheus_api import PrometheusApi, PrometheusError
from . import backends
from .findings import Finding, failed, not_looked_at, well

_PAUSE = 0.25
_LOGS_INFO: Final = 9


@dataclass(frozen=True)
class Destinations:
    """Where to look for what was sent, and for how many seconds; empty: not there."""

    prometheus: str = ""
    collector: str = ""
    traces: str = ""
    wait: float = 30.0


@dataclass(frozen=True)
class RoundTrip:
    """One round trip: what was sent when, and the means to know it again."""

    now: float
    trace_id: bytes

    def body(self, signal: Signal) -> bytes:
        """The OTLP request of a signal."""
        nanoseconds = int(self.now * 1e9)
        if signal is Signal.TRACES:
            traces = ExportTraceServiceRequest()
            spans = traces.resource_spans.add()
            _describe(spans.resource)
            span = spans.scope_spans.add().spans.add(
                trace_id=self.trace_id, span_id=self.trace_id[:8], name=o.DOCTOR_SPAN, kind=1,
                start_time_unix_nano=nanoseconds, end_time_unix_nano=nanoseconds + 1_000_000,
            )  # fmt: skip
            spans.scope_spans[0].scope.name = SCOPE
            span.status.code = 1
            return bytes(traces.SerializeToString())
        if signal is Signal.METRICS:
            metrics = ExportMetricsServiceRequest()
            group = metrics.resource_metrics.add()
            _describe(group.resource)
            scope = group.scope_metrics.add()
            scope.scope.name = SCOPE
            spec = o.DOCTOR_TIME
            metric = scope.metrics.add(name=spec.name, unit=spec.unit, description=spec.description)
            metric.gauge.data_points.add(time_unix_nano=nanoseconds, as_double=self.now)
            return bytes(metrics.SerializeToString())
        logs = ExportLogsServiceRequest()
        records = logs.resource_logs.add()
        _describe(records.resource)
        record = records.scope_logs.add().log_records.add(
            time_unix_nano=nanoseconds, observed_time_unix_nano=nanoseconds, severity_number=_LOGS_INFO, severity_text="INFO",
            trace_id=self.trace_id, span_id=self.trace_id[:8],
        )  # fmt: skip
        records.scope_logs[0].scope.name = SCOPE
        record.body.string_value = f"A round trip of otel-chatbot doctor ({self.trace_id.hex()})"
        return bytes(logs.SerializeToString())


def _describe(resource: object) -> None:
    for name, value in ((a.SERVICE_NAME, o.DOCTOR_SERVICE), (a.SERVICE_INSTANCE_ID, platform.node() or "doctor")):
        resource.attributes.add(key=name).value.string_value = value  # type: ignore[attr-defined]


def signals(asked: Destinations) -> Iterator[Finding]:
    """Where each signal goes, whether the endpoint takes it, and after how many seconds it was found again."""
    plan = SignalPlan.from_env()
    trip = RoundTrip(round(time.time(), 3), secrets.token_bytes(16))
    accepted = _accepted(asked.collector) if asked.collector else {}
    sent = []
    for signal in Signal:
        yield well("signal", f"{signal.value}: {where(plan, signal, os.environ)}")
        yield from _unknown_exporters(plan, signal)
        if plan.over_otlp(signal) and not plan.disabled:
            found = _send(plan, signal, trip)
            sent += [signal] * (found.status.value == "well" and found.name == "endpoint")
            yield found
    yield from _found_again(asked, trip, sent, accepted)


def _unknown_exporters(plan: SignalPlan, signal: Signal) -> Iterator[Finding]:
    known = {OTLP, *(entry.name for entry in entry_points(group=f"opentelemetry_{signal.value}_exporter"))}
    for name in plan.exporters[signal]:
        if name not in known and not name.startswith(OTLP):
            variable = f"OTEL_{signal.value.upper()}_EXPORTER"
            yield failed("exporter", f"{variable}={name}: no installed package offers it", f"one of {', '.join(sorted(known))}")


def _send(plan: SignalPlan, signal: Signal, trip: RoundTrip) -> Finding:
    if plan.grpc(signal, plan.exporters[signal][0]):
        return _grpc(signal)
    target = Target(signal)
    started = monotonic()
    answer = target.post(Payload(signal, trip.body(signal)))
    target.close()
    if answer.verdict is Verdict.TAKEN and not answer.rejected:
        return well("endpoint", f"{target.shown} took a test of {signal.value} in {(monotonic() - started) * 1000:.0f} ms")
    reason = answer.reason or f"{answer.rejected} rejected"
    return failed("endpoint", f"{target.shown} does not take {signal.value}: {reason}", _remedy(answer.reason))


def _remedy(reason: str) -> str:
    if "401" in reason or "403" in reason:
        return "it asks for credentials: set OTEL_EXPORTER_OTLP_HEADERS"
    if "404" in reason or "405" in reason or "not OTLP" in reason:
        return "something else answers there: OTEL_EXPORTER_OTLP_ENDPOINT is the collector's address without /v1/..."
    return "see whether the collector runs there: OTEL_EXPORTER_OTLP_ENDPOINT; until it answers, telemetry waits in the spool"


def _grpc(signal: Signal) -> Finding:
    if find_spec("opentelemetry.exporter.otlp.proto.grpc") is None:
        return failed("grpc-extra", f"{signal.value}: OTLP over gRPC needs a package", "pip install 'otel-chatbot[grpc]'")
    parts = urlsplit(endpoint(os.environ, signal) or "http://localhost:4317")
    try:
        with socket.create_connection((parts.hostname or "localhost", parts.port or 4317), timeout=5):
            return well(
                "endpoint-grpc", f"{signal.value}: {parts.hostname}:{parts.port or 4317} listens; gRPC is not tried further"
            )
    except OSError as error:
        return failed("endpoint", f"{signal.value}: {parts.netloc} does not answer: {error}", _remedy(""))


def _found_again(asked: Destinations, trip: RoundTrip, sent: list[Signal], accepted: dict[Signal, float]) -> Iterator[Finding]:
    yield from _in_collector(asked, sent, accepted)
    if asked.prometheus and Signal.METRICS in sent:
        yield _await("prometheus", "the test figure in Prometheus", asked, lambda: _in_prometheus(asked.prometheus, trip.now))
    elif asked.prometheus:
        yield from backends.prometheus_alone(asked.prometheus)
    if asked.traces and Signal.TRACES in sent:
        yield _await("traces", "the test span", asked, lambda: backends.has_trace(asked.traces, trip.trace_id.hex()))
    elif asked.traces:
        yield from backends.traces_alone(asked.traces)
    options = (("--collector", asked.collector), ("--prometheus", asked.prometheus), ("--traces", asked.traces))
    if missing := [option for option, address in options if not address]:
        yield not_looked_at(
            "backends", "where telemetry arrives, apart from what is named above",
            f"name the addresses that you have: {', '.join(missing)}",
        )  # fmt: skip


def _in_collector(asked: Destinations, sent: list[Signal], accepted: dict[Signal, float]) -> Iterator[Finding]:
    if asked.collector and not sent:
        yield from backends.collector_alone(asked.collector)
        return
    for signal in sent if asked.collector else ():
        before = accepted.get(signal, 0.0)
        yield _await(
            "collector", f"{signal.value} in the collector's own figures", asked,
            lambda s=signal, b=before: _accepted(asked.collector).get(s, 0.0) > b,  # type: ignore[misc]
        )  # fmt: skip


def _in_prometheus(url: str, figure: float) -> bool:
    query = f'{o.DOCTOR_TIME.prometheus}{{{p.JOB}="{o.DOCTOR_SERVICE}"}}'
    return figure in [round(value, 3) for _, value in PrometheusApi(url).vector(query)]


def _await(name: str, what: str, asked: Destinations, condition: Callable[[], bool]) -> Finding:
    """Ask until it is there, or the time is over."""
    began = monotonic()
    end = began + asked.wait
    last = "it is not there"
    while True:
        try:
            if condition():
                return well(name, f"found {what} after {monotonic() - began:.1f} s")
            last = "it is not there"
        except (OSError, ValueError, PrometheusError) as error:
            last = str(error)
        if monotonic() > end:
            return failed(
                name,
                f"{what} was not found within {asked.wait:g} s: {last}",
                "follow it through the collector's log and queues",
            )
        time.sleep(_PAUSE)


def _accepted(url: str) -> dict[Signal, float]:
    """What the collector says that it has taken in so far, by signal; empty while it cannot be asked."""
    try:
        return backends.accepted_in(backends.metrics_of(url))
    except (OSError, ValueError):
        return {}
