"""Makes the exporters that the environment names. If one cannot be made, one clear line says so, and the rest works.

Fed by `distro.environment.SignalPlan`; feeds `distro.providers.global_providers` and `distro.metrics.export`.
"""

from __future__ import annotations

import logging
from importlib.metadata import entry_points
from typing import Any, Final

from ...semconv.attributes import Signal
from ..environment import GRPC, HTTP_PROTOBUF, OTLP, PROMETHEUS, SignalPlan
from .spool_exporters import spool_exporter

_GROUPS: Final = {
    Signal.TRACES: "opentelemetry_traces_exporter",
    Signal.METRICS: "opentelemetry_metrics_exporter",
    Signal.LOGS: "opentelemetry_logs_exporter",
}
_GRPC_MISSING = (
    "OTLP over gRPC needs the extra: pip install 'otel-chatbot[grpc]', or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
)

_logger = logging.getLogger("otel_chatbot")
_said: set[str] = set()


def make(plan: SignalPlan, signal: Signal) -> list[Any]:
    """The exporters of a signal. For metrics some may be readers: see `distro.steps.metrics_provider`."""
    # The port of Prometheus is served by `distro.process.endpoint_server`, with the figures of all processes.
    names = [name for name in plan.exporters[signal] if (signal, name) != (Signal.METRICS, PROMETHEUS)]
    made = [_make(plan, signal, name) for name in names]
    return [exporter for exporter in made if exporter is not None]


def is_quick(exporter: object) -> bool:
    """Whether an export is only a write to the disk: into the spool or a file."""
    module = type(exporter).__module__
    return module.startswith(("opentelemetry.exporter.otlp.json.file", "otel_chatbot.distro"))


def _make(plan: SignalPlan, signal: Signal, name: str) -> Any:
    try:
        if name.startswith(OTLP) and name in (OTLP, "otlp_proto_http", "otlp_proto_grpc"):
            return _otlp(plan, signal, name)
        found = next(iter(entry_points(group=_GROUPS[signal], name=name)), None)
        if found is None:
            _say(f"OTEL_{signal.value.upper()}_EXPORTER={name}: no installed package offers this exporter; it is left out")
            return None
        return found.load()()
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        _say(
            f"OTEL_{signal.value.upper()}_EXPORTER={name} cannot be used ({type(error).__name__}: {first}); it is left out; "
            "repair or reinstall its package, or take the name away"
        )
        return None


def _otlp(plan: SignalPlan, signal: Signal, name: str) -> Any:
    if plan.grpc(signal, name):
        return _grpc(signal)
    if name == OTLP and plan.protocols[signal] != HTTP_PROTOBUF:
        _say(f"OTLP protocol {plan.protocols[signal]!r} is not supported ({HTTP_PROTOBUF} and {GRPC} are); nothing is exported")
        return None
    return spool_exporter(signal)


def _grpc(signal: Signal) -> Any:
    found = next(iter(entry_points(group=_GROUPS[signal], name="otlp_proto_grpc")), None)
    if found is None:
        _say(_GRPC_MISSING)
        return None
    return found.load()()


def _say(line: str) -> None:
    if line not in _said:
        _said.add(line)
        _logger.error(line)
