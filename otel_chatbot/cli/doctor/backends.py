"""Collector, Prometheus and the store of traces, asked although no test could be sent there: whether they answer, what they have.

Fed by addresses on the command line; feeds `doctor.signals`.
"""

from __future__ import annotations

import re
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

from ...semconv import collector
from ...semconv import operations as o
from ...semconv.attributes import Signal
from ...semconv.metrics import API_REQUESTS
from ..prometheus_api import PrometheusApi, PrometheusError
from .findings import Finding, failed, not_looked_at, well

NOT_SENT = "set OTEL_EXPORTER_OTLP_ENDPOINT as the app has it, and see above whether it takes the test"


def collector_alone(url: str) -> Iterator[Finding]:
    """Whether the collector answers, and what it has taken in from anybody."""
    try:
        text = metrics_of(url)
    except (OSError, ValueError) as error:
        yield failed("collector", f"the collector's own metrics at {url} do not answer: {error}", "see whether it runs, and where it serves them: service.telemetry.metrics in its configuration")  # fmt: skip
        return
    if not re.search(r"^otelcol_", text, re.MULTILINE):
        yield failed("collector", f"what answers at {url} is not a collector's own metrics", "they are on port 8888 by default")
        return
    taken = ", ".join(f"{count:g} {signal.value}" for signal, count in accepted_in(text).items())
    yield well("collector", f"the collector at {url} answers; it has taken in {taken or 'nothing'}")
    yield not_looked_at("collector-trip", "whether what the app sends reaches the collector: no test was sent", NOT_SENT)


def prometheus_alone(url: str) -> Iterator[Finding]:
    """Whether Prometheus answers, and has figures of a chatbot, however they came there."""
    prefix = API_REQUESTS.prometheus.partition("_")[0]
    try:
        count = PrometheusApi(url).value(f'count({{__name__=~"{prefix}_.+"}})') or 0
    except PrometheusError as error:
        yield failed("prometheus", str(error), "see whether it runs at this address")
        return
    if not count:
        yield failed("prometheus", f"Prometheus at {url} answers, and has no figure of a chatbot", "let it scrape the app's /metrics; prometheus/ of the repository holds a configuration")  # fmt: skip
        return
    yield well("prometheus", f"Prometheus at {url} answers, and has {count:g} series of a chatbot")
    yield not_looked_at(
        "prometheus-trip", "whether what the app sends over OTLP reaches Prometheus: no test was sent", NOT_SENT
    )


def traces_alone(url: str) -> Iterator[Finding]:
    """Whether the store of traces answers."""
    try:
        has_trace(url, secrets.token_hex(16))
    except (OSError, ValueError) as error:
        yield failed("traces", f"the store of traces at {url} does not answer: {error}", "see whether it runs: Tempo has port 3200, Jaeger 16686")  # fmt: skip
        return
    yield well("traces", f"the store of traces at {url} answers")
    yield not_looked_at("traces-trip", "whether the app's traces reach it: no test was sent", NOT_SENT)


def metrics_of(url: str) -> str:
    """The collector's own metrics, as text."""
    return _get(url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/metrics")


def accepted_in(text: str) -> dict[Signal, float]:
    """What a collector says that it has taken in, by signal."""
    found = {}
    for signal, spec in collector.ACCEPTED.items():
        base = re.escape(spec.prometheus.removesuffix("_total"))
        values = re.findall(rf"^{base}(?:_\w+)?(?:{{[^}}]*}})? (\S+)", text, re.MULTILINE)
        found[signal] = sum(map(float, values))
    return found


def has_trace(url: str, trace_id: str) -> bool:
    """Whether Tempo or Jaeger has a trace: both answer at this path."""
    try:
        return o.DOCTOR_SPAN in _get(f"{url.rstrip('/')}/api/traces/{trace_id}")
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                return False
        raise


def _get(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url} is not an http address")
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        return str(answer.read().decode("utf-8", "replace"))
