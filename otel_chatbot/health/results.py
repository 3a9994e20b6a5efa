"""What a check found: the closed set of statuses, a result, and how results add up.

Fed by the checks' return values and exceptions; feeds the checker, its payloads and the health metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class HealthStatus(str, Enum):
    """How well a check, or the whole app, is; only `unhealthy` answers 503."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"

    @property
    def figure(self) -> float:
        """The value of the metric `chatbot.health.status`."""
        return {HealthStatus.HEALTHY: 1.0, HealthStatus.DEGRADED: 0.5, HealthStatus.UNHEALTHY: 0.0}[self]


_MESSAGES = {HealthStatus.HEALTHY: "OK", HealthStatus.DEGRADED: "Degraded", HealthStatus.UNHEALTHY: "Check failed"}


@dataclass(frozen=True)
class HealthResult:
    """The outcome of one check; `details` are further JSON fields beside status, latency and message."""

    status: HealthStatus
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, returned: object) -> HealthResult:
        """The result that a check's return value stands for.

        Truthy is healthy, falsy unhealthy. A check may say more: a `HealthResult`, a `HealthStatus` or its text,
        `(status, message)`, or a dict whose `status` and `message` are optional and whose other items are details.
        """
        if isinstance(returned, HealthResult):
            return returned
        status = _status(returned)
        if status is not None:
            return cls(status, _MESSAGES[status])
        if isinstance(returned, tuple) and len(returned) == 2:
            status = _status(returned[0])
            if status is not None:
                return cls(status, str(returned[1]))
        if isinstance(returned, Mapping) and returned:
            rest = {str(key): value for key, value in returned.items() if key not in ("status", "message")}
            status = _status(returned.get("status", True)) or HealthStatus.UNHEALTHY
            return cls(status, str(returned.get("message", _MESSAGES[status])), rest)
        status = HealthStatus.HEALTHY if returned else HealthStatus.UNHEALTHY
        return cls(status, _MESSAGES[status])


def _status(value: object) -> HealthStatus | None:
    """The status that a bool or a status's text names; None for anything else."""
    if isinstance(value, bool):
        return HealthStatus.HEALTHY if value else HealthStatus.UNHEALTHY
    if isinstance(value, str):
        return next((status for status in HealthStatus if status.value == value.lower()), None)
    return None


def overall(found: Iterable[tuple[HealthStatus, bool]]) -> HealthStatus:
    """The app's status from (status, required) pairs: an optional check can only degrade it."""
    worst = HealthStatus.HEALTHY
    for status, required in found:
        if status is HealthStatus.UNHEALTHY and required:
            return HealthStatus.UNHEALTHY
        if status is not HealthStatus.HEALTHY:
            worst = HealthStatus.DEGRADED
    return worst
