"""One row per standard variable that has wrong values: its name and its check. `faults` goes through them.

Fed by `variables.checks`, `plugins` and `resource`; feeds `mending` and `doctor`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from . import resource
from .checks import Check, Problem, address, expressions, file, one_of, positive, share, stable_names, whole_number
from .plugins import offered

_USER: Final = re.compile(r"(?<=://)[^/@\s]+@|^[^/@\s]+@")
_OTLP: Final = ("OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_METRICS_", "OTEL_EXPORTER_OTLP_LOGS_")
_EXCLUDED: Final = re.compile(r"OTEL_PYTHON_(?:[A-Z0-9]+_)?EXCLUDED_URLS|OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_[A-Z_]+")
_SPEC_QUEUE: Final = 2048
_SPEC_BATCH: Final = 512


@dataclass(frozen=True)
class Fault:
    """A variable whose value cannot be used as it is. `changes` mend the environment: a value, or None to unset."""

    name: str
    line: str
    remedy: str
    changes: Mapping[str, str | None]
    harmless: bool = False
    """Whether all that it asks for is had but for what the line says."""

    def __str__(self) -> str:
        return f"{self.line}; {self.remedy}"


_LIMIT: Final = whole_number(0)
_FIRST: Final[dict[str, Check]] = {
    **dict.fromkeys(
        (
            "OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT",
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        ),
        _LIMIT,
    ),
    **{
        f"OTEL_{kind}_{name}": whole_number(1)
        for kind in ("BSP", "BLRP")
        for name in ("MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE", "SCHEDULE_DELAY", "EXPORT_TIMEOUT")
    },
    "OTEL_METRIC_EXPORT_INTERVAL": positive("milliseconds"),
    "OTEL_METRIC_EXPORT_TIMEOUT": positive("milliseconds"),
    "OTEL_METRICS_EXEMPLAR_FILTER": one_of("trace_based", "always_on", "always_off"),
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": one_of("cumulative", "delta", "lowmemory"),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": one_of(
        "explicit_bucket_histogram", "base2_exponential_bucket_histogram"
    ),
    "OTEL_EXPORTER_PROMETHEUS_PORT": whole_number(0, 65535),
    "OTEL_SDK_DISABLED": one_of("true", "false"),
    "OTEL_SEMCONV_STABILITY_OPT_IN": stable_names,
    resource.NAME: resource.check,
    **{f"{prefix}ENDPOINT": address for prefix in _OTLP},
    **{f"{prefix}TIMEOUT": positive("seconds") for prefix in _OTLP},
    **{f"{prefix}COMPRESSION": one_of("gzip", "deflate", "none") for prefix in _OTLP},
    **{f"{prefix}{name}": file for prefix in _OTLP for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")},
    # Last: what these name is imported, and so is OpenTelemetry.
    "OTEL_PROPAGATORS": offered(
        "opentelemetry_propagator", "tracecontext", "baggage", "none", several=True, makes=True
    ),
    "OTEL_PYTHON_CONTEXT": offered("opentelemetry_context", "contextvars_context", makes=True),
    "OTEL_PYTHON_TRACER_PROVIDER": offered(
        "opentelemetry_tracer_provider", "default_tracer_provider", "sdk_tracer_provider", makes=True
    ),
    "OTEL_PYTHON_METER_PROVIDER": offered(
        "opentelemetry_meter_provider", "default_meter_provider", "sdk_meter_provider", makes=True
    ),
    "OTEL_PYTHON_LOGGER_PROVIDER": offered("opentelemetry_logger_provider", "sdk_logger_provider", makes=True),
}  # fmt: skip
"""What OpenTelemetry reads while it is imported, and what costs nothing to look at."""

_SAMPLERS: Final = ("always_on", "always_off", "traceidratio")
_SDK: Final[dict[str, Check]] = {
    "OTEL_TRACES_SAMPLER": offered(
        "opentelemetry_traces_sampler", *_SAMPLERS, *(f"parentbased_{name}" for name in _SAMPLERS)
    ),
    "OTEL_TRACES_SAMPLER_ARG": share,
    "OTEL_PYTHON_ID_GENERATOR": offered("opentelemetry_id_generator", "random", makes=True),
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": offered(
        "opentelemetry_resource_detector", "*", "otel", "process", "os", "host", "service_instance", several=True, makes=True
    ),
    "OTEL_PYTHON_TRACER_CONFIGURATOR": offered("_opentelemetry_tracer_configurator"),
    "OTEL_PYTHON_METER_CONFIGURATOR": offered("_opentelemetry_meter_configurator"),
    "OTEL_PYTHON_LOGGER_CONFIGURATOR": offered("_opentelemetry_logger_configurator"),
    **dict.fromkeys(
        (
            "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER",
            "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER", "OTEL_PYTHON_EXPORTER_OTLP_HTTP_LOGS_CREDENTIAL_PROVIDER",
        ),
        offered("opentelemetry_otlp_credential_provider"),
    ),
}  # fmt: skip
"""What the SDK reads when it is set up: these names are imported to be tried."""


def blanks(environ: Mapping[str, str], *, sdk: bool) -> list[str]:
    """Names of variables that are set to nothing. An empty limit is left out: the SDK takes it for "no limit"."""
    rows = {**_FIRST, **(_SDK if sdk else {})}
    names = ["OTEL_SERVICE_NAME", *(name for name, check in rows.items() if check is not _LIMIT)]
    return [name for name in names if name in environ and not environ[name].strip()]


def faults(environ: Mapping[str, str], *, sdk: bool) -> Iterator[Fault]:
    """The faults of an environment; `sdk` asks for those of the SDK's set-up as well. A blank value counts as unset."""
    rows = {**_FIRST, **(_SDK if sdk else {})}
    rows.update((name, expressions) for name in environ if _EXCLUDED.fullmatch(name))
    for name, check in rows.items():
        value = environ.get(name, "")
        if value.strip():
            problem = check(value, environ)
            if problem is not None:
                yield _fault(name, value, problem)
    for kind in ("BSP", "BLRP"):
        yield from _batches(environ, f"OTEL_{kind}_")


def _fault(name: str, value: str, problem: Problem) -> Fault:
    if problem.kept:
        return Fault(name, _line(name, value, problem.why, problem.kept), problem.remedy, {}, harmless=name.endswith("OPT_IN"))
    using = "using the default" if problem.instead is None else f"using {problem.instead!r}"
    return Fault(name, _line(name, value, problem.why, using), problem.remedy, {name: problem.instead})


def _line(name: str, value: str, why: str, using: str) -> str:
    return f"{name}={_USER.sub('****@', value)!r} is not usable ({why}); {using}"


def _batches(environ: Mapping[str, str], prefix: str) -> Iterator[Fault]:
    """A batch that is larger than the queue: the SDK makes no processor then."""
    queue_name, batch_name = f"{prefix}MAX_QUEUE_SIZE", f"{prefix}MAX_EXPORT_BATCH_SIZE"
    queue, batch = _size(environ, queue_name, _SPEC_QUEUE), _size(environ, batch_name, _SPEC_BATCH)
    if batch > queue:
        name = batch_name if environ.get(batch_name, "").strip() else queue_name
        why = f"a batch of {batch} is larger than the queue of {queue}"
        line = _line(name, environ[name], why, f"using {batch_name}={queue}")
        yield Fault(name, line, f"set {queue_name} to {batch} or more", {batch_name: str(queue)})


def _size(environ: Mapping[str, str], name: str, default: int) -> int:
    try:
        size = int(environ.get(name, ""))
    except ValueError:
        return default
    return size if size > 0 else default
