"""Health: statuses, the checker with its built-in checks, the app's own clients, `/health*`.

Fed by the app (registered checks) and by `instrumentation/*` (clients); feeds probes and the health metrics.
Importing this package imports neither Flask nor pymongo nor redis.
"""

from __future__ import annotations

from .checker import HealthChecker, drain, get_health_checker, require_healthy
from .results import HealthResult, HealthStatus
from .views import create_health_blueprint

__all__ = [
    "HealthChecker",
    "HealthResult",
    "HealthStatus",
    "create_health_blueprint",
    "drain",
    "get_health_checker",
    "require_healthy",
]
