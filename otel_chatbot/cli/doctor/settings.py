"""The settings that differ from their defaults, and names that nobody reads, with the name that may have been meant.

Fed by the environment; feeds `doctor.command`.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ... import config
from ...distro.environment import GRPC, HTTP_PROTOBUF, SignalPlan, endpoint
from ...distro.process.start_line import standard_settings
from ...semconv.attributes import Signal
from ...variables.table import faults
from .findings import Finding, failed, warning, well

_NAME = re.compile(rb"\bOTEL_[A-Z0-9_]*[A-Z0-9]\b")
_BY_LIBRARY = re.compile(r"OTEL_PYTHON_[A-Z0-9]+_EXCLUDED_URLS|OTEL_INSTRUMENTATION_[A-Z0-9]+_[A-Z0-9_]+")
"""Names that instrumentations make from a library's."""
_GRPC_PORT = ":4317"
_START = {
    "OTEL_PROPAGATORS": "; until then opentelemetry-instrument itself ends with a traceback and does not start the app",
}
"""What follows for OpenTelemetry's own command, which reads a variable before anything of ours runs."""


def settings(given: Mapping[str, str]) -> Iterator[Finding]:
    """What is set, secrets masked; what is wrong with it."""
    found = config.Settings.from_env(given)
    changed = {**found.changed(), **standard_settings(given)}
    for name, value in sorted(changed.items()):
        yield well("setting", f"{name}={value}")
    if not changed:
        yield well("setting", "all at their defaults")
    for line in found.warnings:
        unknown = "is not a setting" in line
        yield failed("setting-unknown" if unknown else "setting-value", line)
    yield from _unknown(given)
    yield from _standard(given)


def _unknown(given: Mapping[str, str]) -> Iterator[Finding]:
    asked = [name for name in given if name.startswith("OTEL_")]
    known = known_names() if asked else set()
    for name in sorted(asked):
        if name not in known and not _BY_LIBRARY.fullmatch(name):
            near = difflib.get_close_matches(name, known, 1)
            yield failed("otel-name", f"{name} is read by no installed package", f"did you mean {near[0]}?" if near else "")


def known_names() -> set[str]:
    """Every `OTEL_*` name in the installed packages' source: what they read, and a few constants that do no harm here."""
    import opentelemetry

    from ... import __file__ as ours

    folders = [*opentelemetry.__path__, os.path.dirname(ours)]
    files = (path for folder in folders for path in Path(folder).rglob("*.py"))
    return {name.decode() for path in files for name in _NAME.findall(path.read_bytes())}


def _standard(given: Mapping[str, str]) -> Iterator[Finding]:
    plan = SignalPlan.from_env(given)
    for fault in faults(given, sdk=True):
        yield (warning if fault.harmless else failed)("otel-value", fault.line, f"{fault.remedy}{_START.get(fault.name, '')}")
    if plan.temporality not in ("", "cumulative") and plan.over_otlp(Signal.METRICS):
        yield warning(
            "temporality", f"metrics are sent cumulative, not {plan.temporality}: they are merged over processes",
            "convert them with the collector's cumulativetodelta processor",
        )  # fmt: skip
    if given.get("OTEL_TRACES_SAMPLER", "").endswith("always_off"):
        yield warning("sampler", "OTEL_TRACES_SAMPLER drops every trace; metrics are not touched", "set parentbased_always_on")
    for signal in Signal:
        protocol, address = plan.protocols[signal], endpoint(given, signal)
        if protocol not in (HTTP_PROTOBUF, GRPC):
            yield failed("protocol", f"OTLP protocol {protocol!r} is not supported", f"set {HTTP_PROTOBUF}")
        elif protocol == HTTP_PROTOBUF and address.rstrip("/").endswith(_GRPC_PORT) and plan.over_otlp(signal):
            yield failed(
                "grpc-port", f"{signal.value}: port 4317 is gRPC's, and the protocol is {HTTP_PROTOBUF}",
                "use port 4318, or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc and pip install 'otel-chatbot[grpc]'",
            )  # fmt: skip
