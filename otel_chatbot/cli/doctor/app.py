"""The running app: its six routes, whether they may be seen, and what its own figures say of lost telemetry.

Fed by the app over HTTP; feeds `doctor.command`.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from ... import _access, config
from ...instrumentation.empty.figures import LOST, grouped
from ...instrumentation.flask.probes import PATHS
from ...instrumentation.flask.routes import remedy
from ...semconv.attributes import OVERFLOW, REASON, SIGNAL, DropReason
from ...semconv.metrics import API_REQUESTS, TELEMETRY_DROPPED
from ...semconv.spec import label_name
from ..probe import ask
from .findings import Finding, failed, warning, well

_SECONDS = 5.0


def app(url: str) -> Iterator[Finding]:
    """The routes, then the figures."""
    missing = []
    for path in sorted(PATHS):
        try:
            status, body = ask(_base(url, path), _SECONDS, path, _headers(path))
        except (OSError, http.client.HTTPException, ValueError) as error:
            yield failed("app", f"{path}: {type(error).__name__}: {error}", "is the app running at this address?")
            return
        if status == 404:
            missing.append(path)
            continue
        yield _route(path, status, body)
        if path == "/health/detailed" and status in (200, 503):
            yield from _empty(body)
        if path == "/metrics" and status == 200:
            yield from _figures(body)
    if len(missing) == len(PATHS):
        yield failed(
            "not-observed", "none of the six routes is there: the app runs without otel-chatbot",
            "start it by opentelemetry-instrument with the Python of the environment in which otel-chatbot is installed, as in "
            f".venv/bin/opentelemetry-instrument .venv/bin/python app.py; else: {remedy(404)}",
        )  # fmt: skip
    else:
        yield from (_route(path, 404) for path in missing)


def _base(url: str, path: str) -> str:
    """The app's address, or that of the port which serves this path apart."""
    settings = config.current()
    if not settings.endpoint_port or path not in _access.SHUT:
        return url
    host = f"[{settings.endpoint_host}]" if ":" in settings.endpoint_host else settings.endpoint_host
    return f"http://{host}:{settings.endpoint_port}"


def _headers(path: str) -> dict[str, str]:
    token = config.current().endpoint_token
    return {"Authorization": f"Bearer {token}"} if token and path in _access.SHUT else {}


def _route(path: str, status: int, body: str = "") -> Finding:
    if status == 200:
        return well("route", f"{path}: 200")
    if status == 503 and (failing := _failing(body)) is not None:
        return warning(
            "unhealthy", f"{path}: 503: the app says that it is not healthy: {', '.join(failing) or 'see its answer'}",
            "start or repair what the check names; a load balancer sends nothing until it passes",
        )  # fmt: skip
    if status == 401 and path in _access.SHUT:
        token = config.current().endpoint_token
        line = "another token than CHATBOT_OTEL_ENDPOINT_TOKEN here" if token else "it asks for a token, and none is set here"
        return failed("token", f"{path}: 401: {line}", "run doctor with the CHATBOT_OTEL_ENDPOINT_TOKEN of the app")
    return failed("route", f"{path}: {status}: {remedy(status)}")


def _failing(body: str) -> list[str] | None:
    """The checks that fail, by a health answer of ours; None for what is none."""
    try:
        answer = json.loads(body)
        checks = answer.get("checks", {})
        return [name for name, check in checks.items() if check.get("status") != "healthy"] if "status" in answer else None
    except (ValueError, AttributeError):
        return None


def _empty(body: str) -> Iterator[Finding]:
    """Which figures are empty although there was traffic, by the app's own words."""
    try:
        empty = json.loads(body)["system"]["empty_figures"]
    except (ValueError, KeyError, TypeError):  # an older version, or another one's route
        return
    for names, each in grouped(empty):
        found = f"empty: {', '.join(names)}: {each['why']}"
        if each["status"] == LOST:
            yield warning("empty-figure", found, each["remedy"])
        else:
            yield well("empty-figure", f"{found} ({each['remedy']})" if each["remedy"] else found)


def _figures(text: str) -> Iterator[Finding]:
    """What was dropped and why; metrics with more series than allowed; whether anything was counted at all."""
    overflowing, requests = set(), 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get(label_name(OVERFLOW)) == "true":
                overflowing.add(family.name)
            if sample.name == TELEMETRY_DROPPED.prometheus and sample.value > 0:
                reason = sample.labels.get(label_name(REASON), "")
                if reason != DropReason.SERIES_LIMIT.value:
                    lost = f"{sample.value:g} {sample.labels.get(label_name(SIGNAL), 'items')} were dropped: {reason}"
                    yield warning("dropped", lost, "the app's log says more")
            if sample.name == API_REQUESTS.prometheus:
                requests += sample.value
    for name in sorted(overflowing):
        yield failed(
            "series-limit", f"{name} has reached its limit of series: what goes beyond it is in one series of its own",
            "take the attribute away that has so many values, or raise CHATBOT_OTEL_SERIES_LIMIT",
        )  # fmt: skip
    if not requests:
        yield well("counted", "no request has been counted yet")
