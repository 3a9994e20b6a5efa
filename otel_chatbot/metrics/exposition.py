"""Writes the figures out: Prometheus text, OpenMetrics, JSON.

Fed by `metrics.view.read()`; feeds `/metrics`, `/metrics/json` and the application. Pure functions.

The text is not written by prometheus_client: its encoder handles every sample as an object, which takes several times as
long, and its import costs tens of milliseconds. In the tests, its parsers read back the text that is written here.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import accumulate, repeat
from typing import Any, Final, TypeVar

from ..semconv.spec import UNIT_SUFFIX, Kind, MetricSpec, family_base, label_name, sample_names
from .series import Exemplar
from .view import Family, HistogramPoint, Point

_logger = logging.getLogger("otel_chatbot")
_warned: set[str] = set()
_P = TypeVar("_P", Point, HistogramPoint)

_LARGEST_INT: Final = float(2**53)
_RESERVED: Final = {"le": "le_", "quantile": "quantile_"}


def prometheus_text(families: Iterable[Family]) -> bytes:
    """The Prometheus text format 0.0.4 (and 1.0.0: all names are of the old alphabet)."""
    out: list[str] = []
    for family in _one_per_name(families):
        spec = family.spec
        name = spec.prometheus
        out.append(f"# HELP {name} {_help(spec)}\n# TYPE {name} {spec.kind.prometheus_type}\n")
        _write_points(out, spec, family.points)
        _write_histograms(out, name, family)
    return "".join(out).encode()


def openmetrics_text(families: Iterable[Family]) -> bytes:
    """OpenMetrics 1.0, with exemplars."""
    out: list[str] = []
    for family in _one_per_name(families):
        spec = family.spec
        base = family_base(spec)
        out.append(f"# TYPE {base} {spec.kind.prometheus_type}\n")
        unit = UNIT_SUFFIX.get(spec.unit)
        if unit and base.endswith("_" + unit):
            out.append(f"# UNIT {base} {unit}\n")
        out.append("# HELP {} {}\n".format(base, _help(spec).replace('"', r"\"")))
        _write_points(out, spec, family.points)
        _write_histograms(out, base, family, exemplars=True)
    out.append("# EOF\n")
    return "".join(out).encode()


def metrics_json(families: Iterable[Family]) -> dict[str, dict[str, Any]]:
    """Figures by Prometheus name, summed over the attributes: `type` and `value`, or what `histogram_json` gives."""
    figures: dict[str, dict[str, Any]] = {}
    for family in _one_per_name(families):
        spec = family.spec
        kind = spec.kind.prometheus_type
        if spec.kind is Kind.HISTOGRAM:
            total = _total([point.sum for point in family.histograms if math.isfinite(point.sum)])
            counts = [sum(column) for column in zip(*(point.counts for point in family.histograms), strict=True)]
            figures[spec.prometheus] = {"type": kind, **histogram_json(spec.buckets, total, counts)}
        else:
            value = sum(point.value for point in family.points)
            figures[spec.prometheus] = {"type": kind, "value": plain(value) if math.isfinite(value) else None}
    return figures


def histogram_json(edges: tuple[float, ...], total: float, counts: list[int]) -> dict[str, Any]:
    """`count`, `sum`, `avg` (0 without observations) and `buckets`: cumulative, by upper edge as text, the last `+Inf`."""
    upto = list(accumulate(counts)) or [0] * (len(edges) + 1)
    count = upto[-1]
    return {
        "count": count,
        "sum": plain(total),
        "avg": plain(total / count) if count else 0,
        "buckets": dict(zip(_edges(edges), upto, strict=True)),
    }


def _total(sums: list[float]) -> float:
    """An exact sum; if it is beyond all floats, the largest float, because JSON cannot say infinity."""
    try:
        return math.fsum(sums)
    except OverflowError:
        return math.copysign(sys.float_info.max, sum(sums))


def plain(value: float) -> float:
    """A whole number as an int, so that it reads like a count."""
    return int(value) if -_LARGEST_INT <= value <= _LARGEST_INT and value == int(value) else value


def _write_points(out: list[str], spec: MetricSpec, points: list[Point]) -> None:
    name = spec.prometheus
    for labels, point in _labelled(spec, points, _add_points):
        out.append(f"{name}{{{labels}}} {_text(point.value)}\n" if labels else f"{name} {_text(point.value)}\n")


def _write_histograms(out: list[str], name: str, family: Family, *, exemplars: bool = False) -> None:
    edges = _edges(family.spec.buckets)
    for labels, point in _labelled(family.spec, family.histograms, _add_histograms):
        comma = labels and labels + ","
        shown = point.exemplars if exemplars else repeat(None, len(edges))
        out += [
            f'{name}_bucket{{{comma}le="{edge}"}} {count}{_exemplar(exemplar) if exemplar else ""}\n'
            for edge, count, exemplar in zip(edges, accumulate(point.counts), shown, strict=True)
        ]
        braced = labels and f"{{{labels}}}"
        out.append(f"{name}_count{braced} {point.count}\n{name}_sum{braced} {_text(point.sum)}\n")


def _text(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def _exemplar(exemplar: Exemplar) -> str:
    value, trace_id, span_id, time = exemplar
    return f' # {{trace_id="{trace_id:032x}",span_id="{span_id:016x}"}} {_text(value)} {time!r}'


def _help(spec: MetricSpec) -> str:
    """One line; a metric without a description is described by its name."""
    return _clean(" ".join(spec.description.split()) or spec.name).replace("\\", r"\\")


@lru_cache(maxsize=256)
def _edges(buckets: tuple[float, ...]) -> tuple[str, ...]:
    """The upper edges as text, `+Inf` at the end."""
    return (*map(_edge, buckets), "+Inf")


def _edge(value: float) -> str:
    """An edge in Go's notation, which Prometheus uses: with an exponent from a million on."""
    text = repr(value)
    if value < 1e6 or "e" in text:
        return text
    whole, _, fraction = text.partition(".")
    digits = (whole + fraction).rstrip("0")
    point = "." if len(digits) > 1 else ""
    return f"{digits[0]}{point}{digits[1:]}e+{len(whole) - 1:02}"


def _labelled(spec: MetricSpec, points: list[_P], add: Callable[[_P, _P], _P]) -> Iterable[tuple[str, _P]]:
    """Each point with its labels as text. Points with equal labels are added up, or Prometheus would refuse them all."""
    plain_names = len({*map(_label, spec.attributes)}) == len(spec.attributes)
    orders: set[tuple[str, ...]] = {tuple(point.attributes) for point in points}
    one_order = len({*map(frozenset, orders)}) == len(orders)
    write = _labels if plain_names and one_order else _joined_labels  # the latter sorts: {a, b} is the series of {b, a}
    pairs = [(write(point.attributes), point) for point in points]
    unique: dict[str, _P] = dict(pairs)
    if len(unique) == len(pairs):
        return pairs
    unique.clear()
    for labels, point in pairs:
        unique[labels] = add(unique[labels], point) if labels in unique else point
    return unique.items()


def _add_points(one: Point, other: Point) -> Point:
    return Point(one.attributes, one.value + other.value)


def _add_histograms(one: HistogramPoint, other: HistogramPoint) -> HistogramPoint:
    counts = [x + y for x, y in zip(one.counts, other.counts, strict=True)]
    return HistogramPoint(one.attributes, one.sum + other.sum, counts, one.exemplars)


def _labels(attributes: Mapping[str, object]) -> str:
    if not attributes:
        return ""
    return ",".join([_pair(name, str(value)) for name, value in attributes.items() if value != ""])


def _joined_labels(attributes: Mapping[str, object]) -> str:
    """Labels if several attributes share one: their values are joined (OpenTelemetry's Prometheus compatibility rules)."""
    values: dict[str, list[str]] = {}
    for name in sorted(attributes):
        values.setdefault(_label(name), []).append(str(attributes[name]))
    return _labels({label: ";".join(parts) for label, parts in values.items()})


@lru_cache(maxsize=50_000)
def _pair(name: str, value: str) -> str:
    escaped = _clean(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'{_label(name)}="{escaped}"'


@lru_cache(maxsize=1000)
def _label(name: str) -> str:
    label = label_name(name)
    if not label or label.startswith("__"):  # Prometheus keeps such names for itself
        label = "_" + label.lstrip("_")
    return _RESERVED.get(label, label)


def _clean(text: str) -> str:
    """Text that UTF-8 can hold: a lone surrogate becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _one_per_name(families: Iterable[Family]) -> Iterable[Family]:
    """The families, one per name: other libraries may use a name that is already taken, and that family is left out."""
    taken: dict[str, str] = {}
    for family in families:
        names = sample_names(family.spec)
        owner = next((taken[name] for name in names if name in taken), None)
        if owner is None:
            taken.update(dict.fromkeys(names, family.spec.name))
            yield family
        elif family.spec.name not in _warned:
            _warned.add(family.spec.name)
            _logger.warning(
                "%s is not shown by /metrics: its Prometheus name %s belongs to %s",
                family.spec.name,
                family.spec.prometheus,
                owner,
            )
