"""The figures of requests: how many run, how many there were, how long they took, how many failed.

Fed by `flask.request`, when a request arrives and when its last byte is out; feeds the store. No figure comes from a span.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from opentelemetry.trace import SpanContext

from ...metrics.deduplication import Scope
from ...metrics.record import AutomaticCounter, AutomaticHistogram, keep
from ...metrics.store import STORE, GaugeSeries, HistogramSeries
from ...semconv import attributes as a
from ...semconv import metrics as m
from . import upgrade


class _Running(NamedTuple):
    """The series in which running requests of one kind are counted."""

    active: GaugeSeries


class _Ended(NamedTuple):
    """The series in which requests of one kind are counted when they end."""

    requests: AutomaticCounter
    response_time: AutomaticHistogram
    duration: HistogramSeries


_running: Final[dict[tuple[str, str | None], _Running]] = {}
_ended: Final[dict[tuple[str, str | None, int, str | None, str | None, str | None], _Ended]] = {}


def running(*, method: str, scheme: str | None) -> GaugeSeries:
    """The gauge of the requests of one kind that are running."""
    kind = (method, scheme)
    if kind in _running:
        return _running[kind].active
    active = STORE.gauge(m.HTTP_SERVER_ACTIVE).bind({a.HTTP_METHOD: method, a.URL_SCHEME: scheme})
    return keep(_running, kind, _Running(active)).active


def count(
    scope: Scope,
    seconds: float,
    context: SpanContext,
    *,
    method: str,
    route: str | None,
    status: int,
    error: str | None,
    scheme: str | None,
    protocol: str | None,
) -> None:
    """Count and measure a request that has ended; `error` is the kind of its failure."""
    kind = (method, route, status, error, scheme, protocol)
    figures = _ended.get(kind)
    if figures is None:
        answer = {a.HTTP_METHOD: method, a.HTTP_ROUTE: route, a.HTTP_STATUS: status}
        more = {a.ERROR_TYPE: error, a.URL_SCHEME: scheme, a.PROTOCOL_VERSION: protocol}
        made = _Ended(
            AutomaticCounter(m.API_REQUESTS, answer),
            AutomaticHistogram(m.RESPONSE_TIME, answer),
            STORE.histogram(m.HTTP_SERVER_DURATION).bind({**answer, **more}),
        )
        figures = keep(_ended, kind, made)
    figures.duration.observe(seconds, context)
    figures.requests.add(1.0, scope)
    if status != upgrade.SWITCHED:  # the duration of a connection is no time that somebody waited for an answer
        figures.response_time.observe(seconds, context, scope)
    if error is not None:
        # A failed AI call of this request has counted already: the failure that it causes is not a second one.
        AutomaticCounter(m.ERRORS, {a.ERROR_TYPE: error}).add_unless_counted(scope)
