"""`/metrics` and `/metrics/json` over HTTP: one view per path, for both the blueprint and the automatic mount.

Fed by the merged view; feeds scrapers. A view takes a WSGI environ and returns a Werkzeug response, which is a WSGI
application too; it needs no Flask context.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from .. import _access, _wiring
from .._guard import never_raise
from .._mounting import View, blueprint_of
from .._wiring import ensure_configured
from ..semconv.prometheus import TARGET_INFO
from . import negotiation, view
from .exposition import metrics_json

if TYPE_CHECKING:
    from flask import Blueprint
    from werkzeug.wrappers import Response

Environ = Mapping[str, Any]


def prometheus_view(environ: Environ) -> Response:
    """GET /metrics: the whole app's figures as Prometheus text, or OpenMetrics with exemplars for a scraper that asks for it."""

    def write() -> tuple[bytes, str]:
        chosen = negotiation.choose(str(environ.get("HTTP_ACCEPT", "")))
        return chosen.write([*view.read(), *(_app() or ())]), chosen.content_type

    return _answer(environ, write)


def json_view(environ: Environ) -> Response:
    """GET /metrics/json: `timestamp` and `metrics`, the whole app's figures by Prometheus name; strict JSON."""

    def write() -> tuple[bytes, str]:
        now = dt.datetime.now(dt.timezone.utc).isoformat(timespec="milliseconds")
        payload = {"timestamp": now.replace("+00:00", "Z"), "metrics": metrics_json(view.read())}
        return orjson.dumps(payload) + b"\n", "application/json"

    return _answer(environ, write)


@never_raise
def _app() -> list[view.Family]:
    """The app that the figures belong to: the family `target_info` (OpenTelemetry's Prometheus rules), once it is known.

    The collector makes the same family from OTLP data, so dashboards find versions in both cases.
    """
    attributes = _wiring.APP()
    if not attributes:
        return []
    labels = {name: str(value) for name, value in attributes.items()}
    return [view.Family(replace(TARGET_INFO, attributes=tuple(labels)), [view.Point({**labels}, 1.0)])]


VIEWS: dict[str, View] = {"/metrics": prometheus_view, "/metrics/json": json_view}
"""The two paths and their views."""


def create_metrics_blueprint() -> Blueprint:
    """A Flask blueprint named `metrics` with the two routes."""
    ensure_configured()
    return blueprint_of("metrics", __name__, VIEWS)


def _answer(environ: Environ, write: Callable[[], tuple[bytes, str]]) -> Response:
    from werkzeug.wrappers import Response

    headers = {"Cache-Control": "no-store"}
    if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
        return Response(
            '{"error":"method not allowed"}\n', 405, {**headers, "Allow": "GET, HEAD"}, content_type="application/json"
        )
    refused = _access.denied(environ)
    if refused is not None:
        return Response(refused.body, refused.status, refused.headers)
    body, content_type = write()
    return Response(body, 200, {**headers, "Vary": "Accept"}, content_type=content_type)
