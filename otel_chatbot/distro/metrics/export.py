"""Exports the metrics of the whole app from one process, the one that leads the run.

Fed by `metrics.view.read()` and, through the mirror, by other libraries' instruments; feeds the metric exporters.
The thread starts with a process's first figure, so that a server forks without it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Final, Protocol

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from ..._clock import monotonic
from ..._fork import at_fork
from ..._guard import never_raise, report
from ...metrics.record import dropped
from ...semconv.attributes import DropReason, Signal
from ..process.fork_safety import await_imports, forget_lock, late_lock
from ..process.servers import in_greenlets, is_master, too_early
from .leader import Leader

MIRROR_SECONDS: Final = 1.0
"""How often other libraries' figures are copied."""
_IDLE_MIRROR_SECONDS: Final = 5.0
"""How often the mirror looks whether there are any, if there have been none for a while: each look wakes an idle process."""
_IDLE_AFTER: Final = 60.0
_HANDOVER_SECONDS: Final = 1.0


class Mirror(Protocol):
    """Copies other libraries' figures into the store."""

    def refresh(self) -> bool:
        """Copy them now; False when there are none."""


class MetricsExport:
    """Exports the merged view every `interval` seconds and a last time at the end.

    `collect` builds the data; only the process that has the lead exports.
    """

    def __init__(
        self,
        exporters: Sequence[MetricExporter],
        collect: Callable[[], MetricsData],
        lead: Leader,
        interval: float,
    ) -> None:
        self._exports = [(exporter, collect) for exporter in exporters]
        self._lead = lead
        self._interval = interval
        self._mirror: Mirror | None = None
        self.at_start: list[Callable[[], None]] = []
        """Functions that the thread calls at its start: their work need not happen on the application's threads."""
        self.each_look: list[Callable[[], None]] = []
        """Functions that the thread of each process calls each few seconds: for what becomes due without any event."""
        self._closed = False
        self._turn = SimpleNamespace()
        """Owns the lock that keeps two exports from running at the same time."""
        self._reset()
        at_fork(__name__, in_child=self._after_fork)

    def _reset(self) -> None:
        self._thread: threading.Thread | None = None
        self._stop: threading.Event | None = None
        self._ended: threading.Event | None = None
        forget_lock(self)
        forget_lock(self._turn)

    def _after_fork(self) -> None:
        ran = self._thread is not None
        self._reset()
        if ran and not in_greenlets():  # under gevent, the child's first figure starts it
            self.start()

    def mirror(self, mirror: Mirror) -> None:
        """Copy other libraries' figures from now on, every second."""
        self._mirror = mirror

    def also(self, exporter: MetricExporter, collect: Callable[[], MetricsData]) -> None:
        """Also export to this exporter the data that this `collect` builds."""
        self._exports.append((exporter, collect))

    @never_raise
    def start(self) -> None:
        """Start this process's thread, unless it runs or it is too early for one (a server's master). Waits for nothing."""
        if self._thread is None and not self._closed and not too_early():
            with late_lock(self):
                if self._thread is None:
                    self._stop, self._ended = threading.Event(), threading.Event()
                    arguments = (self._stop, self._ended)
                    self._thread = threading.Thread(target=self._run, args=arguments, name="otel-chatbot-metrics", daemon=True)
                    self._thread.start()

    def flush(self, deadline: float) -> None:  # noqa: ARG002 - to the spool it takes no time
        """Export now, on the caller's thread, if this process has figures."""
        if self._stop is not None:
            self._refresh()
            self.export()

    def begin_shutdown(self) -> None:
        """Tell the thread to export a last time and to end."""
        self._closed = True
        if self._stop is not None:
            self._lead.give_up()
            self._stop.set()

    def abandon(self) -> None:
        """End without an export."""
        self._exports = []
        self.begin_shutdown()

    def finish_shutdown(self, deadline: float) -> None:
        """Wait for that until `deadline` (of `time.monotonic`)."""
        if self._ended is not None:
            self._ended.wait(max(0.0, deadline - monotonic()))
        elif is_master():
            self.export()  # the master ends after its workers: it sends their last counts, killed workers' too

    def _run(self, stop: threading.Event, ended: threading.Event) -> None:
        await_imports()
        for call in self.at_start:  # their log records are exported; below, this thread's own spans and records are not
            never_raise(call)()
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        due = monotonic() + self._interval
        idle_at = monotonic() + _IDLE_AFTER
        pause = MIRROR_SECONDS
        while not stop.wait(min(pause, max(0.0, due - monotonic()))):
            if self._refresh():
                idle_at = monotonic() + _IDLE_AFTER
            pause = MIRROR_SECONDS if monotonic() < idle_at else _IDLE_MIRROR_SECONDS
            for call in self.each_look:
                never_raise(call)()
            if monotonic() >= due:
                due = monotonic() + self._interval
                self.export()
        self._refresh()
        self._last_export()
        ended.set()

    def _refresh(self) -> bool:
        """Copy other libraries' figures; False when there are none."""
        if self._mirror is None:
            return False
        try:
            return self._mirror.refresh()
        except Exception as error:
            report("mirroring metrics", error)
            return True

    def _last_export(self) -> None:
        end = monotonic() + _HANDOVER_SECONDS
        while not self.export() and self._lead.is_given_up() and monotonic() < end:
            time.sleep(0.02)

    def export(self) -> bool:
        """Export the merged view if this process leads; return False if another process does."""
        try:
            if not self._exports:
                return True
            if not self._lead.take():
                return False
            with late_lock(self._turn):
                for exporter, collect in self._exports:
                    _export(exporter, collect())
        except Exception as error:
            report("exporting metrics", error)
        return True


def _export(exporter: MetricExporter, data: MetricsData) -> None:
    if data.resource_metrics and exporter.export(data) is MetricExportResult.FAILURE:
        dropped(Signal.METRICS, DropReason.EXPORT_FAILED, _points(data))


def _points(data: MetricsData) -> int:
    return sum(
        len(metric.data.data_points)
        for group in data.resource_metrics
        for scope in group.scope_metrics
        for metric in scope.metrics
    )
