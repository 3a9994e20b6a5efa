"""Who the figures on `/metrics` are of: the family `target_info` (OpenTelemetry's Prometheus compatibility rules).

Fed by `distro.state`, which knows the app's resource; feeds the view of `/metrics`. The collector makes the same family of what
comes by OTLP, so that dashboards find versions on either way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from .. import _guard
from ..semconv import prometheus as p
from .view import Family, Point


class Target:
    """The app that this process is of; `ask` gives its resource's attributes by OpenTelemetry name."""

    ask: Callable[[], Mapping[str, object]] | None = None


def families() -> list[Family]:
    """`target_info`, if it is known who the app is."""
    attributes = _guard.never_raise(Target.ask)() if Target.ask is not None else None
    if not attributes:
        return []
    labels = {name: str(value) for name, value in attributes.items()}
    return [Family(replace(p.TARGET_INFO, attributes=tuple(labels)), [Point({**labels}, 1.0)])]
