"""The state of the set-up in this process, and the parts that the steps share.

Fed by the environment; feeds `distro.steps`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from .._guard import never_raise
from ..metrics import view
from ..metrics.mirror import mirrored_names
from ..metrics.shared import run as shared
from ..semconv.attributes import SERVICE_INSTANCE_ID, Signal
from .delivery import exporters
from .environment import SignalPlan
from .metrics.data import metrics_data
from .metrics.export import MetricsExport
from .metrics.leader import Leader
from .metrics.mirror_reader import SCOPE
from .process.shutdown import Shutdown
from .providers.adopted import Provider
from .providers.resource import adopted_resource, app_resource, package_version, process_resource


class DistroState:
    """The set-up of this process: the steps that have run, and the parts that they share."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._done: set[str] = set()
        self.shutdown = Shutdown()
        self.lead = Leader()
        self.auto_version = ""
        self.adopted: list[Provider] = []
        """Providers that somebody else made."""
        self.fed = False
        """Whether log records are fed to a logger provider."""

    @cached_property
    def plan(self) -> SignalPlan:
        """The plan of the environment."""
        return SignalPlan.from_env()

    @cached_property
    def resource(self) -> Resource:
        """The resource of this process. If somebody else set a provider, its attributes win over our guesses."""
        return adopted_resource(process_resource(self.plan, self.auto_version))

    @cached_property
    def metric_exporters(self) -> list[Any]:
        """The exporters of metrics, and the readers that the environment names as such."""
        return [] if self.plan.disabled else exporters.make(self.plan, Signal.METRICS)

    @cached_property
    def export(self) -> MetricsExport:
        """The export of the app's metrics."""
        pushing = [exporter for exporter in self.metric_exporters if isinstance(exporter, MetricExporter)]
        return MetricsExport(pushing, self.collect, self.lead, self.plan.export_interval)

    def collect(self) -> MetricsData:
        """The merged view as it is now."""
        return self._data(view.read())

    def collect_ours(self) -> MetricsData:
        """The same without mirrored figures, for an exporter that gets those from the provider that measured them."""
        families = view.read()
        others = mirrored_names()
        return self._data([family for family in families if family.spec.name not in others])

    def _data(self, families: list[view.Family]) -> MetricsData:
        identity, start = shared.run_identity()
        scope = InstrumentationScope(SCOPE, package_version())
        now = max(start, time.time_ns())  # the clock may have been set back since the run began
        return metrics_data(families, app_resource(self.resource, self.plan, identity), scope, start, now)

    def app_attributes(self) -> dict[str, object]:
        """The app's resource attributes without the id of its run: the reader that exports adds one."""
        attributes = app_resource(self.resource, self.plan, "").attributes
        return {name: value for name, value in attributes.items() if name != SERVICE_INSTANCE_ID}

    def run(self, *steps: Callable[[DistroState], None]) -> None:
        """Run the steps that have not run; a fault in one is reported and the next one runs."""
        with self._lock:
            for step in steps:
                if step.__name__ not in self._done:
                    self._done.add(step.__name__)
                    never_raise(step)(self)


SETUP: Final = DistroState()
"""The process's set-up."""


def app_attributes() -> dict[str, object]:
    """The resource attributes of this process's app."""
    return SETUP.app_attributes()
