"""The standard `OTEL_*` variables as a plan: read once, frozen. Our defaults fill gaps and never overrule the user.

Fed by the environment (tests pass a dict); feeds every step of `distro.steps` and `doctor`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Final

from .. import config
from ..semconv.attributes import SERVICE_NAME, Signal
from ..variables import resource

OTLP: Final = "otlp"
GRPC: Final = "grpc"
HTTP_PROTOBUF: Final = "http/protobuf"
PROMETHEUS: Final = "prometheus"

DEFAULTS: Final[Mapping[str, str]] = {
    # The SDK's own default for `otlp` is gRPC, whose package is an extra here.
    "OTEL_EXPORTER_OTLP_PROTOCOL": HTTP_PROTOBUF,
    # One vocabulary: Flask reads `http`, pymongo `database`, redis both.
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
    # The instrumentation of logging calls basicConfig for it, and then the application's own call would do nothing.
    "OTEL_PYTHON_LOG_CORRELATION": "false",
    # Its handler on the root logger has the same effect; the sink feeds records instead.
    "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false",
}

_MESSAGES: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_ON_SPANS: Final = "span_only"
"""How the setting CAPTURE_CONTENT is told to the instrumentations of AI clients."""


def set_defaults(environ: MutableMapping[str, str] = os.environ) -> None:
    """Set what the user left unset. An empty variable counts as unset, as in the specification."""
    defaults = DEFAULTS if not config.current().capture_content else {**DEFAULTS, _MESSAGES: _ON_SPANS}
    for name, value in defaults.items():
        if not environ.get(name):
            environ[name] = value


@dataclass(frozen=True)
class SignalPlan:
    """What is to be set up, according to the environment.

    `exporters` holds each signal's exporter names: what the user named, else `otlp` where an endpoint is set, else none.
    `trace_file` says that traces go to the embedded default: neither an endpoint nor an exporter was named.
    """

    disabled: bool
    config_file: str
    exporters: Mapping[Signal, tuple[str, ...]]
    protocols: Mapping[Signal, str]
    trace_file: bool
    instrumentations_off: frozenset[str]
    temporality: str
    export_interval: float
    resource_attributes: Mapping[str, str]

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> SignalPlan:
        """The plan of an environment. A value that cannot be used was replaced before, or its default holds here."""
        exporters = {signal: _exporters(environ, signal) for signal in Signal}
        return cls(
            disabled=environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true",
            config_file=environ.get("OTEL_CONFIG_FILE", "").strip(),
            exporters=exporters,
            protocols={signal: _protocol(environ, signal) for signal in Signal},
            trace_file=not environ.get("OTEL_TRACES_EXPORTER", "").strip() and not exporters[Signal.TRACES],
            instrumentations_off=frozenset(_items(environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", ""))),
            temporality=environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "").strip().lower(),
            export_interval=_interval(environ),
            resource_attributes=_resource_attributes(environ),
        )

    @property
    def exports(self) -> bool:
        """Whether any signal is to be exported."""
        return not self.disabled and any(self.exporters.values())

    def wants(self, instrumentation: str) -> bool:
        """Whether an instrumentation may run; `*` switches all of them off."""
        return not {"*", instrumentation} & self.instrumentations_off

    def over_otlp(self, signal: Signal) -> bool:
        """Whether a signal leaves by OTLP."""
        return any(name.startswith(OTLP) for name in self.exporters[signal])

    def grpc(self, signal: Signal, exporter: str) -> bool:
        """Whether this OTLP exporter is to use gRPC."""
        return exporter == "otlp_proto_grpc" or (exporter == OTLP and self.protocols[signal] == GRPC)


def endpoint(environ: Mapping[str, str], signal: Signal) -> str:
    """The OTLP endpoint of a signal, empty if none is set. The general endpoint does not contain the signal's path."""
    name = signal.value.upper()
    return (environ.get(f"OTEL_EXPORTER_OTLP_{name}_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "").strip()


def _exporters(environ: Mapping[str, str], signal: Signal) -> tuple[str, ...]:
    named = _items(environ.get(f"OTEL_{signal.value.upper()}_EXPORTER", ""))
    if not named:
        return (OTLP,) if endpoint(environ, signal) else ()
    return () if named == ("none",) else named


def _protocol(environ: Mapping[str, str], signal: Signal) -> str:
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal.value.upper()}_PROTOCOL", "")
    return (own or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or HTTP_PROTOBUF).strip().lower()


def _interval(environ: Mapping[str, str]) -> float:
    raw = environ.get("OTEL_METRIC_EXPORT_INTERVAL") or "60000"
    try:
        milliseconds = float(raw)
    except ValueError:
        milliseconds = 0.0
    return milliseconds / 1000 if 0 < milliseconds < float("inf") else 60.0


def _resource_attributes(environ: Mapping[str, str]) -> dict[str, str]:
    attributes = resource.attributes(environ.get(resource.NAME, ""))
    if environ.get("OTEL_SERVICE_NAME"):
        attributes[SERVICE_NAME] = environ["OTEL_SERVICE_NAME"]
    return attributes


def _items(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())
