"""The checker: one per process, knows the checks, runs them side by side, adds them up.

Fed by the built-in checks and by `register_check`; feeds `/health*`, `require_healthy` and the health metrics.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import inspect
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from .. import config
from .._fork import at_fork
from .._wiring import ensure_configured
from .clock import uptime, utc
from .results import HealthResult, HealthStatus, overall
from .runner import Check, TimedResult
from .system import system
from .version import version

_F = TypeVar("_F", bound=Callable[..., Any])

DATABASE = "database"
CACHE = "cache"
_DRAINING = "server"
_REPORTED = 0.85
"""Part of a budget that a built-in check may use, so that its own message comes before the time-out's."""


class _State:
    lock = threading.Lock()
    checker: HealthChecker | None = None
    draining = False


class HealthChecker:
    """The health of this process; there is one, and calling the class returns it."""

    _checks: dict[str, Check]

    def __new__(cls) -> HealthChecker:  # noqa: PYI034 - there is one, whichever class is called
        """Return the process's checker, made at the first call."""
        with _State.lock:
            if _State.checker is None:
                made = super().__new__(cls)
                made._checks = {}
                made.register_check(DATABASE, _database, readiness=True)
                made.register_check(CACHE, _cache, required=False, readiness=True)
                _State.checker = made
            return _State.checker

    def register_check(
        self,
        name: str,
        func: Callable[[], object],
        *,
        required: bool | None = None,
        readiness: bool | None = None,
        timeout: float | None = None,
    ) -> None:
        """Add a check, or replace the one of that name; see `HealthResult.of` for what `func` may return.

        A failed `required` check makes the app unhealthy, an optional one degraded. Checks with `readiness` are in
        `/health/ready` too. By default a check is required and in `/health/detailed` only; one that replaces another
        stands where that stood. `timeout` is the budget in seconds, by default the setting HEALTH_TIMEOUT.
        """
        if not callable(func):
            raise TypeError(f"the check {name!r} must be callable, not {type(func).__name__}")
        budget = config.current().health_timeout if timeout is None else float(timeout)
        replaced = self._checks.get(name)
        if required is None:
            required = replaced is None or replaced.required
        if readiness is None:
            readiness = replaced is not None and replaced.readiness
        check = Check(str(name), func, budget, required=required, readiness=readiness)
        self._checks = {**self._checks, check.name: check}  # replaced whole: probes read it without a lock

    def liveness(self) -> dict[str, Any]:
        """That this process answers; depends on nothing and waits for nothing."""
        return _head(HealthStatus.HEALTHY)

    def readiness(self) -> dict[str, Any]:
        """Liveness and the checks `database` and `cache`; unhealthy while the server drains."""
        return self._report(check for check in self._checks.values() if check.readiness)

    def detailed(self) -> dict[str, Any]:
        """Readiness, the registered checks, and the `system` block."""
        return {**self._report(self._checks.values()), "system": system()}

    def check(self, name: str) -> HealthResult:
        """The result of one check, within its budget; unhealthy when there is no such check."""
        ensure_configured()
        check = self._checks.get(name)
        if check is None:
            return HealthResult(HealthStatus.UNHEALTHY, f"no check is registered under the name {name!r}")
        _import_clients()
        return check.wait(check.begin()).result

    def _report(self, chosen: Iterable[Check]) -> dict[str, Any]:
        ensure_configured()
        if _State.draining:
            finding = TimedResult(HealthResult(HealthStatus.UNHEALTHY, "draining"), 0.0)
            return {**_head(HealthStatus.UNHEALTHY), "checks": {_DRAINING: finding.payload()}}
        _import_clients()
        running = [(check, check.begin()) for check in chosen]
        found = [(check, check.wait(run)) for check, run in running]
        status = overall((finding.result.status, check.required) for check, finding in found)
        return {**_head(status), "checks": {check.name: finding.payload() for check, finding in found}}


def get_health_checker() -> HealthChecker:
    """The process's checker."""
    return HealthChecker()


def drain(draining: bool = True) -> None:
    """Turn readiness to 503 because this process is about to stop taking requests; server hooks call it."""
    _State.draining = draining


def require_healthy(check_name: str = DATABASE) -> Callable[[_F], _F]:
    """Decorate a plain or async function: `ConnectionError` instead of a call when the check is unhealthy."""

    def decorate(function: _F) -> _F:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def guarded_async(*args: Any, **kwargs: Any) -> Any:
                await asyncio.to_thread(_demand, check_name)
                return await function(*args, **kwargs)

            return guarded_async  # type: ignore[return-value]

        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            _demand(check_name)
            return function(*args, **kwargs)

        return guarded  # type: ignore[return-value]

    return decorate


def _demand(name: str) -> None:
    result = get_health_checker().check(name)
    if result.status is HealthStatus.UNHEALTHY:
        raise ConnectionError(f"{name} is unhealthy: {result.message}")


def _head(status: HealthStatus) -> dict[str, Any]:
    return {"status": status.value, "timestamp": utc(), "uptime_seconds": round(uptime(), 3), "version": version()}


def _may_use_mongodb() -> bool:
    """Whether there may be a MongoDB to check; an app that has imported no pymongo has no client."""
    return bool(config.current().mongodb_uri) or "pymongo" in sys.modules


def _import_clients() -> None:
    """Import what the built-in checks need, before their budgets begin: on a busy machine it takes most of a second."""
    settings = config.current()
    with contextlib.suppress(ImportError):  # the check that needs it says so
        if _may_use_mongodb():
            importlib.import_module(f"{__package__}.mongo")
        if settings.redis_url or "redis" in sys.modules:
            importlib.import_module(f"{__package__}.redis_connection")


def _database() -> HealthResult:
    if not _may_use_mongodb():
        return HealthResult(HealthStatus.HEALTHY, "not configured")
    from .mongo import check_database

    return check_database(config.current().health_timeout * _REPORTED)


def _cache() -> HealthResult:
    from .cache import check_cache

    return check_cache(config.current().health_timeout * _REPORTED)


def _after_fork() -> None:
    _State.lock = threading.Lock()
    if _State.checker is not None:
        for check in _State.checker._checks.values():
            check.renew()


at_fork(__name__, in_child=_after_fork)
