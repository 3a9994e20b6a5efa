"""`/health*` over HTTP: one view a path, for the blueprint and for the automatic mount alike.

Fed by the checker; feeds probes. A view takes a WSGI environ and returns a Werkzeug response, which is a WSGI
application too; it needs no Flask context.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import _access
from .._mounting import View, blueprint_of
from .._wiring import ensure_configured
from .checker import get_health_checker
from .results import HealthStatus
from .version import remember_app

if TYPE_CHECKING:
    from flask import Blueprint
    from werkzeug.wrappers import Response

Environ = Mapping[str, Any]


def live(environ: Environ) -> Response:
    """GET /health and /health/live: 200 while the process answers at all."""
    return _answer(environ, lambda: get_health_checker().liveness())


def ready(environ: Environ) -> Response:
    """GET /health/ready: 200 when healthy or degraded, else 503."""
    return _answer(environ, lambda: get_health_checker().readiness())


def detailed(environ: Environ) -> Response:
    """GET /health/detailed: every check and the system, for those who may see it."""
    from werkzeug.wrappers import Response

    refused = _access.denied(environ)
    if refused is not None:
        return Response(refused.body, refused.status, refused.headers)
    return _answer(environ, lambda: get_health_checker().detailed())


VIEWS: dict[str, View] = {
    "/health": live,
    "/health/live": live,
    "/health/ready": ready,
    "/health/detailed": detailed,
}
"""The four paths and their views."""


def create_health_blueprint() -> Blueprint:
    """A Flask blueprint named `health` with the four routes."""
    ensure_configured()
    blueprint = blueprint_of("health", __name__, VIEWS)
    blueprint.record_once(lambda state: remember_app(state.app))
    return blueprint


def _answer(environ: Environ, report: Callable[[], dict[str, Any]]) -> Response:
    from werkzeug.wrappers import Response

    headers = {"Cache-Control": "no-store", "Content-Type": "application/json"}
    if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
        return Response('{"error":"method not allowed"}\n', 405, {**headers, "Allow": "GET, HEAD"})
    payload = report()
    status = 503 if payload["status"] == HealthStatus.UNHEALTHY.value else 200
    return Response(json.dumps(payload) + "\n", status, headers)
