"""The shape of a row in the table of metrics, and the rule that turns its name into the Prometheus name.

Feeds `semconv.metrics`, the store, the exposition and the renderers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Kind(str, Enum):
    """What an instrument is in OpenTelemetry; an UP_DOWN_COUNTER is a gauge to Prometheus and to people."""

    COUNTER = "counter"
    GAUGE = "gauge"
    UP_DOWN_COUNTER = "updowncounter"
    HISTOGRAM = "histogram"

    @property
    def prometheus_type(self) -> str:
        """`counter`, `gauge` or `histogram`: the type in the Prometheus text and in `/metrics/json`."""
        return "gauge" if self is Kind.UP_DOWN_COUNTER else self.value


class Source(str, Enum):
    """What can fill a metric by itself: one of our instrumentations."""

    FLASK = "flask"
    MONGODB = "mongodb"
    REDIS = "redis"
    CACHELIB = "cachelib"
    GENAI = "genai"


SCOPE = "otel_chatbot"
"""The instrumentation scope of the package's own metrics."""

_FOREIGN = re.compile("[^a-zA-Z0-9:]+")
"""What becomes one underscore in a Prometheus name; runs of underscores too, as in both exporters."""
UNIT_SUFFIX = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "%": "percent",
}
"""What a UCUM unit adds to a Prometheus name: the units that the Python exporter and the collector agree on."""


@dataclass(frozen=True)
class MetricSpec:
    """One metric: its OpenTelemetry name, kind, UCUM unit, meaning, allowed attributes and bucket edges.

    `python` is the name of the public object for the chatbot metrics and empty for the others. `sources` fill such a metric
    in an app that does not count by hand.
    `from_start` says that the series without attributes exists at 0 before anything was recorded.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    python: str = ""
    from_start: bool = False
    sources: tuple[Source, ...] = ()

    @property
    def prometheus(self) -> str:
        """The family's Prometheus name, `_total` of counters included (OpenTelemetry's Prometheus compatibility rules)."""
        return prometheus_name(self.name, self.unit, self.kind)


def counter(
    name: str, unit: str, description: str, attributes: tuple[str, ...] = (), python: str = "", *sources: Source
) -> MetricSpec:
    """A row of a counter."""
    return MetricSpec(name, Kind.COUNTER, unit, description, attributes, (), python, bool(python), sources)


def gauge(
    name: str, unit: str, description: str, attributes: tuple[str, ...] = (), python: str = "", *sources: Source
) -> MetricSpec:
    """A row of a gauge."""
    return MetricSpec(name, Kind.GAUGE, unit, description, attributes, (), python, bool(python), sources)


def up_down(name: str, unit: str, description: str, attributes: tuple[str, ...] = ()) -> MetricSpec:
    """A row of a sum that moves up and down."""
    return MetricSpec(name, Kind.UP_DOWN_COUNTER, unit, description, attributes)


def histogram(
    name: str,
    unit: str,
    description: str,
    attributes: tuple[str, ...],
    edges: tuple[float, ...],
    python: str = "",
    *sources: Source,
) -> MetricSpec:
    """A row of a histogram."""
    return MetricSpec(name, Kind.HISTOGRAM, unit, description, attributes, edges, python, bool(python), sources)


def prometheus_name(name: str, unit: str, kind: Kind) -> str:
    """The Prometheus name that the OpenTelemetry compatibility specification gives an instrument.

    Args: a dotted instrument name, a UCUM unit (annotations in braces add nothing), the instrument's kind.
    """
    base = _FOREIGN.sub("_", name)
    if base[:1].isdigit():
        base = "_" + base
    suffix = UNIT_SUFFIX.get(unit, "")
    if suffix and not base.endswith("_" + suffix):
        base = f"{base}_{suffix}"
    if kind is Kind.COUNTER and not base.endswith("_total"):
        base += "_total"
    return base


def label_name(attribute: str) -> str:
    """An attribute's Prometheus label: dots and other foreign characters become underscores."""
    label = "".join(c if c == "_" or (c.isascii() and c.isalnum()) else "_" for c in attribute)
    return "_" + label if label[:1].isdigit() else label


_EXTRA_SAMPLES = {
    Kind.COUNTER: ("_created",),
    Kind.GAUGE: (),
    Kind.UP_DOWN_COUNTER: (),
    Kind.HISTOGRAM: ("_bucket", "_count", "_sum", "_created"),
}


def family_base(spec: MetricSpec) -> str:
    """What a metric's family is called in OpenMetrics: the Prometheus name, without the `_total` of a counter."""
    return spec.prometheus.removesuffix("_total") if spec.kind is Kind.COUNTER else spec.prometheus


def sample_names(spec: MetricSpec) -> list[str]:
    """Every name that a metric takes in the Prometheus formats; two metrics must not share one."""
    base = family_base(spec)
    return list(dict.fromkeys((spec.prometheus, base, *(base + suffix for suffix in _EXTRA_SAMPLES[spec.kind]))))
