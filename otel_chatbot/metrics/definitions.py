"""Definitions: the names that the application may give to metrics, and the table row made from each definition.

Fed by the constructors in `metrics.instruments`; feeds the store and the listeners, which are told of every new definition.
A bad definition is a programming error and raises `ValueError` with the name, what is wrong and the remedy.
"""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Final

from ..semconv import metrics as m
from ..semconv.spec import UNIT_SUFFIX, Kind, MetricSpec, label_name, prometheus_name, sample_names
from .store import STORE

_logger = logging.getLogger("otel_chatbot")

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\-/]{0,254}")  # the syntax of OpenTelemetry's instrument names
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_TOTAL: Final = re.compile(r"[._]total$")
_RESERVED_LABELS: Final = frozenset({"le", "quantile"})
_RESERVED_PREFIXES: Final = ("__", "otel_scope_", "otel_metric_", "target_info")


class Definitions:
    """Every metric that the application can name, by Prometheus name. `listeners` are told of each new one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._specs: dict[str, MetricSpec] = {}
        self._taken: dict[str, str] = {}
        self.listeners: list[Callable[[MetricSpec], None]] = []
        for spec in m.ALL:
            self._keep(spec)

    def all(self) -> list[MetricSpec]:
        """Every metric defined so far, the package's own first."""
        with self._lock:
            return list(self._specs.values())

    def define(
        self,
        kind: Kind,
        name: str,
        *,
        description: str,
        unit: str,
        attributes: Iterable[str],
        edges: Iterable[float] | None,
    ) -> MetricSpec:
        """The row of a metric. The same name and kind give the same row, as in a second import."""
        name = _checked_name(kind, name)
        _check_unit(kind, name, unit)
        with self._lock:
            prometheus = prometheus_name(name, unit, kind)
            known = self._specs.get(prometheus)
            if known is not None:
                return _same(known, kind, name, tuple(attributes), None if edges is None else tuple(edges))
            buckets = _checked_edges(name, m.SLOW_EDGES if edges is None else edges) if kind is Kind.HISTOGRAM else ()
            spec = MetricSpec(
                name, kind, unit, str(description), _checked_attributes(name, attributes), buckets, from_start=True
            )
            self._check_free(spec)
            self._keep(spec)
            STORE.instrument(spec)
            listeners = list(self.listeners)
        for listener in listeners:
            listener(spec)
        return spec

    def _check_free(self, spec: MetricSpec) -> None:
        for sample in (spec.name.lower(), *sample_names(spec)):  # OpenTelemetry's names ignore case
            owner = self._taken.get(sample)
            if owner is not None:
                raise ValueError(f"metric {spec.name!r}: the name {sample!r} belongs to {owner!r} already; choose another name")

    def _keep(self, spec: MetricSpec) -> None:
        self._specs[spec.prometheus] = spec
        for sample in (spec.name.lower(), *sample_names(spec)):
            self._taken.setdefault(sample, spec.name)


def _same(known: MetricSpec, kind: Kind, name: str, attributes: tuple[str, ...], edges: tuple[float, ...] | None) -> MetricSpec:
    if known.kind is not kind:
        raise ValueError(
            f"metric {name!r} is a {known.kind.value} already and cannot become a {kind.value}; choose another name"
        )
    if not known.python and known in m.ALL:
        raise ValueError(f"metric {name!r} is recorded by the package itself; choose another name")
    if (attributes and set(attributes) != set(known.attributes)) or (edges is not None and edges != known.buckets):
        _logger.warning("metric %r was defined before with other attributes or buckets; the first definition stays", name)
    return known


def _checked_name(kind: Kind, name: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"metric {name!r} is not a usable name; use letters, digits, '_', '.', '-' and '/', starting with a letter, "
            "at most 255 characters"
        )
    if kind is not Kind.COUNTER:
        if _TOTAL.search(name):
            raise ValueError(f"metric {name!r} is no counter: '_total' marks counters; leave it out")
        return name
    # The suffix comes back in the Prometheus name; elsewhere in a name the collector would move it to the end.
    name = _TOTAL.sub("", name)
    if "total" in re.split("[^a-z]", name.lower()):
        raise ValueError(f"counter {name!r}: 'total' may only stand at the end, where it is added by itself; leave it out")
    return name


def _check_unit(kind: Kind, name: str, unit: str) -> None:
    if not isinstance(unit, str):
        raise ValueError(f"metric {name!r}: unit {unit!r} is no text; leave it out where there is none")  # noqa: TRY004 - one kind of error
    if unit == "1" and kind is Kind.GAUGE:
        raise ValueError(
            f"gauge {name!r}: unit '1' becomes '_ratio' in the collector alone; use an annotation like '{{ratio}}'"
        )
    if unit and unit != "1" and unit not in UNIT_SUFFIX and not re.fullmatch(r"\{[ -z|~]*\}", unit):
        raise ValueError(
            f"metric {name!r}: unit {unit!r} is not known; use an annotation like '{{{unit.strip('{}')}}}' or one of "
            f"{', '.join(UNIT_SUFFIX)}"
        )


def _checked_attributes(name: str, attributes: Iterable[str]) -> tuple[str, ...]:
    if isinstance(attributes, str):
        raise ValueError(f"metric {name!r}: attributes={attributes!r} is one text; use a tuple like ({attributes!r},)")  # noqa: TRY004 - one kind of error
    names = tuple(attributes)
    labels: dict[str, str] = {}
    for attribute in names:
        if not isinstance(attribute, str) or not _LABEL.fullmatch(attribute):
            raise ValueError(f"metric {name!r}: attribute {attribute!r} is not usable; use letters, digits, '_' and '.'")
        label = label_name(attribute)
        if label in _RESERVED_LABELS or label.startswith(_RESERVED_PREFIXES):
            raise ValueError(f"metric {name!r}: attribute {attribute!r} is reserved in Prometheus; choose another name")
        if label in labels:
            raise ValueError(
                f"metric {name!r}: attributes {labels[label]!r} and {attribute!r} give one label; drop one of them"
            )
        labels[label] = attribute
    return names


def _checked_edges(name: str, edges: Iterable[float]) -> tuple[float, ...]:
    try:
        buckets = tuple(float(edge) for edge in edges)
    except (TypeError, ValueError):
        raise ValueError(f"histogram {name!r}: buckets={edges!r} are not numbers; give increasing numbers") from None
    if buckets and buckets[-1] == math.inf:  # it is always there
        buckets = buckets[:-1]
    if not buckets or not all(map(math.isfinite, buckets)):
        raise ValueError(f"histogram {name!r}: buckets={buckets} must be finite numbers, at least one")
    if any(low >= high for low, high in pairwise(buckets)):
        raise ValueError(f"histogram {name!r}: buckets={buckets} do not increase; sort them and drop doubles")
    return buckets


DEFINITIONS: Final = Definitions()
"""The process's definitions."""
