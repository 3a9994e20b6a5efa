"""The registry: every metric that the application can name, by its Prometheus name.

Fed by the constructors in `metrics.instruments`; feeds the application. There is one registry per process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from . import exposition, view

if TYPE_CHECKING:
    from .instruments import Metric


class MetricsRegistry:
    """The process's metrics. The constructor always returns the same object."""

    _only: MetricsRegistry | None = None
    _metrics: dict[str, Metric[Any]]

    def __new__(cls) -> MetricsRegistry:  # noqa: D102, PYI034 - the class says it; a subclass would get this one too
        if cls._only is None:
            cls._only = super().__new__(cls)
            cls._only._metrics = {}
        return cls._only

    def register(self, metric: Metric[Any]) -> None:
        """Add a metric; `Counter`, `Gauge` and `Histogram` do this themselves when they are made."""
        spec = getattr(metric, "spec", None)
        if spec is None:
            raise TypeError(f"{metric!r} is not a metric of otel_chatbot; make it with Counter, Gauge or Histogram")
        self._metrics[spec.prometheus] = metric

    def get(self, name: str) -> Metric[Any] | None:
        """A metric by its Prometheus or its OpenTelemetry name; None when there is none."""
        found = self._metrics.get(name)
        return found or next((metric for metric in self._metrics.values() if metric.spec.name == name), None)

    def all(self) -> dict[str, dict[str, Any]]:
        """The figures of every registered metric by Prometheus name, as in `/metrics/json`."""
        figures = exposition.metrics_json(view.read())
        return {name: figures[name] for name in self._metrics if name in figures}

    def prometheus_format(self) -> str:
        """What `/metrics` serves, in the Prometheus text format."""
        return exposition.prometheus_text(view.read()).decode()


registry: Final = MetricsRegistry()
