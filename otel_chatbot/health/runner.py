"""Runs one check within its budget, in a thread of its own, for any number of probes at once.

Fed by the checker; feeds payloads and the metrics `chatbot.health.*`. A check whose
thread hangs gets no second one, and between runs there is no thread.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from opentelemetry.trace import INVALID_SPAN_CONTEXT

from .._clock import monotonic
from .._guard import never_raise
from ..metrics import record
from ..semconv import attributes as a
from ..semconv import metrics as m
from .clock import utc
from .messages import redacted, redacted_details, safe_message
from .results import HealthResult, HealthStatus

BURST = 1.0
"""Seconds for which a run that several probes shared answers the rest of their burst; a lone probe always runs anew."""


@dataclass(frozen=True)
class TimedResult:
    """A check's result and how long it took, in seconds."""

    result: HealthResult
    seconds: float

    def payload(self) -> dict[str, Any]:
        """The check's entry in the JSON answers; details never replace the three fixed fields."""
        fixed = {
            "status": self.result.status.value,
            "latency_ms": round(self.seconds * 1000, 2),
            "message": self.result.message,
        }
        return {**fixed, **{name: value for name, value in self.result.details.items() if name not in fixed}}


class Run:
    """One run of a check, in flight or ended."""

    __slots__ = ("began", "ended", "finding", "shared", "started", "told_late")

    def __init__(self) -> None:
        self.began = utc()
        self.started = monotonic()
        self.ended = threading.Event()
        self.finding: TimedResult | None = None
        self.shared = False
        self.told_late = False


@dataclass(eq=False)
class Check:
    """A named check with its budget in seconds; `required` and `readiness` say what its failure means and where it shows."""

    name: str
    function: Callable[[], object]
    budget: float
    _: KW_ONLY
    required: bool
    readiness: bool

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forget the run in flight: after fork its thread is not in this process, and the lock may have been held."""
        self._lock = threading.Lock()
        self._run: Run | None = None

    def begin(self) -> Run:
        """Start a run, or join the one in flight; returns at once."""
        with self._lock:
            run = self._run
            if run is not None and self._serves(run):
                run.shared = True
                return run
            run = self._run = Run()
        thread = threading.Thread(target=self._execute, args=(run,), name=f"otel_chatbot-health-{self.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the machine gives no more threads
            self._end(run, HealthResult(HealthStatus.UNHEALTHY, safe_message(error)))
        return run

    def wait(self, run: Run) -> TimedResult:
        """The run's finding; unhealthy as soon as the run is beyond the budget."""
        if run.ended.wait(run.started + self.budget - monotonic()) and run.finding is not None:
            return run.finding
        seconds = monotonic() - run.started
        if not run.told_late:
            run.told_late = True
            _record_status(self.name, HealthStatus.UNHEALTHY)
        message = f"timed out after {self.budget:g} s, still running since {run.began}"
        return TimedResult(HealthResult(HealthStatus.UNHEALTHY, message), seconds)

    def _serves(self, run: Run) -> bool:
        if not run.ended.is_set():
            return True
        if not run.shared or run.finding is None or run.finding.seconds > self.budget:
            return False
        return monotonic() - (run.started + run.finding.seconds) < min(BURST, self.budget)

    def _execute(self, run: Run) -> None:
        with record.own_traffic():
            try:
                returned = self.function()
                if inspect.iscoroutine(returned):
                    returned = asyncio.run(returned)
                result = _presentable(HealthResult.of(returned))
            except BaseException as error:  # SystemExit of a check must not end the thread without an answer
                result = HealthResult(HealthStatus.UNHEALTHY, safe_message(error))
            self._end(run, result)

    def _end(self, run: Run, result: HealthResult) -> None:
        run.finding = TimedResult(result, monotonic() - run.started)
        try:
            _record_duration(self.name, run.finding.seconds)
            if run.finding.seconds <= self.budget:
                _record_status(self.name, result.status)
        finally:
            run.ended.set()


def _presentable(result: HealthResult) -> HealthResult:
    return HealthResult(result.status, redacted(result.message), redacted_details(result.details))


@never_raise
def _record_duration(name: str, seconds: float) -> None:
    # Without a span context: traces of probes that succeed are not kept, an exemplar would lead nowhere.
    record.observe(m.HEALTH_CHECK_DURATION, seconds, {a.CHECK: name}, INVALID_SPAN_CONTEXT)


@never_raise
def _record_status(name: str, status: HealthStatus) -> None:
    record.put(m.HEALTH_STATUS, status.figure, {a.CHECK: name})
